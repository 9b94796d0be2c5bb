"""Ask an agent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field, field_validator

from agents.errors import AgentError
from agents.invocation import AgentRequest, invoke, is_pure
from agents.sharing import SharedContext, granted, key_fault
from orchestration.definition.fields import Late, Literal, NodeSettings
from orchestration.engine.states import SharedEntry
from orchestration.nodes.base import Context, Done, NodeFailure, NodeType, Result, register

JSON = Any


class Grants(BaseModel):
    """What the agent may read and write of the run's shared context. Keys are such as customer or draft/2."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    read: tuple[Literal, ...] = Field(
        (), title="Reads", description="Keys it is given; draft/* is all that begin so. What it wrote itself it sees."
    )
    write: dict[str, Late] = Field(
        default_factory=dict,
        title="Writes",
        description="From its answer, by key: an expression over outputs, such as {{ outputs.summary }}.",
    )
    may_write: tuple[Literal, ...] = Field(
        (), title="May write", description="Keys a function may write by itself while it works; draft/* as above."
    )

    @field_validator("read", "may_write")
    @classmethod
    def _patterns(cls, patterns: tuple[str, ...]) -> tuple[str, ...]:
        if fault := next(filter(None, (key_fault(one, pattern=True) for one in patterns)), ""):
            raise ValueError(fault)
        return patterns

    @field_validator("write", mode="before")
    @classmethod
    def _says_what(cls, write: JSON) -> JSON:
        if isinstance(write, list | tuple):
            raise ValueError(
                'context.write says what goes into each key: {"summary": "{{ outputs.summary }}"}. Keys that a '
                "function writes by itself are listed in may_write"
            )
        return write

    @field_validator("write")
    @classmethod
    def _keys(cls, write: dict[str, str]) -> dict[str, str]:
        if fault := next(filter(None, map(key_fault, write)), ""):
            raise ValueError(fault)
        return write


_NO_GRANTS = Grants()


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
    context: Grants | None = Field(
        None, title="Shared context", description="What it may read and write of the run's shared context."
    )


@register
class Agent(NodeType):
    """Call an agent of the catalogue. Outputs: what its output contract names."""

    kind, label, icon, category = "agent", "Agent", "robot", "agents"
    description = "Gives work to an agent and passes on its answer."
    effect = "asks an agent, which costs money"
    Settings = AgentSettings
    calls_are_recorded = True
    late_names: ClassVar[frozenset[str] | None] = frozenset({"outputs"})

    def reads_shared(self, settings: AgentSettings, entries: Mapping[str, SharedEntry]) -> list[str]:
        """What is granted, and what this agent has written itself."""
        read = settings.context.read if settings.context else ()
        return [key for key, entry in entries.items() if entry.agent == settings.agent or granted(read, key)]

    async def is_pure(self, ctx: Context) -> bool:
        return await is_pure(ctx.run.organisation_id, *_asked(ctx), ctx.run_started_at)

    async def execute(self, ctx: Context) -> Result:
        settings: AgentSettings = ctx.settings
        grants = settings.context or _NO_GRANTS
        asked, version = _asked(ctx)
        try:
            reply = await invoke(
                AgentRequest(
                    organisation_id=ctx.run.organisation_id,
                    agent=asked,
                    version=version,
                    as_of=ctx.run_started_at,
                    inputs=settings.inputs,
                    shared=SharedContext(ctx.shared, grants.may_write, asked),
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
        shared = {**reply.shared, **_from_outputs(grants, reply.outputs)} if grants.write else reply.shared
        return Done(outputs=reply.outputs, usage=reply.usage, shared=shared or None)

    def output_schema(self, settings: Mapping[str, JSON]) -> dict[str, JSON] | None:
        """Not known here: it needs the registry, which validation asks by itself."""
        return None


def _asked(ctx: Context) -> tuple[str, int | None]:
    """The agent and the version it is pinned to, if any. Alternatives are not pinned."""
    settings: AgentSettings = ctx.settings
    if ctx.alternative:
        return settings.alternatives[ctx.alternative - 1], None
    return settings.agent, settings.version


def _from_outputs(grants: Grants, outputs: Mapping[str, JSON]) -> dict[str, JSON]:
    """Raises NodeFailure with the place in the settings."""
    from orchestration.expressions import ExpressionError, evaluate_late  # the expressions know the node types

    found = {}
    for key, source in grants.write.items():
        try:
            found[key] = evaluate_late(source, {"outputs": outputs})
        except ExpressionError as error:
            detail = {"reason": error.code, "source": error.source, "position": error.position}
            raise NodeFailure(f"context.write.{key}: {error.message}", code="expression", detail=detail) from None
    return found
