"""What must hold after every event of any run, checked on an account that is kept from the events alone.

It is slower and plainer than the planner on purpose: it looks at all edges of a node whenever the node starts.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from orchestration.engine import events
from orchestration.engine.events import Event, NodeEvent
from orchestration.engine.graph import Graph
from orchestration.engine.ids import Key, NodeId, Path
from orchestration.engine.nodes import Edge
from tests.engine.undo_account import UndoAccount

OPEN, LIVE, DEAD, FAILED = "open", "live", "dead", "failed"
TAKING = ("first_success", "n_of_m", "all_settled")
UNDER_WAY = ("running", "waiting", "retrying", "loop")


@dataclass
class Ledger:
    graph: Graph
    status: dict[Key, str] = field(default_factory=dict)
    """running | waiting | retrying | loop (open), or how it ended; nothing for what has not begun."""
    live_port: dict[Key, str | None] = field(default_factory=dict)
    """Of node runs whose edges are decided: the port whose edges are live, None if all are dead."""
    failed_edges: set[Key] = field(default_factory=set)
    """Node runs whose edges are failed: a join has taken that upon itself."""
    fell: set[Key] = field(default_factory=set)
    """Node runs that failed, were skipped or cancelled for the sake of a join: opened again only together with it."""
    begun: set[Key] = field(default_factory=set)
    succeeded: set[Key] = field(default_factory=set)
    skipped_as_dead: set[Key] = field(default_factory=set)
    iterations: dict[Key, set[int]] = field(default_factory=dict)
    limits: dict[Key, int] = field(default_factory=dict)
    most: dict[Key, int | None] = field(default_factory=dict)
    """Of loops that repeat, how many iterations they may have."""
    begun_iterations: dict[Key, int] = field(default_factory=dict)
    told_to_end: dict[Key, str] = field(default_factory=dict)
    """Loops that begin no iteration any more, and why."""
    handled: set[tuple[NodeId | None, Path]] = field(default_factory=set)
    """Bodies in which an error handler has taken over."""
    outcome_unknown: set[Key] = field(default_factory=set)
    """At-most-once node runs whose last attempt took effect, or may have."""
    escalated: set[Key] = field(default_factory=set)
    paused: bool = False
    cancel_requested: bool = False
    ended: str = ""

    def __post_init__(self) -> None:
        self.undo = UndoAccount(self.graph)

    def enter(self, event: Event) -> None:
        self.undo.enter(event)
        match event:
            case NodeEvent():
                assert not self.ended, f"{event} after the run has {self.ended}"
                self._enter_node_event(event)
            case events.RunPaused():
                self.paused = True
            case events.RunResumed():
                self.paused = False
            case events.RunCancelRequested():
                self.cancel_requested = not self.undo.going
            case events.CompensationStarted():
                assert not self.active(), "undoing with something under way"
                self.cancel_requested = False
            case events.RunCompleted():
                self.ended = "completed"
                assert self._all_have_ended(None, ())
                assert not self.active(), "completed with something under way"
            case events.RunFailed():
                self.ended = "failed"
                assert not self.active(), "failed with something under way"
            case events.RunCancelled():
                self.ended = "cancelled"
                assert not self.active(), "cancelled with something under way"
            case events.RunRetried():
                self._open_again()
            case events.RunMoved():
                assert not self.ended

    def _enter_node_event(self, event: NodeEvent) -> None:
        key = event.key
        match event:
            case events.ErrorHandled():
                scope = self._scope(key)
                assert scope not in self.handled, f"{scope} is handled twice"
                inside = [other for other in self.active() if self._is_in(other, scope)]
                assert not inside, f"{inside} under way when the error handler takes over"
                self.handled.add(scope)
            case events.NodeStarted():
                self._check_start(key, event.attempt)
                self.status[key] = "running"
                if self.graph.nodes[event.node].takes_place:
                    self._check_places()
            case events.NodeWaiting():
                self.status[key] = "waiting"
            case events.NodeEscalated():
                self.status[key] = "waiting"
                self.escalated.add(key)
            case events.EscalationAnswered():
                assert key in self.escalated, f"{key} was answered and had not asked"
                self.escalated.discard(key)
                self.outcome_unknown.discard(key)  # a person has looked
                self.status[key] = "retrying"
            case events.NodeResumed():
                assert key not in self.outcome_unknown, f"{key} resumed though its outcome is unknown"
                self.status[key] = "running"
            case events.AttemptFailed() | events.AttemptAbandoned():
                self.status[key] = "retrying"
                if event.acted and self.graph.nodes[key[0]].delivery == "at_most_once":
                    self.outcome_unknown.add(key)
            case events.LoopOpened():
                self.status[key] = "loop"
                self.iterations[key], self.limits[key] = set(), event.limit
                self.most[key], self.begun_iterations[key] = event.most, 0
                self.told_to_end.pop(key, None)
            case events.IterationStarted():
                assert not self.paused and not self.cancel_requested
                assert key not in self.told_to_end, f"{key} begins an iteration though told to end"
                assert event.index == self.begun_iterations[key], "an iteration begins twice, or out of turn"
                self.begun_iterations[key] += 1
                assert self.most[key] is None or event.index < (self.most[key] or 0), "more iterations than allowed"
                self.iterations[key].add(event.index)
                assert len(self.iterations[key]) <= self.limits[key], "more iterations than the loop's limit"
            case events.IterationEnded():
                self._check_iteration_end(event)
                if event.error is None or self.graph.nodes[event.node].settings["on_error"] != "stop":
                    self.iterations[key].discard(event.index)
                    self._forget_inside(event.node, (*event.path, event.index))
                # else the loop fails, and a retry of the run goes on inside of this iteration
            case events.LoopBroken():
                reached = self.status.get((event.source, (*event.path, event.index)))
                assert reached in ("succeeded", "overridden"), "broken by what was not reached"
                self.told_to_end[key] = "break"
                for index in self.iterations[key] - {event.index}:
                    inside = (*event.path, index)
                    assert not self.active_inside(event.node, inside), "forgotten with something under way"
                    self._forget_inside(event.node, inside)
                self.iterations[key] = {event.index}
            case events.LoopClosed():
                assert not self.iterations[key], "a loop closes with an iteration under way"
                self.told_to_end[key] = "error" if event.error else "condition"
            case events.NodeSucceeded():
                self._check_loop_is_through(key)
                assert key not in self.succeeded, f"{key} has succeeded twice"
                self.succeeded.add(key)
                self._end(key, "succeeded", event.port)
            case events.NodeOverridden():
                assert key not in self.live_port, f"{key} overridden though it has ended"
                assert key not in self.succeeded, f"{key} overridden though it has succeeded"
                self.succeeded.add(key)
                self._end(key, "overridden", event.port)
            case events.NodeFailed():
                if key not in self.status:
                    self._check_unmet(key)
                self.status[key] = "failed"
                if event.handled:
                    self._end(key, "failed, handled", "error")
                elif event.taken_by:
                    self._check_taker(event.node, event.taken_by)
                    self._fall(key, failed=True)
                else:
                    self._check_counts(key)
            case events.NodeSkipped(reason="optional" | "by_person"):
                self._end(key, "skipped", "out")
            case events.NodeSkipped(reason="failed_path"):
                tokens = self.tokens(key)
                assert FAILED in tokens and OPEN not in tokens, f"{key} skipped behind a failure: {tokens}"
                assert self.graph.nodes[event.node].join.rule in ("all", "any")
                assert event.error["node"] in self.graph.nodes
                self.status[key] = "skipped"
                self._fall(key, failed=True)
            case events.NodeSkipped():
                assert self.tokens(key) and set(self.tokens(key)) == {DEAD}, f"{key} skipped: {self.tokens(key)}"
                self.skipped_as_dead.add(key)
                self._end(key, "skipped", None)
            case events.NodeCancelled(reason="lost_join"):
                self._end(key, "cancelled, lost", None)
            case events.NodeCancelled(reason="failed_join"):
                self.status[key] = "cancelled"
                self._fall(key, failed=False)
            case events.NodeCancelled():
                self.status[key] = "cancelled"

    def _end(self, key: Key, status: str, live_port: str | None) -> None:
        self.status[key], self.live_port[key] = status, live_port
        if key in self.iterations:
            assert not self.active_inside(*key), "a loop ended with something under way"
            self._forget_inside(*key)

    def _forget_inside(self, loop: NodeId, path: Path) -> None:
        for key in self._inside(loop, path):
            del self.status[key]

    def _check_start(self, key: Key, attempt: int) -> None:
        assert key not in self.outcome_unknown, f"{key} started again though its outcome is unknown"
        assert not self.paused, f"{key} started while the run is paused"
        assert not self.cancel_requested, f"{key} started after the run was to be cancelled"
        if self.status.get(key) == "retrying":
            return
        on_path = key[0] in self.graph.handling.get(self.graph.nodes[key[0]].parent, ())
        undoes = key[0] in self.graph.compensators
        assert undoes or on_path == (self._scope(key) in self.handled), f"{key} started: handling is {on_path}"
        assert key not in self.status, f"{key} started though it is {self.status[key]}"
        assert key not in self.begun, f"{key} has fired twice"
        assert attempt == 1
        self.begun.add(key)
        tokens, join = self.tokens(key), self.graph.nodes[key[0]].join
        is_met = {
            "all": LIVE in tokens and OPEN not in tokens and FAILED not in tokens,
            "any": LIVE in tokens,
            "first_success": LIVE in tokens,
            "n_of_m": tokens.count(LIVE) >= join.count,
            "all_settled": OPEN not in tokens and (LIVE in tokens or FAILED in tokens),
        }
        assert not tokens or is_met[join.rule], f"{key} started with {tokens} under {join}"

    def _check_unmet(self, key: Key) -> None:
        """A node fails without having started only if its rule can never be met any more."""
        tokens, join = self.tokens(key), self.graph.nodes[key[0]].join
        assert LIVE in tokens or FAILED in tokens, f"{key} failed with {tokens}"
        if join.rule == "first_success":
            assert LIVE not in tokens and OPEN not in tokens, f"{key} failed with {tokens}"
        else:
            assert join.rule == "n_of_m" and tokens.count(LIVE) + tokens.count(OPEN) < join.count, f"{key}: {tokens}"

    def _check_taker(self, node: NodeId, join: NodeId) -> None:
        """It takes failures, every way leads to it, and no other such join comes first."""
        assert self.graph.nodes[join].join.rule in TAKING
        ways = [edge.target for edge in self.graph.outgoing[node]]
        assert ways
        while ways:
            at = ways.pop()
            if at != join:
                onward = [edge.target for edge in self.graph.outgoing[at]]
                assert onward, f"a way from {node} leads past {join}"
                ways += onward

    def _check_counts(self, key: Key) -> None:
        """A failure that goes up is not of a loser of a join that has begun and ignores its losers."""
        node, path = key
        for join, losers in self.graph.losers.items():
            rule = self.graph.nodes[join].join
            ignores = rule.losers == "ignore" and rule.rule in ("any", "first_success", "n_of_m")
            assert not (ignores and node in losers and (join, path) in self.begun), f"{key} fails, ignored by {join}"

    def _fall(self, key: Key, *, failed: bool) -> None:
        self.live_port[key] = None
        self.fell.add(key)
        if failed:
            self.failed_edges.add(key)

    def _check_loop_is_through(self, key: Key) -> None:
        """A loop succeeds when it has been through its items, its condition holds no longer, or it was broken."""
        if key in self.iterations:
            assert not self.iterations[key], f"{key} succeeded with iterations under way"
            told = self.told_to_end.get(key)
            assert told in ("break", "condition") or (told is None and self.most[key] is None)

    def _check_places(self) -> None:
        taken = sum(
            status == "running" and self.graph.nodes[node].takes_place for (node, _), status in self.status.items()
        )
        assert taken <= self.graph.max_parallel, "more at work than max_parallel"

    def _check_iteration_end(self, event: events.IterationEnded) -> None:
        path = (*event.path, event.index)
        assert not self.active_inside(event.node, path), "an iteration ended with something under way"
        if event.error is None:
            assert self._all_have_ended(event.node, path), "an iteration ended before its nodes"

    def _scope(self, key: Key) -> tuple[NodeId | None, Path]:
        return (self.graph.nodes[key[0]].parent, key[1])

    def _is_in(self, key: Key, scope: tuple[NodeId | None, Path]) -> bool:
        loop, path = scope
        return loop is None or (key[1][: len(path)] == path and self._is_in_body(key[0], loop))

    def _all_have_ended(self, parent: NodeId | None, path: Path) -> bool:
        """Of the body's flow, or of its error handler's path if that has taken over."""
        body = self.graph.handling if (parent, path) in self.handled else self.graph.flow
        return all(self._has_ended((node, path)) for node in body.get(parent, ()))

    def _forget_handled(self) -> None:
        """A retry goes on with the normal flow."""
        for parent, path in self.handled:
            for account in (self.status, self.live_port, self.begun, self.succeeded, self.fell, self.failed_edges):
                for key in [key for key in account if key[1] == path and key[0] in self.graph.handling[parent]]:
                    account.pop(key) if isinstance(account, dict) else account.discard(key)
        self.handled.clear()

    def _has_ended(self, key: Key) -> bool:
        return key in self.live_port

    def _open_again(self) -> None:
        assert self.ended in ("failed", "cancelled")
        self.ended, self.paused, self.cancel_requested = "", False, False
        self.outcome_unknown.clear()
        opened = {
            key for key, status in self.status.items() if status in ("failed", "cancelled") and key not in self.fell
        }
        ways = list(opened)
        while ways:  # back from joins that failed by their rule
            node, path = ways.pop()
            if (node, path) not in self.begun:
                found = {(edge.source, path) for edge in self.graph.incoming[node]} & self.fell - opened
                opened |= found
                ways += found
        self._forget_undone()
        self._forget_handled()
        for key in sorted(opened, key=lambda key: len(key[1])):
            if key not in self.status or not self._is_open_around(key):
                continue
            self.live_port.pop(key, None)
            self.fell.discard(key)
            self.failed_edges.discard(key)
            del self.status[key]
            if key not in self.iterations:
                self.begun.discard(key)
            else:  # it goes on without starting again
                self.status[key] = "loop"
                if self.told_to_end.get(key) == "error":
                    del self.told_to_end[key]

    def _forget_undone(self) -> None:
        again = self.undo.begin_again()
        kept = [self.status, self.live_port, self.iterations, self.limits, self.begun_iterations, self.told_to_end]
        sets = [self.begun, self.succeeded, self.skipped_as_dead, self.fell, self.failed_edges]
        for account in (*kept, *sets):
            for key in list(account):
                if key[0] in self.graph.compensators or self.undo.outermost(key[0]) in again:
                    account.pop(key) if isinstance(account, dict) else account.discard(key)

    def _is_open_around(self, key: Key) -> bool:
        node, path = key
        parent = self.graph.nodes[node].parent
        return parent is None or self.status.get((parent, path[:-1])) == "loop"

    def tokens(self, key: Key) -> list[str]:
        node, path = key
        return [self._token(edge, path) for edge in self.graph.incoming[node]]

    def _token(self, edge: Edge, path: Path) -> str:
        source = (edge.source, path)
        if source not in self.live_port:
            return OPEN
        if source in self.failed_edges:
            return FAILED
        return LIVE if self.live_port[source] == edge.port else DEAD

    def active(self) -> list[Key]:
        return [key for key, status in self.status.items() if status in UNDER_WAY]

    def active_inside(self, loop: NodeId, path: Path) -> list[Key]:
        return [key for key in self._inside(loop, path) if self.status[key] in UNDER_WAY]

    def _inside(self, loop: NodeId, path: Path) -> list[Key]:
        return [key for key in self.status if key[1][: len(path)] == path and self._is_in_body(key[0], loop)]

    def _is_in_body(self, node: NodeId, loop: NodeId) -> bool:
        parent = self.graph.nodes[node].parent
        return parent is not None and (parent == loop or self._is_in_body(parent, loop))
