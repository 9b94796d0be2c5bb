"""Ask an agent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from agents.errors import AgentError
from agents.invocation import AgentRequest, invoke
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

    async def execute(self, ctx: Context) -> Result:
        settings: AgentSettings = ctx.settings
        asked = settings.alternatives[ctx.alternative - 1] if ctx.alternative else settings.agent
        try:
            reply = await invoke(
                AgentRequest(
                    organisation_id=ctx.run.organisation_id,
                    agent=asked,
                    version=None if ctx.alternative else settings.version,
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
