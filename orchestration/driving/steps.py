"""Carrying out the planner's commands: each becomes events; some become attempts that begin once they are written.

Types that say they are `inline` (and every `resume`) run here, between two commits, so that their beginning and their
end are one commit.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from orchestration.driving.attempts import Attempts
from orchestration.driving.clock import DatabaseClock
from orchestration.driving.effects import Ledger
from orchestration.driving.failures import unknown_type
from orchestration.driving.preparing import Preparation
from orchestration.driving.results import Results
from orchestration.driving.running import Running
from orchestration.driving.turn import Turn
from orchestration.driving.values import RunValues
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
    Event,
    NodeCancelled,
    NodeOverridden,
    NodeResumed,
    NodeSkipped,
    NodeStarted,
    NodeSucceeded,
)
from orchestration.engine.ids import Key
from orchestration.engine.sharing import visible
from orchestration.live import Live
from orchestration.nodes.base import NodeFailure, RunFacts, known_type
from orchestration.values.keeper import Keeper


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
        self.turn, self.state, self.running, self.clock = turn, turn.state, running, clock
        self.values = RunValues(keeper, facts)
        self.preparation = Preparation(turn.state, facts, self.values, clock, live)
        self.attempts = Attempts(turn.state, facts, self.values, clock, ledger)
        self.results = Results(turn.state, facts, self.values, clock)

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
                self.turn.apply([await self.results.iteration_ended(node, path, index)])
            case CheckCondition(node, path, index):
                self.turn.apply([await self.results.check(node, path, index)])
            case CompleteRun():
                self.turn.apply([await self.results.completed()])

    async def _start(self, key: Key, attempt: int) -> None:
        node, path = key
        spec, now = self.state.graph.nodes[node], self.clock.now()
        try:
            kind = known_type(spec.type)
            if kind is None:
                raise unknown_type(spec)
            settings = await self.preparation.settings(kind, spec, key)
        except NodeFailure as failure:
            self.turn.apply(
                [
                    NodeStarted(
                        at=now, node=node, path=path, attempt=attempt, inputs=self.preparation.shown(spec.settings)
                    )
                ]
            )
            self.turn.apply([self.attempts.failed(key, attempt, failure)])
            return
        entries = visible(self.state, self.state.scope_of(key))
        shared = {name: entries[name].value for name in kind.reads_shared(settings, entries)} if entries else {}
        if self.preparation.loaded:
            shown = await self.preparation.much_shown(settings)
        else:
            shown = self.preparation.shown_settings(kind, spec, settings)
        if shared and shown is not None:
            shown = {**shown, "shared": shared}
        self.turn.apply([NodeStarted(at=now, node=node, path=path, attempt=attempt, inputs=shown)])
        try:
            context = await self.preparation.context(kind, spec, key, attempt, settings, now, shared=shared)
        except NodeFailure as failure:
            self.turn.apply([self.attempts.failed(key, attempt, failure)])
            return
        if kind.inline:
            self.turn.apply([await self.attempts.outcome(kind, spec, context, partial(kind.execute, context))])
        else:
            self.running.start(key, self.attempts.attempt(kind, spec, context, self.turn.recorded))

    async def resume(self, resumed: NodeResumed) -> None:
        """Hand a waiting node its signal, or tell it that its time has come."""
        key = resumed.key
        node_run, spec = self.state.node(key), self.state.graph.nodes[resumed.node]
        data, attempt = node_run.wait_data, node_run.attempt
        self.turn.apply([resumed])
        try:
            kind = known_type(spec.type)
            if kind is None:
                raise unknown_type(spec)
            settings = await self.preparation.settings(kind, spec, key)
            data, signal = await self.values.whole(data), await self.values.whole(resumed.signal)
            begun_at = node_run.attempt_started_at or resumed.at
            context = await self.preparation.context(kind, spec, key, attempt, settings, begun_at, data)
        except NodeFailure as failure:
            self.turn.apply([self.attempts.failed(key, attempt, failure)])
            return
        self.turn.apply([await self.attempts.outcome(kind, spec, context, partial(kind.resume, context, signal))])

    def tell(self, event: Event) -> None:
        """Write down what a signal amounts to. If it ends a node run, work on it is stopped."""
        if isinstance(event, NodeCancelled | NodeSkipped | NodeOverridden):
            self.running.stop(event.key)
        self.turn.apply([event])

    def _stop(self, key: Key, reason: str) -> None:
        self.tell(NodeCancelled(at=self.clock.now(), node=key[0], path=key[1], reason=reason))
