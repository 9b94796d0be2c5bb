"""An account of what can be undone and what was, kept from the events alone: reverse order, once each."""

from __future__ import annotations

from dataclasses import dataclass, field

from orchestration.engine import events
from orchestration.engine.events import Event
from orchestration.engine.graph import Graph
from orchestration.engine.ids import Key, NodeId, path_of

UNCLEAR = ("outcome_unknown", "timeout", "node_timeout")
_GIVES_UP = (
    events.AttemptFailed,
    events.AttemptAbandoned,
    events.NodeWaiting,
    events.NodeSucceeded,
    events.NodeFailed,
    events.NodeCancelled,
    events.NodeSkipped,
    events.NodeOverridden,
)
"""Whoever comes to one of these without having been told by the run below waits for it no longer."""


@dataclass
class UndoAccount:
    graph: Graph
    done: list[Key] = field(default_factory=list)
    """Successes that can be undone, in the order of completion."""
    waits_for: dict[Key, str] = field(default_factory=dict)
    """Runs below that node runs wait for."""
    behind: dict[str, Key] = field(default_factory=dict)
    """Those that their node run waits for no longer, and that have not ended."""
    below: set[str] = field(default_factory=set)
    """Runs below that must have ended before anything is undone."""
    going: bool = False
    left: list[Key] = field(default_factory=list)
    undone: list[Key] = field(default_factory=list)
    did_nothing: set[Key] = field(default_factory=set)
    """Node runs whose failure is clear and which a person let count as done: nothing to undo."""
    clear: dict[Key, bool] = field(default_factory=dict)

    def enter(self, event: Event) -> None:
        if isinstance(event, _GIVES_UP) and event.key in self.waits_for and not self.going:
            self.behind[self.waits_for.pop(event.key)] = event.key
        match event:
            case events.NodeEscalated():
                self.clear[event.key] = event.error["code"] not in UNCLEAR
            case events.EscalationAnswered(action="skip") if self.clear[event.key]:
                self.did_nothing.add(event.key)
            case events.NodeStarted():
                self.did_nothing.discard(event.key)
                self._check_start(event)
            case events.NodeSucceeded() if event.node in self.graph.compensators:
                self.undone.append(self._undone_by(event.key))
            case events.NodeSucceeded() if self.graph.nodes[event.node].compensate_with:
                if event.key not in self.did_nothing:
                    self.done = [key for key in self.done if key != event.key] + [event.key]
            case events.CompensationStarted():
                assert (self.done or event.below) and not self.going
                self.below = set(event.below)
                self.going, self.left, self.undone = True, list(self.done), []
            case events.RunBelowEnded():
                self.below.discard(event.run)
                self.behind.pop(event.run)
            case events.NodeWaiting(below=below) if below:
                self.waits_for[event.key] = below
            case events.NodeResumed(signal=signal) if signal is not None:
                self.waits_for.pop(event.key, None)
            case events.CompensationEnded():
                named = [(told["node"], path_of(told["path"])) for told in event.undone if not told.get("run")]
                assert named == self.undone
                assert sorted(named) == sorted(set(named)), "undone twice"
            case events.RunCompleted():
                assert not self.going, "a run that was being undone has completed"

    def _check_start(self, event: events.NodeStarted) -> None:
        assert event.key not in self.behind.values(), f"{event.key} tries again, and its last run has not ended"
        if event.node not in self.graph.compensators:
            assert not self.going, f"{event.key} started while the run was being undone"
            return
        assert self.going, f"{event.key} undoes something though nothing is to be undone"
        assert not self.below, f"{event.key} started before {self.below} had ended"
        undone = self._undone_by(event.key)
        if event.attempt == 1:
            assert self.left and self.left.pop() == undone, f"{event.key} is not next"

    def _undone_by(self, key: Key) -> Key:
        return (self.graph.compensators[key[0]], key[1])

    def begin_again(self) -> set[NodeId]:
        """After a retry of the run: the nodes at the top that begin from nothing, with all inside of them."""
        self.behind.clear()
        if not self.going:
            return set()
        self.going = False
        self.done = [key for key in self.done if key not in self.undone]
        again = {self.outermost(node) for node, _ in self.undone}
        behind = list(again)
        while behind:
            targets = {edge.target for edge in self.graph.outgoing[behind.pop()]} - again
            again |= targets
            behind += targets
        return again

    def outermost(self, node: NodeId) -> NodeId:
        parent = self.graph.nodes[node].parent
        return node if parent is None else self.outermost(parent)
