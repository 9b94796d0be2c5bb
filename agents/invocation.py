"""Running an agent once: load, check what goes in, call its kind within the time, check what comes out.

Called by the engine's agent node, in the engine's process; retrying is the engine's business, not ours, and so is how
many calls go on at once (`orchestration.driving.places`). It reads:
*find the version; refuse wrong input; do the work before the deadline; refuse a wrong answer.*
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import field
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from pydantic import ValidationError

from agents import snapshots
from agents.contracts import Fault, data_faults, is_small
from agents.errors import AgentError
from agents.kinds.base import AgentKind, KindCall, KindReply, agent_kind, config_faults
from agents.quick_check import surely_fits
from agents.sharing import SharedContext
from agents.snapshots import AgentSnapshot
from portal.core import clock
from portal.core.records import record

JSON = Any
_MOST_VALUES_AT_ONCE = 1000
_MOST_PREPARED = 500


@record
class AgentRequest:
    """version None: the latest, or with `as_of` the one that was the latest then, so that a run keeps the versions it
    began with. snapshot: run exactly this instead of a published version."""

    organisation_id: int
    agent: str
    inputs: Mapping[str, JSON]
    idempotency_key: str
    shared: SharedContext = field(default_factory=SharedContext)
    version: int | None = None
    as_of: datetime | None = None
    deadline: datetime | None = None
    attempt: int = 1
    emit: Callable[[str], None] = field(repr=False, default=lambda text: None)
    snapshot: AgentSnapshot | None = None


@record
class AgentReply:
    """usage: {"cost_usd": float, "input_tokens": int, "output_tokens": int, "model": str, "agent": str,
    "agent_version": int}; the last two always, the others where they are known."""

    outputs: dict[str, JSON]
    usage: dict[str, JSON]
    shared: dict[str, JSON] = field(default_factory=dict)
    """What it wrote to the shared context while it worked."""


async def invoke(request: AgentRequest) -> AgentReply:
    """Raises AgentError; every one carries at least agent and agent_version in `usage` once the version is known.

    Codes of its own: agent_unknown, agent_offline, agent_unpublished, invalid_config, invalid_input,
    timeout, invalid_output. The kind adds its own.
    """
    agent = request.snapshot or await snapshots.load(
        request.organisation_id, request.agent, request.version, request.as_of
    )
    who = {"agent": agent.slug, "agent_version": agent.number}
    try:
        reply = await _run(agent, request)
    except AgentError as error:
        error.usage = {**(error.usage or {}), **who}
        error.retry = dict(agent.retry)
        raise
    return AgentReply(outputs=reply.outputs, usage={**_cost(agent, reply), **who}, shared=dict(request.shared.written))


async def is_pure(organisation_id: int, agent: str, version: int | None = None, as_of: datetime | None = None) -> bool:
    """Whether a call has no effect outside of its answer. False for an agent that cannot be called at all."""
    try:
        found = await snapshots.load(organisation_id, agent, version, as_of)
        kind, config = _prepared(found)
    except AgentError:  # calling it will say why
        return False
    return kind.is_pure(config)


async def _run(agent: AgentSnapshot, request: AgentRequest) -> KindReply:
    kind, config = _prepared(agent)
    inputs = dict(request.inputs)
    _refuse(await _faults(agent.input_schema, inputs), f"The input of “{agent.name}” is not right", "invalid_input")
    deadline = _deadline(agent, request)
    call = KindCall(
        organisation_id=request.organisation_id,
        agent=agent.slug,
        version=agent.number,
        config=config,
        inputs=inputs,
        shared=request.shared,
        output_schema=agent.output_schema,
        idempotency_key=request.idempotency_key,
        deadline=deadline,
        attempt=request.attempt,
        emit=request.emit,
        hints=agent.hints,
    )
    reply = await _within(deadline, kind, call, agent)
    faults = await _faults(agent.output_schema, reply.outputs)
    _refuse(
        faults, f"The answer of “{agent.name}” does not keep its contract", "invalid_output", usage=dict(reply.usage)
    )
    return reply


@lru_cache(maxsize=_MOST_PREPARED)
def _prepared(agent: AgentSnapshot) -> tuple[AgentKind, Any]:
    """The agent's kind and its settings as the kind knows them. Raises AgentError (which is not kept)."""
    try:
        kind = agent_kind(agent.kind)
    except KeyError:
        raise AgentError(
            f"“{agent.name}” is of the kind “{agent.kind}”, which is not installed.", code="invalid_config"
        ) from None
    try:
        return kind, kind.Config.model_validate(agent.config)
    except ValidationError:
        faults = config_faults(kind, agent.config)
        raise _error(faults, f"The settings of “{agent.name}” are not right", "invalid_config") from None


def _deadline(agent: AgentSnapshot, request: AgentRequest) -> datetime:
    own = clock.now() + timedelta(seconds=agent.timeout_seconds)
    return min(own, request.deadline) if request.deadline else own


async def _within(deadline: datetime, kind: AgentKind, call: KindCall, agent: AgentSnapshot) -> KindReply:
    seconds = max(0.0, (deadline - clock.now()).total_seconds())
    try:
        async with asyncio.timeout(seconds):
            return await kind.run(call)
    except TimeoutError:
        raise AgentError(
            f"“{agent.name}” did not answer in time (limit {agent.timeout_seconds} s, or what the run had left).",
            code="timeout",
            retryable=True,
        ) from None


async def _faults(schema: Mapping[str, JSON], data: JSON) -> list[Fault]:
    """Checking takes some 20 µs a value: much data is checked in a thread, so that the host's other runs go on."""
    if surely_fits(schema, data):
        return []
    if is_small(data, _MOST_VALUES_AT_ONCE):
        return data_faults(schema, data)
    return await asyncio.to_thread(data_faults, schema, data)


def _refuse(faults: list[Fault], sentence: str, code: str, usage: dict[str, JSON] | None = None) -> None:
    if faults:
        raise _error(faults, sentence, code, usage)


def _error(faults: list[Fault], sentence: str, code: str, usage: dict[str, JSON] | None = None) -> AgentError:
    more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
    detail = {"faults": [fault.as_json() for fault in faults]}
    # A model may do better the next time; wrong input and wrong settings stay wrong.
    return AgentError(
        f"{sentence}: {faults[0]}{more}.", code=code, retryable=code == "invalid_output", detail=detail, usage=usage
    )


def _cost(agent: AgentSnapshot, reply: KindReply) -> dict[str, JSON]:
    """What the kind measured; where it measures no cost, the agent's stated cost of a run."""
    if reply.usage.get("cost_usd") is not None or agent.cost_per_run_usd is None:
        return dict(reply.usage)
    return {**reply.usage, "cost_usd": agent.cost_per_run_usd}
