"""A driver without a world: it carries out plans, and a function of the test decides what comes of each attempt.

It keeps the log as stored rows, so that a crash forgets everything but the log and takes the run over as a new host
would. Every event passes `record`, where an account of the run that knows nothing of the planner's bookkeeping
(ledger.py) checks what must hold at any time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from orchestration.engine import events, loops
from orchestration.engine.apply import apply, apply_all, begin
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
from orchestration.engine.events import Event
from orchestration.engine.events.rows import Row, from_row, to_row
from orchestration.engine.graph import Graph
from orchestration.engine.ids import Key, path_text
from orchestration.engine.planner import abandon, next_due, plan
from orchestration.engine.signals import Signal, SignalKind, interpret
from orchestration.engine.states import RunState
from tests.engine.ledger import Ledger

BEGINNING = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
INLINE = frozenset({"branch", "parallel", "join", "break"})
MOST_ROUNDS = 10_000


def graph_of(definition: Mapping[str, Any]) -> Graph:
    return Graph.of(definition, inline=INLINE, containers=frozenset({"loop"}))


class Crash(Exception):
    """The host died right after a commit."""


@dataclass
class Simulation:
    graph: Graph
    outcome: Callable[[Simulation, Key, Any], Event] = field(
        default=lambda simulation, key, signal: simulation.done(key)
    )
    """What comes of an attempt, or of its resumption with a signal."""
    condition: Callable[[Simulation, Key, int], Event] = field(
        default=lambda simulation, key, index: loops.checked(simulation.state, key, index < 3, simulation.now)
    )
    """What comes of asking for the condition of a loop before an iteration."""
    crashes: Callable[[], bool] = lambda: False
    """Asked after every commit."""
    untouched: Callable[[Key], bool] = lambda key: False
    """Asked of each attempt that a crash has cut off: the ledger knows that it had begun no call."""
    no_place_for: Callable[[Key], bool] = lambda key: False
    """Asked of each that is to begin: it is held back until `held_back` is cleared."""
    seed: str = "run"
    now: datetime = BEGINNING
    inputs: Any = None
    log: list[Row] = field(default_factory=list)
    at_work: dict[Key, Any] = field(default_factory=dict)
    """Node runs that this host executes, with the signal they were resumed with."""
    held_back: set[Key] = field(default_factory=set)
    plans: list[tuple[int, datetime, frozenset[Key], list[Command]]] = field(default_factory=list)
    """Number of the last event, time, what was held back, and the plan that was made then."""
    state: RunState = field(init=False)
    ledger: Ledger = field(init=False)

    def __post_init__(self) -> None:
        self.ledger = Ledger(self.graph)
        self.state = begin(self.graph, self.seed)

    # The driver

    def start(self) -> None:
        self.record(events.RunStarted(at=self.now, inputs=self.inputs))

    def settle(self) -> None:
        """Carry out plans until only running work, a signal or time moves the run on."""
        for _ in range(MOST_ROUNDS):
            commands = plan(self.state, self.now, self.held_back)
            self.plans.append((self.state.seq, self.now, frozenset(self.held_back), commands))
            if not commands:
                return
            if held := {key for key in map(self._wants_place, commands) if key is not None and self.no_place_for(key)}:
                self.held_back |= held
                continue
            for command in commands:
                self.carry_out(command)
        raise AssertionError(f"No end of plans: {commands}")

    def _wants_place(self, command: Command) -> Key | None:
        begins = isinstance(command, StartNode) and self.graph.nodes[command.node].takes_place
        return (command.node, command.path) if begins else None

    def carry_out(self, command: Command) -> None:
        match command:
            case Record(event):
                self.record(event)
            case StartNode(node, path, attempt):
                self.record(events.NodeStarted(at=self.now, node=node, path=path, attempt=attempt))
                self._execute((node, path), None)
            case ResumeNode(node, path, signal):
                self.record(events.NodeResumed(at=self.now, node=node, path=path, signal=signal))
                self._execute((node, path), signal)
            case StopNode(node, path, reason):
                self.at_work.pop((node, path), None)
                self.record(events.NodeCancelled(at=self.now, node=node, path=path, reason=reason))
            case EndIteration(node, path, index):
                self.record(self.yielded((node, path), index))
            case CheckCondition(node, path, index):
                self.record(self.condition(self, (node, path), index))
            case CompleteRun():
                self.record(events.RunCompleted(at=self.now))

    def _execute(self, key: Key, signal: Any) -> None:
        node = self.graph.nodes[key[0]]
        if node.inline or node.container:
            self.record(self.outcome(self, key, signal))
        else:
            self.at_work[key] = signal

    def finish(self, key: Key) -> None:
        """An attempt at work comes to its end."""
        signal = self.at_work.pop(key)
        self.record(self.outcome(self, key, signal))

    def signal(self, kind: SignalKind, key: Key = ("", ()), data: Any = None) -> list[Event]:
        signal = Signal(id=len(self.log), kind=kind, posted_at=self.now, node=key[0], path=key[1], data=data)
        if kind is SignalKind.MOVE and data["definition"] == "twin":  # another version that says the same
            signal = replace(signal, graph=self.graph)
        found = interpret(self.state, signal, self.now)
        for event in found:
            if isinstance(event, events.NodeCancelled | events.NodeSkipped | events.NodeOverridden):
                self.at_work.pop(event.key, None)
            self.record(event, commit=event is found[-1])
            if isinstance(event, events.NodeResumed):
                self._execute(event.key, event.signal)
        return found

    def wait_until_due(self) -> bool:
        """Let time go by until something is due. False if nothing will ever be."""
        due = next_due(self.state, self.held_back)
        if due is None:
            return False
        self.now = max(self.now, due)
        return True

    def crash(self) -> None:
        """The host is gone; another takes the run over with nothing but the log."""
        self.at_work.clear()
        self.held_back.clear()
        self.state = self.refolded()
        for event in abandon(self.state, self.now):
            known = isinstance(event, events.AttemptAbandoned) and self.untouched(event.key)
            self.record(replace(event, acted="") if known else event)

    def take_over(self) -> None:
        self.crash()
        self.settle()

    def check_plans_again(self) -> None:
        """Whoever folds the log anew makes at each point the plans that were made there."""
        state, log = begin(self.graph, self.seed), iter(self.log)
        for seq, at, held_back, commands in self.plans:
            while state.seq < seq:
                apply(state, self._read(next(log)))
            assert plan(state, at, held_back) == commands

    def refolded(self) -> RunState:
        return apply_all(begin(self.graph, self.seed), self.events())

    def events(self) -> Iterator[Event]:
        """The log, read anew."""
        return map(self._read, self.log)

    def _read(self, row: Row) -> Event:
        event = from_row(row)
        return replace(event, graph=self.graph) if isinstance(event, events.RunMoved) else event

    def record(self, event: Event, *, commit: bool = True) -> None:
        """`commit` is False for all but the last of the events that are written together."""
        apply(self.state, event)
        self.ledger.enter(event)
        self.log.append(to_row(event))
        if commit and self.crashes():
            raise Crash

    def run(self) -> RunState:
        """Start and go on, attempts ending in the order they began, until the run has ended or waits for a signal."""
        if not self.log:
            self.start()
        self.settle()
        while not self.state.status.ended:
            if self.at_work:
                self.finish(next(iter(self.at_work)))
            elif not self.wait_until_due():
                break
            self.settle()
        return self.state

    # What an attempt can come to

    def done(self, key: Key, port: str = "out", outputs: Any = None) -> Event:
        return events.NodeSucceeded(at=self.now, node=key[0], path=key[1], port=port, outputs=outputs)

    def failed(
        self,
        key: Key,
        code: str = "broken",
        *,
        retryable: bool = False,
        retry_after: float | None = None,
        acted: str = "",
    ) -> Event:
        error = {"code": code, "message": code, "retryable": retryable, "retry_after": retry_after, "detail": None}
        attempt = self.state.nodes[key].attempt
        return events.AttemptFailed(at=self.now, node=key[0], path=key[1], attempt=attempt, error=error, acted=acted)

    def waits(self, key: Key, reason: str = "approval", seconds: float | None = None, below: str = "") -> Event:
        until = None if seconds is None else self.now + timedelta(seconds=seconds)
        return events.NodeWaiting(at=self.now, node=key[0], path=key[1], reason=reason, until=until, below=below)

    def opens(self, key: Key, items: Sequence[Any], limit: int = 1, *, most: int | None = None) -> Event:
        return events.LoopOpened(at=self.now, node=key[0], path=key[1], items=list(items), limit=limit, most=most)

    def yielded(self, key: Key, index: int) -> Event:
        """What an iteration gives is its index; the one that a break has ended gives nothing."""
        (node, path), loop = key, self.state.nodes[key].loop
        yields = loop is None or loop.ended_by != "break"
        result = index if yields else None
        return events.IterationEnded(at=self.now, node=node, path=path, index=index, result=result, yields=yields)

    # What became of it

    def statuses(self) -> dict[str, str]:
        """Node runs by `node` or `node[path]`."""
        return {
            f"{node}[{path_text(path)}]" if path else node: str(node_run.status)
            for (node, path), node_run in self.state.nodes.items()
        }

    def types(self) -> list[str]:
        return [row.type for row in self.log]
