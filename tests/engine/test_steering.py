"""Skip, override, variables, another version, try again now: what each means in each state of a node and of a run."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from orchestration.engine import events
from orchestration.engine.events import Event
from orchestration.engine.events.rows import to_row
from orchestration.engine.ids import Path
from orchestration.engine.moving import first_definition, move_plan
from orchestration.engine.signals import Signal, SignalKind, interpret
from orchestration.engine.statuses import NodeStatus, RunStatus
from tests.engine.definitions import Definition, define, node
from tests.engine.simulator import BEGINNING, graph_of
from tests.engine.words import Story

TWICE = {"max_attempts": 2, "jitter": False}
WAY = define(node("a", retry=TWICE), "a > b", "b > c")


def signal(kind: str, on: str = "", path: Path = (), data: Any = None) -> Signal:
    return Signal(1, SignalKind(kind), BEGINNING, by="ada", reason="because", node=on, path=path, data=data)


def send(story: Story, kind: str, on: str = "", path: Path = (), data: Any = None) -> list[Event]:
    return tell(story, signal(kind, on, path, data))


def tell(story: Story, told: Signal) -> list[Event]:
    found = interpret(story.state, told, story.now)
    for event in found:
        story.record(event)
    return found


def refusal(story: Story, kind: str, on: str = "", path: Path = (), data: Any = None) -> str:
    [ignored] = interpret(story.state, signal(kind, on, path, data), story.now)
    assert isinstance(ignored, events.SignalIgnored), ignored
    return ignored.reason


TO_STATUS = {
    "pending": [],
    "running": ["a started"],
    "waiting for a timer": ["a started"],
    "retrying": ["a failed busy"],
    "paused": ["a started", "paused"],
}


@pytest.mark.parametrize("told", TO_STATUS)
def test_a_step_that_has_not_ended_can_be_skipped_and_the_run_goes_on_behind_it(told: str) -> None:
    story = Story(WAY, *TO_STATUS[told])
    if told == "waiting for a timer":
        story.record(events.NodeWaiting(at=BEGINNING, node="a", reason="timer"))
    assert send(story, "skip", "a") == [
        events.NodeSkipped(at=BEGINNING, node="a", reason="by_person", by="ada", comment="because")
    ]
    assert story.state.node(("a", ())).status is NodeStatus.SKIPPED
    if told == "paused":
        story.tell("resumed")
    assert story.plan() == ["start b"]


@pytest.mark.parametrize("told", TO_STATUS)
def test_an_overridden_step_has_succeeded_with_what_the_person_said(told: str) -> None:
    story = Story(WAY, *TO_STATUS[told])
    send(story, "override", "a", data={"outputs": {"x": 1}})
    found = story.state.node(("a", ()))
    assert (found.status, found.outputs, found.port) == (NodeStatus.SUCCEEDED, {"x": 1}, "out")
    if told == "paused":
        story.tell("resumed")
    assert story.plan() == ["start b"]


def test_an_override_may_choose_the_port() -> None:
    story = Story(define(node("a", "branch"), "a:true > b", "a:false > c"))
    send(story, "override", "a", data={"outputs": {}, "port": "false"})
    assert story.carry_out() == ["b is skipped (dead_path)", "start c"]


def test_a_pending_step_is_overridden_at_once_and_what_comes_before_it_goes_on() -> None:
    story = Story(WAY, "a started")
    send(story, "override", "b", data={"outputs": {"x": 1}})
    assert story.plan() == ["start c"]
    story.tell("a succeeded", "c succeeded")
    assert story.carry_out() == ["complete"]


REFUSED: list[tuple[list[str], str]] = [
    (["a succeeded"], "The step has already ended: it is succeeded."),
    (["a waits"], "It waits for a person: decide the request in the inbox. No path leads round it."),
    (["a waits", "a resumed"], "It waits for a person: decide the request in the inbox. No path leads round it."),
    (["cancel requested"], "The run is being cancelled."),
]


@pytest.mark.parametrize("kind", ["skip", "override"])
@pytest.mark.parametrize(("told", "reason"), REFUSED)
def test_what_is_neither_skipped_nor_overridden(kind: str, told: list[str], reason: str) -> None:
    assert refusal(Story(WAY, *told), kind, "a", data={"outputs": {}}) == reason


@pytest.mark.parametrize("kind", ["skip", "override"])
def test_a_step_nobody_knows_is_refused(kind: str) -> None:
    assert refusal(Story(WAY), kind, "nobody") == "The run has no step 'nobody'."
    story = Story(define(node("each", "loop"), node("a", parent="each")), "each opened 2/1", "a[0] started")
    assert "iteration is not open" in refusal(story, kind, "a", (1,))


LOOP = define(node("each", "loop", settings={"on_error": "stop"}), node("a", parent="each"), "each > after")


def test_skipping_a_loop_stops_what_is_inside() -> None:
    story = Story(LOOP, "each opened 3/2", "a[0] started", "a[1] failed busy")
    assert [type(event).__name__ for event in send(story, "skip", "each")] == [
        "NodeCancelled",
        "NodeCancelled",
        "NodeSkipped",
    ]
    assert story.plan() == ["start after"]
    assert set(story.state.nodes) == {("each", ())}


def test_a_loop_in_which_a_person_is_asked_is_not_skipped() -> None:
    story = Story(LOOP, "each opened 3/2", "a[0] started", "a[1] waits")
    assert "No path leads round it" in refusal(story, "skip", "each")


def test_one_iteration_of_a_step_can_be_overridden() -> None:
    story = Story(LOOP, "each opened 2/2", "a[0] started", "a[1] started")
    send(story, "override", "a", (0,), {"outputs": 5})
    assert story.plan() == ["end each 0"]


@pytest.mark.parametrize("kind", ["skip", "override"])
def test_a_failed_run_goes_on_when_its_failed_step_is_skipped_or_overridden(kind: str) -> None:
    story = Story(define("a > b", "x > y"), "x started", "a failed")
    story.carry_out()
    assert story.state.status is RunStatus.FAILED
    told = send(story, kind, "a", data={"outputs": {"n": 1}})
    assert [type(event).__name__ for event in told] == [
        "RunRetried",
        "NodeSkipped" if kind == "skip" else "NodeOverridden",
    ]
    assert sorted(story.plan()) == ["start b", "start x"]


def test_in_a_failed_run_a_step_that_has_succeeded_stays_as_it_is() -> None:
    story = Story(WAY, "a succeeded", "b failed")
    story.carry_out()
    assert "is not what failed" in refusal(story, "skip", "a")
    assert "is not what failed" in refusal(story, "skip", "c")


def test_overriding_a_failed_loop_of_loops_leaves_nothing_of_its_inside() -> None:
    definition = define(
        node("outer", "loop", settings={"on_error": "stop"}),
        node("inner", "loop", parent="outer", settings={"on_error": "stop"}, timeout_seconds=50),
        node("a", parent="inner"),
        "outer > after",
    )
    story = Story(definition, "outer opened 2/2", "inner[0] opened 2/2", "inner[1] opened 2/2", "a[0.0] failed")
    story.carry_out()
    send(story, "override", "outer", data={"outputs": {"items": []}})
    assert set(story.state.nodes) == {("outer", ())} and not story.state.frontier.due
    assert story.plan() == ["start after"]


def test_a_retry_to_come_may_be_made_at_once() -> None:
    story = Story(WAY, "a failed busy")
    story.carry_out()
    assert story.plan() == []
    [scheduled] = send(story, "retry", "a")
    assert isinstance(scheduled, events.RetryScheduled) and scheduled.by == "ada"
    assert story.plan() == ["start a again (2)"]
    assert refusal(Story(WAY), "retry", "a") == "The step has no retry to come."


# Variables


def test_variables_of_a_live_run_change_if_they_are_declared() -> None:
    story = Story(WAY | {"variables": {"n": {"default": 1}}}, "a started")
    assert refusal(story, "variables", data={"values": {"m": 1}}) == "The workflow declares no variable m."
    assert refusal(story, "variables") == "No variable was given."
    send(story, "variables", data={"values": {"n": 7}})
    assert story.state.variables == {"n": 7}


def test_a_retry_may_bring_other_variables_along() -> None:
    story = Story(WAY | {"variables": {"n": {"default": 1}}}, "a failed")
    story.carry_out()
    send(story, "retry", data={"variables": {"n": 2}})
    assert story.state.variables == {"n": 2} and story.plan() == ["start a"]


# Another version


def move(story: Story, definition: Definition) -> list[Event]:
    data = {"definition": "other", "version": 2, "previous": "first", "previous_version": 1}
    return tell(story, replace(signal("move", data=data), graph=graph_of(definition)))


def obstacles(story: Story, definition: Definition) -> list[str]:
    return [obstacle.code for obstacle in move_plan(story.state, graph_of(definition)).obstacles]


def test_a_moved_run_keeps_its_results_and_goes_on_in_the_other_graph() -> None:
    story = Story(define("a > b", "b > c"), "a succeeded", "b started")
    other = define("a > b", "b > check", "check > c")
    plan = move_plan(story.state, graph_of(other))
    assert (plan.finished, plan.under_way, plan.new) == ((("a", ()),), (("b", ()),), ("check",))
    assert isinstance(move(story, other)[0], events.RunMoved)
    story.tell("b succeeded")
    assert story.plan() == ["start check"]


def test_a_finished_step_the_other_version_does_not_know_is_forgotten() -> None:
    story = Story(define("a > b"), "a succeeded", "b started")
    other = define(node("b"), "b > c")
    assert move_plan(story.state, graph_of(other)).vanishing == (("a", ()),)
    move(story, other)
    assert ("a", ()) not in story.state.nodes
    story.tell("b succeeded")
    assert story.plan() == ["start c"]


BODY = [node("each", "loop", settings={"on_error": "stop"}), node("a", parent="each")]
FORBIDDEN: list[tuple[Definition, list[str], Definition, list[str]]] = [
    (define("a > b"), ["a started"], define("x > b"), ["under_way"]),
    (define("a > b"), ["a started"], define(node("a", "ask"), "a > b"), ["under_way"]),
    (define("a > b"), ["a succeeded", "b started"], define("a > b", "new > b"), ["begun_before"]),
    (define("a > b"), ["a succeeded"], define(node("a", "ask"), "a > b"), ["other_place"]),
    (define(node("a")), ["a waits"], define(node("a", settings={"title": "other"})), ["request_changed"]),
    (define("a > b", "x > y", on_failure="continue"), ["x started", "a failed"], define("a > b", "x > y"), ["failed"]),
    (define(*BODY), ["each opened 2"], define(*BODY, node("b", parent="each"), "a > b"), ["loop_changed"]),
    (define("a > b"), ["cancel requested"], define("a > b"), ["cancelling"]),
]


@pytest.mark.parametrize(("before", "told", "after", "codes"), FORBIDDEN)
def test_what_forbids_a_move(before: Definition, told: list[str], after: Definition, codes: list[str]) -> None:
    story = Story(before, *told)
    if codes == ["failed"]:
        story.carry_out()
    assert obstacles(story, after) == codes
    [event] = move(story, after)
    assert isinstance(event, events.SignalIgnored)


def test_the_steps_of_an_open_loop_may_be_told_to_do_something_else() -> None:
    """But not the loop itself, nor one within it, nor how its steps are joined."""
    story = Story(define(*BODY, node("b", parent="each"), "a > b"), "each opened 2", "a[0] started")
    other = node("b", parent="each", settings={"text": "other"}, retry={"max_attempts": 3}, timeout_seconds=5)
    assert obstacles(story, define(*BODY, other, "a > b")) == []
    limited = node("each", "loop", settings={"on_error": "gap"})
    assert obstacles(story, define(limited, BODY[1], node("b", parent="each"), "a > b")) == ["loop_changed"]
    assert obstacles(story, define(*BODY, node("b", parent="each", optional=True), "a > b")) == ["loop_changed"]


def test_an_open_loop_goes_on_after_a_move() -> None:
    story = Story(define(*BODY, "each > after"), "each opened 3/2", "a[0] succeeded", "a[1] started")
    story.carry_out()
    assert obstacles(story, define(*BODY, "each > other")) == []
    move(story, define(*BODY, "each > other"))
    story.tell("a[1] succeeded", "a[2] succeeded")
    assert story.carry_out()[-1] == "start other"


def test_a_join_that_has_fired_does_not_fire_again_after_a_move() -> None:
    any_of = {"rule": "any", "losers": "finish"}
    story = Story(define(node("j", join=any_of), "a > j", "b > j", "j > c"), "b started", "a succeeded", "j succeeded")
    move(story, define(node("j", join=any_of), "a > j", "b > j", "j > c", "c > d"))
    assert story.plan() == ["start c"]


def test_a_moved_run_has_the_other_versions_timeout_and_new_variables() -> None:
    story = Story(define(node("a"), timeout_seconds=60) | {"variables": {"n": {"default": 1}}}, "a started")
    send(story, "variables", data={"values": {"n": 5}})
    other = define(node("a"), timeout_seconds=90) | {"variables": {"n": {"default": 2}, "m": {"default": 3}}}
    move(story, other)
    assert story.state.variables == {"n": 5, "m": 3}
    assert story.state.deadline and (story.state.deadline - BEGINNING).total_seconds() == 90


def test_the_log_names_the_definition_a_run_began_with() -> None:
    moves = [events.RunMoved(at=BEGINNING, definition=to, version=2, previous=before) for before, to in ("ab", "bc")]
    rows = [(row.type, row.at, row.node, row.path, row.data) for row in map(to_row, moves)]
    assert first_definition([], "now") == "now"
    assert first_definition(rows, "c") == "a"


def test_an_event_to_a_definition_that_is_not_at_hand_is_illegal() -> None:
    from orchestration.engine.moves import IllegalEvent

    with pytest.raises(IllegalEvent, match="not at hand"):
        Story(WAY).record(events.RunMoved(at=BEGINNING, definition="nowhere", version=2, previous="first"))
