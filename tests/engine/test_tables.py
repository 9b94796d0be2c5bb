"""Only legal moves: the tables say which, the documentation shows them, anything else changes nothing."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path

import pytest

from orchestration.engine import events
from orchestration.engine.apply import apply, begin
from orchestration.engine.diagram import node_diagram, run_diagram
from orchestration.engine.events import Event, NodeEvent
from orchestration.engine.moves import NODE_MOVES, RUN_MOVES, IllegalEvent
from orchestration.engine.states import RunState
from orchestration.engine.statuses import NodeStatus, RunStatus
from tests.engine.definitions import define, node
from tests.engine.simulator import BEGINNING, graph_of
from tests.engine.words import Story, error

DOCUMENT = Path(__file__).parents[2] / "docs" / "engine.md"
TO_NODE_STATUS: dict[NodeStatus, list[str]] = {
    NodeStatus.PENDING: [],
    NodeStatus.RUNNING: ["a started"],
    NodeStatus.WAITING: ["a waits"],
    NodeStatus.RETRYING: ["a failed"],
    NodeStatus.SUCCEEDED: ["a succeeded"],
    NodeStatus.FAILED: ["a failed", "a fails"],
    NodeStatus.SKIPPED: ["a skipped"],
    NodeStatus.CANCELLED: ["a cancelled"],
}
TO_RUN_STATUS: dict[RunStatus, list[str]] = {
    RunStatus.RUNNING: [],
    RunStatus.WAITING: ["a waits", "b waits"],
    RunStatus.PAUSED: ["paused"],
}
NODE_EVENTS: list[NodeEvent] = [
    events.NodeStarted(at=BEGINNING, node="a", attempt=1),
    events.NodeWaiting(at=BEGINNING, node="a", reason="timer"),
    events.NodeResumed(at=BEGINNING, node="a"),
    events.AttemptFailed(at=BEGINNING, node="a", attempt=1, error=error("broken")),
    events.AttemptAbandoned(at=BEGINNING, node="a", attempt=1),
    events.RetryScheduled(at=BEGINNING, node="a", attempt=2, due=BEGINNING),
    events.AlternativeChosen(at=BEGINNING, node="a", index=1, agent="other"),
    events.NodeEscalated(at=BEGINNING, node="a", error=error("broken"), assignee={"user": "", "role": "operator"}),
    events.EscalationAnswered(at=BEGINNING, node="a", action="retry"),
    events.NodeSucceeded(at=BEGINNING, node="a"),
    events.NodeFailed(at=BEGINNING, node="a", error=error("broken")),
    events.NodeSkipped(at=BEGINNING, node="a", reason="optional"),
    events.NodeOverridden(at=BEGINNING, node="a", outputs={"x": 1}),
    events.NodeCancelled(at=BEGINNING, node="a", reason="cancelled"),
    events.LoopOpened(at=BEGINNING, node="a", items=[], limit=1),
]
ITERATION_EVENTS: list[NodeEvent] = [
    events.IterationStarted(at=BEGINNING, node="a", index=0),
    events.IterationEnded(at=BEGINNING, node="a", index=0),
]
RUN_EVENTS: list[Event] = [
    events.RunStarted(at=BEGINNING, inputs={}),
    events.RunPaused(at=BEGINNING),
    events.RunResumed(at=BEGINNING),
    events.RunCancelRequested(at=BEGINNING),
    events.RunRetried(at=BEGINNING),
    events.VariablesChanged(at=BEGINNING, values={"x": 1}),
    events.RunMoved(
        at=BEGINNING, definition="twin", version=2, previous="first", graph=graph_of(define(node("a"), node("b")))
    ),
    events.RunCompleted(at=BEGINNING),
    events.RunFailed(at=BEGINNING, error=error("broken")),
    events.RunCancelled(at=BEGINNING),
    events.CompensationStarted(at=BEGINNING, error=error("broken")),
    events.RunBelowEnded(at=BEGINNING, run="below", node="a", status="cancelled"),
    events.CompensationEnded(at=BEGINNING),
]


def state_of_node(status: NodeStatus) -> RunState:
    story = Story(define(node("a"), node("b")))
    for sentence in TO_NODE_STATUS[status]:
        if sentence == "a fails":
            story.record(events.NodeFailed(at=BEGINNING, node="a", error=error("broken")))
        else:
            story.tell(sentence)
    assert story.state.node(("a", ())).status is status
    return story.state


def state_of_run(status: RunStatus) -> RunState:
    definition = define(node("a"), node("b"))
    if status is RunStatus.QUEUED:
        return begin(graph_of(definition))
    story = Story(definition, *TO_RUN_STATUS.get(status, []))
    ends: dict[RunStatus, Event] = {
        RunStatus.COMPLETED: events.RunCompleted(at=BEGINNING),
        RunStatus.FAILED: events.RunFailed(at=BEGINNING, error=error("broken")),
        RunStatus.CANCELLED: events.RunCancelled(at=BEGINNING),
        RunStatus.COMPENSATING: events.CompensationStarted(at=BEGINNING, error=error("broken")),
    }
    if status in ends:
        story.record(ends[status])
    assert story.state.status is status
    return story.state


@pytest.mark.parametrize("status", NodeStatus)
@pytest.mark.parametrize("event", NODE_EVENTS, ids=lambda event: type(event).__name__)
def test_a_node_run_makes_the_moves_of_the_table_and_no_other(status: NodeStatus, event: NodeEvent) -> None:
    state = state_of_node(status)
    before = deepcopy(state)
    expected = NODE_MOVES[status].get(type(event))
    if expected:
        assert apply(state, event).node(event.key).status is expected
    else:
        with pytest.raises(IllegalEvent, match=type(event).__name__):
            apply(state, event)
        assert state == before


@pytest.mark.parametrize("status", RunStatus)
@pytest.mark.parametrize("event", RUN_EVENTS, ids=lambda event: type(event).__name__)
def test_a_run_makes_the_moves_of_the_table_and_no_other(status: RunStatus, event: Event) -> None:
    state = state_of_run(status)
    before = deepcopy(state)
    expected = RUN_MOVES[status].get(type(event))
    if expected:
        moved_while_waiting = status is RunStatus.WAITING and isinstance(event, events.RunMoved)
        assert apply(state, event).status is (RunStatus.WAITING if moved_while_waiting else expected)
    else:
        with pytest.raises(IllegalEvent, match=type(event).__name__):
            apply(state, event)
        assert state == before


@pytest.mark.parametrize("status", [RunStatus.QUEUED, RunStatus.COMPLETED, RunStatus.FAILED, RunStatus.CANCELLED])
def test_nothing_happens_to_nodes_of_a_run_that_is_not_under_way(status: RunStatus) -> None:
    state = state_of_run(status)
    before = deepcopy(state)
    with pytest.raises(IllegalEvent):
        apply(state, events.NodeStarted(at=BEGINNING, node="a", attempt=1))
    assert state == before


@pytest.mark.parametrize("event", ITERATION_EVENTS, ids=lambda event: type(event).__name__)
def test_only_open_loops_have_iterations(event: NodeEvent) -> None:
    state = state_of_node(NodeStatus.RUNNING)
    with pytest.raises(IllegalEvent):
        apply(state, event)


def test_iterations_begin_in_order_within_the_items_and_end_once() -> None:
    story = Story(define(node("each", "loop"), node("a", parent="each")), "each opened 2/2", "a[0] succeeded")
    for index in (0, 2):
        with pytest.raises(IllegalEvent):
            story.record(events.IterationStarted(at=BEGINNING, node="each", index=index))
    story.tell("each ended 0")
    with pytest.raises(IllegalEvent):
        story.tell("each ended 0")


def test_a_node_of_an_iteration_that_is_not_open_is_unknown() -> None:
    story = Story(define(node("each", "loop"), node("a", parent="each")), "each opened 2/2")
    for key in (("a", (0,)), ("a", ()), ("nobody", ())):
        with pytest.raises(IllegalEvent):
            story.record(events.NodeStarted(at=BEGINNING, node=key[0], path=key[1], attempt=1))


def test_the_documentation_shows_the_tables() -> None:
    text = DOCUMENT.read_text()
    for diagram in (node_diagram(), run_diagram()):
        assert f"```mermaid\n{diagram}\n```" in text, "docs/engine.md: see python -m orchestration.engine.diagram"
