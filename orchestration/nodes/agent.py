"""Ask an agent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from agents.errors import AgentError
from agents.invocation import AgentRequest, invoke, is_pure
from orchestration.definition.fields import Literal, NodeSettings
from orchestration.nodes.base import Context, Done, NodeFailure, NodeType, Result, register

JSON = Any


class AgentSettings(NodeSettings):
    agent: Literal = Field(title="Agent", description="Its short name in the catalogue.", min_length=1)
    version: int | None = Field(None, title="Version", description="Empty: the latest when the run begins.")
    alternatives: tuple[Literal, ...] = Field(
        (),
        title="Alternative agents",
        description="Asked one after the other when the agent has failed for good, each with tries of its own.",
        max_length=10,
    )
    inputs: dict[str, JSON] = Field(
        default_factory=dict, title="Inputs", description="What the agent is given, by the names of its inputs."
    )


@register
class Agent(NodeType):
    """Call an agent of the catalogue. Outputs: what its output contract names."""

    kind, label, icon, category = "agent", "Agent", "robot", "agents"
    description = "Gives work to an agent and passes on its answer."
    Settings = AgentSettings
    calls_are_recorded = True

    async def is_pure(self, ctx: Context) -> bool:
        return await is_pure(ctx.run.organisation_id, *_asked(ctx), ctx.run_started_at)

    async def execute(self, ctx: Context) -> Result:
        settings: AgentSettings = ctx.settings
        asked, version = _asked(ctx)
        try:
            reply = await invoke(
                AgentRequest(
                    organisation_id=ctx.run.organisation_id,
                    agent=asked,
                    version=version,
                    as_of=ctx.run_started_at,
                    inputs=settings.inputs,
                    idempotency_key=ctx.idempotency_key,
                    deadline=ctx.deadline,
                    attempt=ctx.attempt,
                    emit=ctx.emit,
                )
            )
        except AgentError as error:
            raise NodeFailure(
                error.message,
                code=error.code,
                retryable=error.retryable,
                retry_after=error.retry_after,
                detail=error.detail,
                usage=error.usage,
                retry_policy=error.retry,
            ) from error
        return Done(outputs=reply.outputs, usage=reply.usage)

    def output_schema(self, settings: Mapping[str, JSON]) -> dict[str, JSON] | None:
        """Not known here: it needs the registry, which validation asks by itself."""
        return None


def _asked(ctx: Context) -> tuple[str, int | None]:
    """The agent and the version it is pinned to, if any. Alternatives are not pinned."""
    settings: AgentSettings = ctx.settings
    if ctx.alternative:
        return settings.alternatives[ctx.alternative - 1], None
    return settings.agent, settings.version
