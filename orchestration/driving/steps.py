"""Carrying out the planner's commands: each becomes events; some become attempts that begin once they are written.

Types that say they are `inline` (and every `resume`) run here, between two commits, so that their beginning and their
end are one commit. Whatever a node does wrong comes out as an event; only bugs of the engine itself are exceptions.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any

import structlog

from orchestration.driving.branches import combined
from orchestration.driving.checks import check_variables
from orchestration.driving.clock import DatabaseClock
from orchestration.driving.edits import with_secrets
from orchestration.driving.effects import AttemptRecorder, Ledger
from orchestration.driving.patience import AWAY, database_back
from orchestration.driving.pen import Recorded
from orchestration.driving.running import Running
from orchestration.driving.scope import Scope
from orchestration.driving.turn import Turn
from orchestration.driving.values import RunValues, inline_bytes_of_results
from orchestration.engine import errors, loops
from orchestration.engine.commands import (
    CheckCondition,
    Command,
    CompleteRun,
    EndIteration,
    Record,
    ResumeNode,
    StartNode,
    StopNode,
)
from orchestration.engine.events import (
    AttemptAbandoned,
    AttemptFailed,
    Event,
    IterationEnded,
    IterationStarted,
    LoopClosed,
    LoopOpened,
    NodeCancelled,
    NodeEvent,
    NodeOverridden,
    NodeResumed,
    NodeSkipped,
    NodeStarted,
    NodeSucceeded,
    NodeWaiting,
    RunCompleted,
    RunFailed,
)
from orchestration.engine.frontier import deadline, last_deadline
from orchestration.engine.ids import Key, Path, path_text
from orchestration.engine.nodes import Node
from orchestration.engine.saga import round_of
from orchestration.engine.sharing import visible
from orchestration.expressions import ExpressionError, Reference, evaluate_late, resolve, resolve_settings
from orchestration.expressions.settings import references, validated
from orchestration.expressions.templates import references_in, references_of_late
from orchestration.live import Live
from orchestration.nodes.base import Context, Done, NodeFailure, NodeType, OpenLoop, Result, RunFacts, Wait, node_type
from orchestration.nodes.condition import not_a_truth_value
from orchestration.nodes.loop import BREAK_RESULT
from orchestration.store.errors import StoreError
from orchestration.values.keeper import Keeper
from portal.core.effects import recording

log = structlog.get_logger(__name__)

JSON = Any


class Steps:
    """Of one run."""

    def __init__(
        self,
        turn: Turn,
        facts: RunFacts,
        running: Running,
        clock: DatabaseClock,
        live: Live,
        keeper: Keeper,
        ledger: Ledger,
    ) -> None:
        self.turn, self.state, self.facts = turn, turn.state, facts
        self.running, self.clock, self.live, self.ledger = running, clock, live, ledger
        self.values = RunValues(keeper, facts)

    async def carry_out(self, command: Command) -> None:
        match command:
            case Record(NodeSucceeded(outputs=outputs) as event):  # a loop's results, which the engine put together
                self.turn.apply([replace(event, outputs=self.values.split(outputs))])
            case Record(event):
                self.turn.apply([event])
            case StartNode(node, path, attempt):
                await self._start((node, path), attempt)
            case ResumeNode(node, path, signal):
                await self.resume(NodeResumed(at=self.clock.now(), node=node, path=path, signal=signal))
            case StopNode(node, path, reason):
                self._stop((node, path), reason)
            case EndIteration(node, path, index):
                self.turn.apply([await self._end_iteration(node, path, index)])
            case CheckCondition(node, path, index):
                self.turn.apply([await self._check(node, path, index)])
            case CompleteRun():
                self.turn.apply([await self._complete()])

    # -- nodes --------------------------------------------------------------------------------------------------------

    async def _start(self, key: Key, attempt: int) -> None:
        node, path = key
        spec, now = self.state.graph.nodes[node], self.clock.now()
        try:
            kind = node_type(spec.type)
            settings = await self._settings(kind, spec, key)
        except (NodeFailure, KeyError) as error:
            failure = error if isinstance(error, NodeFailure) else _unknown_type(spec)
            self.turn.apply(
                [NodeStarted(at=now, node=node, path=path, attempt=attempt, inputs=self._shown(spec.settings))]
            )
            self.turn.apply([self._failed(key, attempt, failure)])
            return
        entries = visible(self.state, self.state.scope_of(key))
        shared = {name: entries[name].value for name in kind.reads_shared(settings, entries)} if entries else {}
        shown = self._shown(settings.model_dump(mode="json"))
        if shared and shown is not None:
            shown["shared"] = shared
        self.turn.apply([NodeStarted(at=now, node=node, path=path, attempt=attempt, inputs=shown)])
        try:
            context = await self._context(kind, spec, key, attempt, settings, now, shared=shared)
        except NodeFailure as failure:
            self.turn.apply([self._failed(key, attempt, failure)])
            return
        if kind.inline:
            self.turn.apply([await self._outcome(kind, spec, context, partial(kind.execute, context))])
        else:
            self.running.start(key, self._attempt(kind, spec, context, self.turn.recorded))

    async def resume(self, resumed: NodeResumed) -> None:
        """Hand a waiting node its signal, or tell it that its time has come."""
        key = resumed.key
        node_run, spec = self.state.node(key), self.state.graph.nodes[resumed.node]
        data, attempt = node_run.wait_data, node_run.attempt
        self.turn.apply([resumed])
        kind = node_type(spec.type)
        try:
            settings = await self._settings(kind, spec, key)
            data, signal = await self.values.whole(data), await self.values.whole(resumed.signal)
            begun_at = node_run.attempt_started_at or resumed.at
            context = await self._context(kind, spec, key, attempt, settings, begun_at, data)
        except NodeFailure as failure:
            self.turn.apply([self._failed(key, attempt, failure)])
            return
        self.turn.apply([await self._outcome(kind, spec, context, partial(kind.resume, context, signal))])

    def tell(self, event: Event) -> None:
        """Write down what a signal amounts to. If it ends a node run, work on it is stopped."""
        if isinstance(event, NodeCancelled | NodeSkipped | NodeOverridden):
            self.running.stop(event.key)
        self.turn.apply([event])

    def _stop(self, key: Key, reason: str) -> None:
        self.tell(NodeCancelled(at=self.clock.now(), node=key[0], path=key[1], reason=reason))

    async def _settings(self, kind: NodeType, spec: Node, key: Key) -> Any:
        """Resolved, or as a person has edited them. Raises NodeFailure."""
        edited = self.state.node(key).edited
        if edited is None:
            return await self._resolved(kind, spec, key)
        try:
            resolved = (await self._resolved(kind, spec, key)).model_dump(mode="json")
        except NodeFailure:  # may be what was to be mended
            resolved = None
        try:
            return validated(kind.Settings, with_secrets(await self.values.whole(edited), resolved))
        except ExpressionError as error:
            raise _failure_of(error) from None

    async def _resolved(self, kind: NodeType, spec: Node, key: Key) -> Any:
        """Raises NodeFailure."""
        scope = Scope(self.state, self.facts, self.state.scope_of(key), spec.id)
        seen = await self._whole(scope, lambda: references(kind.Settings, spec.settings))
        try:
            return resolve_settings(kind, spec.settings, seen)
        except ExpressionError as error:
            raise _failure_of(error) from None

    async def _whole(self, scope: Scope, read: Callable[[], Iterable[Reference]]) -> Mapping[str, JSON]:
        """The scope with the large values that are read. Raises NodeFailure."""
        return await self.values.scope(scope, read()) if self.values.involved else scope

    def _shown(self, settings: JSON) -> JSON:
        """Settings as the history shows them."""
        try:
            return self.values.kept_members(settings)
        except NodeFailure:
            return None  # not JSON; the node itself may do with it

    async def _combined(self, spec: Node, key: Key) -> JSON:
        """What a join makes of its branches. Raises NodeFailure."""
        combine = spec.join.combine
        if combine in ("object", "list"):
            return await self.values.whole(combined(self.state, *key))
        scope = Scope(self.state, self.facts, self.state.scope_of(key), spec.id)
        try:
            return resolve(combine, await self._whole(scope, lambda: references_in(combine)))
        except ExpressionError as error:
            raise _failure_of(error, "combine: ") from None

    async def _context(
        self,
        kind: NodeType,
        spec: Node,
        key: Key,
        attempt: int,
        settings: Any,
        begun_at: datetime,
        wait_data: JSON = None,
        shared: Mapping[str, JSON] | None = None,
    ) -> Context:
        node, path = key
        node_run = self.state.node(key)
        where = f"/{path_text(path)}" if path else ""
        again = round_of(self.state, key)
        limit = deadline(spec, node_run)
        return Context(
            run=self.facts,
            node=node,
            path=path,
            name=spec.name,
            attempt=attempt,
            alternative=node_run.alternative,
            settings=settings,
            started_at=begun_at,
            run_started_at=self.state.started_at,
            deadline=self.clock.by_own(limit) if limit else None,
            idempotency_key=f"{self.facts.id}/{node}{where}" + (f"/again-{again}" if again else ""),
            emit=partial(self.live.stream, self.facts.id, node, path_text(path), attempt),
            wait_data=wait_data,
            shared=await self.values.whole(dict(shared)) if shared else {},
            combined=await self._combined(spec, key) if kind.combines else None,
        )

    async def _attempt(self, kind: NodeType, spec: Node, context: Context, recorded: Recorded) -> NodeEvent:
        """What has effects outside of the run begins when its beginning is on the disk; the rest need not wait."""
        if spec.delivery == "at_most_once" or not await _is_pure(kind, context):
            await recorded.wait()
        return await self._outcome(kind, spec, context, partial(kind.execute, context), recorded)

    async def _outcome(
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
        try:
            async with asyncio.timeout(seconds) as limit:
                result = await work()
            made = [result.outputs, result.variables, result.shared] if isinstance(result, Done) else None
            return await self.values.keep(made, lambda values: self._event(kind, key, result, values))
        except TimeoutError as error:
            if limit.expired():
                return AttemptFailed(
                    at=self.clock.now(),
                    node=context.node,
                    path=context.path,
                    attempt=context.attempt,
                    error=errors.timeout(spec.timeout_seconds or spec.total_timeout_seconds or 0),
                )
            return self._failed(key, context.attempt, _bug(kind, error))
        except NodeFailure as failure:
            return self._failed(key, context.attempt, failure)
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            return self._failed(key, context.attempt, _bug(kind, error))  # the node cancelled itself
        except (StoreError, *AWAY):
            raise
        except Exception as error:
            log.error(
                "a node type has a bug", kind=kind.kind, run=str(self.facts.id), node=context.node, exc_info=error
            )
            return self._failed(key, context.attempt, _bug(kind, error))

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
                return NodeSucceeded(
                    at=now,
                    node=node,
                    path=path,
                    outputs=values.kept(outputs),
                    port=port,
                    usage=values.kept_report(usage),
                    variables=values.kept_members(variables) if variables else None,
                    shared=values.kept_members(shared) if shared else None,
                )
            case Wait(reason=reason, until=until, data=data):
                return NodeWaiting(
                    at=now, node=node, path=path, reason=reason, until=until, data=values.kept_report(data)
                )
            case OpenLoop(items=items, limit=limit, most=most) if kind.container:
                kept = values.kept_items(list(items))
                return LoopOpened(at=now, node=node, path=path, items=kept, limit=limit, most=most)
        raise TypeError(f"{kind.kind} answered {type(result).__name__}, which is not for it to answer")

    def _failed(self, key: Key, attempt: int, failure: NodeFailure) -> AttemptFailed:
        node, path = key
        error = self.values.kept_report(failure.as_json())
        return AttemptFailed(
            at=self.clock.now(), node=node, path=path, attempt=attempt, error=error, usage=failure.usage
        )

    # -- what bodies and the run yield ---------------------------------------------------------------------------------

    async def _check(self, node: str, path: Path, index: int) -> IterationStarted | LoopClosed:
        """Whether the loop's condition holds for one more iteration."""
        scope = Scope(self.state, self.facts, (node, (*path, index)))
        condition = str(self.state.graph.nodes[node].settings.get("while") or "")
        try:
            holds = evaluate_late(condition, await self._whole(scope, lambda: references_of_late(condition)))
            if not isinstance(holds, bool):
                raise not_a_truth_value("The condition of the loop", holds)
        except (ExpressionError, NodeFailure) as found:
            error = _error_json(found, "The condition of the loop: ")
            return LoopClosed(at=self.clock.now(), node=node, path=path, error=error)
        return loops.checked(self.state, (node, path), holds, self.clock.now())

    async def _end_iteration(self, node: str, path: Path, index: int) -> IterationEnded:
        loop, inside = self.state.nodes[node, path].loop, (*path, index)
        if loop and loop.ended_by == "break":
            return self._broken(loop.broken_by, node, path, index)
        scope = Scope(self.state, self.facts, (node, inside))
        output = self.state.graph.nodes[node].settings.get("output") or ""
        inline_bytes = inline_bytes_of_results((loop.most or len(loop.items)) if loop else 1)
        result: JSON = None
        error: JSON = None
        try:
            if output:
                seen = await self._whole(scope, lambda: references_of_late(output))
                said = evaluate_late(output, seen)
                result = await self.values.keep(said, lambda values: values.kept(said, inline_bytes=inline_bytes))
        except (ExpressionError, NodeFailure) as found:
            error = _error_json(found, "The result of the iteration: ")
        return IterationEnded(at=self.clock.now(), node=node, path=path, index=index, result=result, error=error)

    def _broken(self, source: str, node: str, path: Path, index: int) -> IterationEnded:
        """The last iteration of a loop that was broken yields what the break says."""
        said = self.state.node((source, (*path, index))).outputs
        yields = isinstance(said, dict) and BREAK_RESULT in said  # what a person overrode it with may be anything
        result = said[BREAK_RESULT] if yields else None
        return IterationEnded(at=self.clock.now(), node=node, path=path, index=index, result=result, yields=yields)

    async def _complete(self) -> RunCompleted | RunFailed:
        now = self.clock.now()
        wanted = dict(self.state.graph.outputs)
        try:
            seen = await self._whole(Scope(self.state, self.facts, (None, ())), lambda: references_in(wanted))
            said = resolve(wanted, seen)
            outputs = await self.values.keep(said, lambda values: values.kept(said))
        except (ExpressionError, NodeFailure) as found:
            return RunFailed(at=now, error=_error_json(found, "The outputs of the workflow: "))
        return RunCompleted(at=now, outputs=outputs)


async def _is_pure(kind: NodeType, context: Context) -> bool:
    try:
        return await kind.is_pure(context)
    except AWAY:  # then it waits for its commit, which waits for the database
        return False


def _failure_of(error: ExpressionError, what: str = "") -> NodeFailure:
    detail = {"reason": error.code, "source": error.source, "position": error.position}
    return NodeFailure(f"{what}{error.message}", code="expression", detail=detail)


def _error_json(error: ExpressionError | NodeFailure, what: str) -> JSON:
    failure = _failure_of(error) if isinstance(error, ExpressionError) else error
    return {**failure.as_json(), "message": f"{what}{failure.message}"}


def _unknown_type(spec: Node) -> NodeFailure:
    return NodeFailure(f"There is no node type {spec.type!r} in this installation.", code="unknown_type")


def _bug(kind: NodeType, error: BaseException) -> NodeFailure:
    message = f"The node type {kind.kind} failed unexpectedly: {type(error).__name__}: {error}"
    return NodeFailure(message[:1000], code="bug")
