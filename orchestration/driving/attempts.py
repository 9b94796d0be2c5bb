"""An attempt: the node type does its work, and whatever comes of it is an event.

Also what the node does wrong comes out as an event; only bugs of the engine itself are exceptions.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from typing import Any

import structlog

from orchestration.driving.checks import check_variables
from orchestration.driving.clock import DatabaseClock
from orchestration.driving.effects import AttemptRecorder, Ledger
from orchestration.driving.failures import bug
from orchestration.driving.patience import AWAY, database_back
from orchestration.driving.pen import Recorded
from orchestration.driving.values import RunValues
from orchestration.engine import errors
from orchestration.engine.events import (
    AttemptAbandoned,
    AttemptFailed,
    LoopOpened,
    NodeEvent,
    NodeSucceeded,
    NodeWaiting,
)
from orchestration.engine.frontier import last_deadline
from orchestration.engine.ids import Key
from orchestration.engine.nodes import Node
from orchestration.engine.states import RunState
from orchestration.nodes.base import Context, Done, NodeFailure, NodeType, OpenLoop, Result, RunFacts, Wait
from orchestration.store.errors import StoreError
from portal.core.effects import recording

log = structlog.get_logger(__name__)

JSON = Any


class Attempts:
    """Of one run."""

    def __init__(
        self, state: RunState, facts: RunFacts, values: RunValues, clock: DatabaseClock, ledger: Ledger
    ) -> None:
        self.state, self.facts, self.values, self.clock, self.ledger = state, facts, values, clock, ledger
        self._outside = set[Key]()
        """Whose work may be felt outside of the run."""

    async def attempt(self, kind: NodeType, spec: Node, context: Context, recorded: Recorded) -> NodeEvent:
        """What has effects outside of the run begins when its beginning is on the disk; the rest need not wait."""
        if spec.delivery == "at_most_once" or not await _is_pure(kind, context):
            self._outside.add((context.node, context.path))
            await recorded.wait()
        return await self.outcome(kind, spec, context, partial(kind.execute, context), recorded)

    def were_outside(self, ended: Sequence[NodeEvent]) -> bool:
        """Whether one of these attempts, which have ended, would be felt outside if it had to be made again."""
        found = self._outside.intersection(event.key for event in ended)
        self._outside -= found
        return bool(found)

    async def outcome(
        self,
        kind: NodeType,
        spec: Node,
        context: Context,
        work: Callable[[], Awaitable[Result]],
        recorded: Recorded | None = None,
    ) -> NodeEvent:
        """Let the node work, and say in an event what came of it. Raises LeaseLost if it may make no call."""
        recorder = self.ledger.of(context, recorded)
        try:
            with recording(recorder):
                event = await self._patiently(kind, spec, context, work, recorder)
        finally:
            recorder.close()
        return replace(event, acted=recorder.acted) if isinstance(event, AttemptFailed) else event

    async def _patiently(
        self,
        kind: NodeType,
        spec: Node,
        context: Context,
        work: Callable[[], Awaitable[Result]],
        recorder: AttemptRecorder,
    ) -> NodeEvent:
        """The database may go away under a node: what had no effect outside simply begins again."""
        while True:
            try:
                return await self._tried(kind, spec, context, work)
            except AWAY as error:
                await database_back(error)
            if recorder.acted:
                return AttemptAbandoned(
                    at=self.clock.now(),
                    node=context.node,
                    path=context.path,
                    attempt=context.attempt,
                    acted=recorder.acted,
                )

    async def _tried(
        self, kind: NodeType, spec: Node, context: Context, work: Callable[[], Awaitable[Result]]
    ) -> NodeEvent:
        key = (context.node, context.path)
        seconds = self._seconds(spec, key)
        limit = None if seconds is None else asyncio.timeout(seconds)
        try:
            async with limit or nullcontext():
                result = await work()
            made: JSON = None
            if isinstance(result, Done):
                made = [result.outputs, result.variables, result.shared]
            elif isinstance(result, OpenLoop):
                made = result.items
            elif isinstance(result, Wait):
                made = result.data
            return await self.values.keep(made, lambda values: self._event(kind, key, result, values))
        except TimeoutError as error:
            if limit is not None and limit.expired():
                return AttemptFailed(
                    at=self.clock.now(),
                    node=context.node,
                    path=context.path,
                    attempt=context.attempt,
                    error=errors.timeout(spec.timeout_seconds or spec.total_timeout_seconds or 0),
                )
            return self.failed(key, context.attempt, bug(kind, error))
        except NodeFailure as failure:
            return self.failed(key, context.attempt, failure)
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            return self.failed(key, context.attempt, bug(kind, error))  # the node cancelled itself
        except (StoreError, *AWAY):
            raise
        except Exception as error:
            log.error(
                "a node type has a bug", kind=kind.kind, run=str(self.facts.id), node=context.node, exc_info=error
            )
            return self.failed(key, context.attempt, bug(kind, error))

    def _seconds(self, spec: Node, key: Key) -> float | None:
        """How long it may work now: its own time, or what is left of that of all attempts together."""
        last = last_deadline(spec, self.state.node(key))
        given = [spec.timeout_seconds, max(0.0, self.clock.seconds_until(last)) if last else None]
        return min((seconds for seconds in given if seconds is not None), default=None)

    def _event(self, kind: NodeType, key: Key, result: Result, values: RunValues) -> NodeEvent:
        """Raises NodeFailure for what is not JSON or too large."""
        node, path = key
        now = self.clock.now()
        match result:
            case Done(outputs=outputs, port=port, usage=usage, variables=variables, shared=shared):
                if variables:
                    check_variables(self.state.graph, variables)
                kept, kept_usage = values.kept_answer(outputs, usage)
                return NodeSucceeded(
                    at=now,
                    node=node,
                    path=path,
                    outputs=kept,
                    port=port,
                    usage=kept_usage,
                    variables=values.kept_members(variables) if variables else None,
                    shared=values.kept_members(shared) if shared else None,
                )
            case Wait(reason=reason, until=until, data=data, below=below):
                return NodeWaiting(
                    at=now,
                    node=node,
                    path=path,
                    reason=reason,
                    until=until,
                    data=values.kept_report(data),
                    below=below,
                )
            case OpenLoop(items=items, limit=limit, most=most) if kind.container:
                kept = values.kept_items(list(items))
                return LoopOpened(at=now, node=node, path=path, items=kept, limit=limit, most=most)
        raise TypeError(f"{kind.kind} answered {type(result).__name__}, which is not for it to answer")

    def failed(self, key: Key, attempt: int, failure: NodeFailure) -> AttemptFailed:
        node, path = key
        error = self.values.kept_report(failure.as_json())
        return AttemptFailed(
            at=self.clock.now(), node=node, path=path, attempt=attempt, error=error, usage=failure.usage
        )


async def _is_pure(kind: NodeType, context: Context) -> bool:
    try:
        return await kind.is_pure(context)
    except AWAY:  # then it waits for its commit, which waits for the database
        return False
