"""One turn of a run: the events that have come to be true and are not written yet, and the rows that follow from them.

Each event is applied to the state at once; `checkpoint` turns all of them into one commit.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import Any

from orchestration.driving import progress
from orchestration.driving.pen import Recorded
from orchestration.engine.apply import apply
from orchestration.engine.events import (
    AttemptFailed,
    ErrorHandled,
    Event,
    IterationStarted,
    LoopBroken,
    LoopOpened,
    NodeEvent,
    NodeStarted,
    NodeSucceeded,
    RunMoved,
    RunRetried,
    RunStarted,
)
from orchestration.engine.ids import Key, NodeId, path_text
from orchestration.engine.nodes import Node
from orchestration.engine.reopening import reopened_by_retry
from orchestration.engine.states import NodeRunState, RunState
from orchestration.engine.statuses import NodeStatus
from orchestration.nodes.base import NodeType, RunFacts, known_type, node_type
from orchestration.nodes.commit_hooks import hooks_of
from orchestration.store.checkpoints import Checkpoint, Hooked, LetGo, NodeRunRow, RunRow
from orchestration.store.effects import EffectEnded
from orchestration.store.leases import Lease

JSON = Any

# An attempt that begins, or is found cut off, is no progress: a node that kills its host would make it for ever.
_NO_PROGRESS = frozenset(
    {"RunStarted", "NodeStarted", "AttemptAbandoned", "NodeResumed", "RetryScheduled", "SignalIgnored"}
)
MOST_EVENTS = 500
"""After so many events in one go (a long loop of quick nodes) they are written before it goes on."""
AHEAD_SECONDS = 0.02
"""So long what ends at once is taken along before a commit begins: a commit costs as much as some steps."""
_SUMMED = ("cost_usd", "input_tokens", "output_tokens")


class Rows:
    """What events come to: the state, and the rows that follow from it. Counts of nodes go on from those given."""

    def __init__(self, state: RunState, *, total: int, ended: int) -> None:
        self.state = state
        self._total, self._ended = total, ended
        self._clear()

    def _clear(self) -> None:
        self.events: list[Event] = []
        self._begun_at = 0.0
        self.urgent = False
        """It says what should not have to be done once more."""
        self._progress = False
        self._touched: dict[Key, tuple[Node, NodeRunState]] = {}
        """As they were when they were touched: the state drops bodies that have ended, a move drops nodes."""
        self._types: dict[str, str] = {}
        self._inputs: dict[Key, JSON] = {}
        self._usage: dict[Key, dict[str, JSON]] = {}
        self._spent: dict[str, float] = dict.fromkeys(_SUMMED, 0)

    def apply(self, events: Iterable[Event]) -> None:
        """Raises IllegalEvent, which is a bug of whoever made the event."""
        if not self.events:
            self._begun_at = time.monotonic()
        for event in events:
            self._apply(event)

    def _apply(self, event: Event) -> None:
        if isinstance(event, NodeEvent):
            was = self.state.node(event.key).status.ended
            apply(self.state, event)
            self._note(event, was)
        elif isinstance(event, RunRetried):
            self._reopen(event)
        elif isinstance(event, RunStarted | RunMoved):
            self._begin(event)
        else:
            apply(self.state, event)
        self.events.append(event)
        self._progress = self._progress or type(event).__name__ not in _NO_PROGRESS

    def _note(self, event: NodeEvent, was_ended: bool) -> None:
        key = event.key
        node_run = self.state.node(key)
        self._types[event.node] = self.state.graph.nodes[event.node].type
        if event.node not in self.state.graph.compensators:
            self._ended += node_run.status.ended - was_ended
        if isinstance(event, NodeStarted):
            self._inputs[key] = event.inputs
        if isinstance(event, LoopOpened):
            self._total += self._size(event.node) * len(event.items)
        if isinstance(event, IterationStarted) and node_run.loop and node_run.loop.repeats:
            self._total += self._size(event.node)
        if isinstance(event, ErrorHandled) and event.path:
            self._total += len(self.state.graph.handling[self.state.graph.nodes[event.node].parent])
        if isinstance(event, LoopBroken) and node_run.loop and not node_run.loop.repeats:
            self._total -= self._size(event.node) * (len(node_run.loop.items) - node_run.loop.started)
        if isinstance(event, NodeSucceeded | AttemptFailed) and event.usage:
            self._spend(key, event.usage)
        self._touch(key, node_run)

    def _size(self, loop: NodeId) -> int:
        return len(self.state.graph.flow.get(loop, ()))

    def _begin(self, event: RunStarted | RunMoved) -> None:
        """A re-run begins with results taken over; a moved run counts the nodes of its other version."""
        total, ended = progress.known(self.state), progress.ended(self.state)
        apply(self.state, event)
        if isinstance(event, RunMoved):
            self._count_anew(total, ended)
            return
        self._ended += progress.ended(self.state)
        for key, node_run in self.state.nodes.items():
            self._touch(key, node_run)

    def _reopen(self, event: RunRetried) -> None:
        opened = reopened_by_retry(self.state)
        total, ended = progress.known(self.state), progress.ended(self.state)
        apply(self.state, event)
        self._count_anew(total, ended)
        for key in opened:
            self._touch(key, self.state.node(key))

    def _count_anew(self, known: int, ended: int) -> None:
        """What the state has to say was so much before. Of iterations that have been dropped it does not know all, so
        this may be out a little; but no more has ever ended than there is, and what is left fits."""
        self._ended = max(0, self._ended + progress.ended(self.state) - ended)
        self._total = max(self._total + progress.known(self.state) - known, self._ended + progress.left(self.state))

    def _spend(self, key: Key, usage: dict[str, JSON]) -> None:
        sums = self._usage.setdefault(key, {})
        for name, value in usage.items():
            sums[name] = (sums.get(name) or 0) + (value or 0) if name in _SUMMED and value is not None else value
        for name in _SUMMED:
            self._spent[name] += usage.get(name) or 0

    def _touch(self, key: Key, node_run: NodeRunState) -> None:
        self._touched[key] = (self.state.graph.nodes[key[0]], node_run)

    def _row(self, key: Key, spec: Node, node_run: NodeRunState) -> NodeRunRow:
        node, path = key
        waiting = node_run.status in (NodeStatus.WAITING, NodeStatus.RETRYING)
        return NodeRunRow(
            node=node,
            path=path_text(path),
            type=spec.type,
            name=spec.name,
            status=str(node_run.status),
            attempts=node_run.attempt,
            port=node_run.port,
            inputs=self._inputs.get(key),
            outputs=node_run.outputs,
            error=node_run.error,
            waiting=_waiting(node_run) if waiting else None,
            usage=self._usage.get(key),
            started_at=node_run.started_at,
            ended_at=node_run.ended_at,
        )

    def run_row(self) -> RunRow:
        state = self.state
        return RunRow(
            status=str(state.status),
            outputs=state.outputs,
            error=state.error,
            nodes_total=self._total,
            nodes_ended=self._ended,
            cost_usd=self._spent["cost_usd"],
            input_tokens=int(self._spent["input_tokens"]),
            output_tokens=int(self._spent["output_tokens"]),
            started_at=state.started_at,
            ended_at=state.ended_at,
        )

    def node_runs(self) -> list[NodeRunRow]:
        return [self._row(key, spec, node_run) for key, (spec, node_run) in self._touched.items()]


class Turn(Rows):
    """`state` is shared with the driver."""

    def __init__(self, lease: Lease, state: RunState) -> None:
        super().__init__(state, total=lease.nodes_total, ended=lease.nodes_ended)
        self._lease = lease
        self._recorded = Recorded()

    def _clear(self) -> None:
        super()._clear()
        self._before = self.state.seq
        self.signals: list[int] = []

    @property
    def recorded(self) -> Recorded:
        """Set when what is true by now has been written."""
        return self._recorded

    def take_recorded(self) -> Recorded:
        """For whoever writes the checkpoint."""
        recorded, self._recorded = self._recorded, Recorded()
        return recorded

    @property
    def empty(self) -> bool:
        return not self.events and not self.signals

    @property
    def full(self) -> bool:
        return len(self.events) >= MOST_EVENTS

    @property
    def may_grow(self) -> bool:
        """Nobody waits for it to be written, nobody would feel its loss, and it is neither long nor old."""
        return not (
            self.full or self.urgent or self._recorded.wanted or time.monotonic() - self._begun_at > AHEAD_SECONDS
        )

    def checkpoint(
        self, facts: RunFacts, let_go: LetGo | None = None, effects_ended: Sequence[EffectEnded] = ()
    ) -> Checkpoint:
        """Everything since the last one. The turn begins anew."""
        made = Checkpoint(
            lease=self._lease,
            before=self._before,
            run=self.run_row(),
            events=self.events,
            node_runs=self.node_runs(),
            signals=self.signals,
            progress=self._progress,
            let_go=let_go,
            hooks=self._hooks(facts),
            effects_ended=effects_ended,
        )
        self._clear()
        return made

    def _hooks(self, facts: RunFacts) -> list[Hooked]:
        """Those of node types for the events of their own nodes, then those of anybody."""
        own: dict[str, list[NodeEvent]] = {}
        for event in self.events:
            if isinstance(event, NodeEvent):
                kind = known_type(self._types[event.node])
                if kind is not None and type(kind).in_commit is not NodeType.in_commit:
                    own.setdefault(kind.kind, []).append(event)
        of_types = [(node_type(kind), events) for kind, events in own.items()]
        return [
            *(Hooked(kind.in_commit, facts, events, kind.commits_alone(events)) for kind, events in of_types),
            *(Hooked(found.hook, facts, events, found.alone) for found, events in hooks_of(facts, self.events).items()),
        ]


def _waiting(node_run: NodeRunState) -> JSON:
    return {
        "reason": node_run.waiting_for or "retry",
        "until": node_run.until.isoformat() if node_run.until else None,
        "data": node_run.wait_data,
    }
