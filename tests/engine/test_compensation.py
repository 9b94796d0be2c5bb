"""Undoing: what succeeded is undone in reverse order, once each, when the run fails for good or is cancelled so."""

from __future__ import annotations

from typing import Any

import pytest

from orchestration.engine import saga
from orchestration.engine.events import NodeFailed, NodeStarted, NodeSucceeded
from orchestration.engine.moves import IllegalEvent
from orchestration.engine.planner import next_due
from orchestration.engine.signals import Signal, SignalKind, interpret
from orchestration.engine.statuses import NodeStatus, RunStatus
from tests.engine.definitions import Definition, define, node
from tests.engine.words import Story, error

TWICE = {"max_attempts": 2, "jitter": False}


def chain(**undo: Any) -> Definition:
    """a (undone by undo_a) → b (undone by undo_b) → c."""
    return define(
        node("a", compensate_with="undo_a"),
        node("b", compensate_with="undo_b"),
        node("undo_a"),
        node("undo_b", **undo),
        "a > b",
        "b > c",
    )


def failed(**undo: Any) -> Story:
    story = Story(chain(**undo), "a succeeded", "b succeeded", "c failed")
    said = story.carry_out()
    assert said == ["c fails (broken)", "undoing begins (broken)", "start undo_b"]
    return story


def test_a_node_that_undoes_is_no_part_of_the_normal_flow() -> None:
    story = Story(chain())
    assert story.plan() == ["start a"]
    with pytest.raises(IllegalEvent, match="undoes another node"):
        story.tell("undo_a started")
    assert story.tell("a succeeded", "b succeeded", "c succeeded").carry_out() == ["complete"]


def test_what_succeeded_is_undone_the_latest_first_and_the_run_fails_with_its_error() -> None:
    story = failed()
    assert story.state.status is RunStatus.COMPENSATING
    assert story.tell("undo_b succeeded").plan() == ["start undo_a"]
    story.tell("undo_a succeeded")
    assert story.carry_out() == ["undoing ends (2 undone, 0 failed, 0 left)", "the run fails (broken at c)"]
    summary = story.state.error.pop("compensation")
    assert [told["node"] for told in summary["undone"]] == ["b", "a"]
    assert story.state.error == {"node": "c", "path": "", **error("broken")}


def test_the_order_is_that_of_completion_and_not_of_the_graph() -> None:
    definition = define(
        node("a", compensate_with="undo_a"),
        node("b", compensate_with="undo_b"),
        node("undo_a"),
        node("undo_b"),
        "c > d",
    )
    story = Story(definition, "b succeeded", "a succeeded", "c failed")
    assert story.carry_out()[-1] == "start undo_a"
    assert story.tell("undo_a succeeded").carry_out() == ["start undo_b"]


def test_what_did_not_succeed_is_not_undone() -> None:
    story = Story(define(node("a", compensate_with="undo"), node("undo")), "a failed")
    assert story.carry_out() == ["a fails (broken)", "the run fails (broken at a)"]


def test_an_undoing_that_fails_is_recorded_and_the_rest_goes_on() -> None:
    story = failed().tell("undo_b failed")
    assert story.carry_out() == ["undo_b fails (broken)", "start undo_a"]
    story.tell("undo_a succeeded")
    assert story.carry_out()[0] == "undoing ends (1 undone, 1 failed, 0 left)"
    assert story.state.error["compensation"]["failed"][0]["node"] == "b"


def test_an_undoing_has_its_own_retries_and_may_ask_a_person() -> None:
    story = failed(retry=TWICE, escalate={"role": "duty"}).tell("undo_b failed busy")
    assert story.carry_out() == ["undo_b is tried again in 1 s"]
    assert story.state.status is RunStatus.COMPENSATING and next_due(story.state)
    assert story.tell("1 seconds later").plan() == ["start undo_b again (2)"]
    story.tell("undo_b failed busy")
    assert story.carry_out() == ["undo_b asks duty (busy)"]
    story.tell("undo_b answered skip")
    assert story.carry_out() == ["undo_b succeeds with None", "start undo_a"]


def test_a_host_that_dies_during_an_undoing_begins_it_again() -> None:
    story = failed().tell("undo_b abandoned")
    assert story.plan() == ["start undo_b again (2)"]


def test_an_at_most_once_undoing_that_was_cut_off_asks_a_person() -> None:
    assert failed(delivery="at_most_once").tell("undo_b abandoned").plan() == ["undo_b asks operator (outcome_unknown)"]


# Iterations


LOOP = define(
    node("each", "loop", settings={"on_error": "stop"}),
    node("a", parent="each", compensate_with="undo"),
    node("undo", parent="each"),
    "each > last",
)


def test_what_iterations_have_done_is_undone_after_their_state_was_dropped() -> None:
    story = Story(LOOP, "each opened 3/3", "a[0] started", "a[1] started")
    story.tell("a[1] succeeded", "a[0] succeeded", "a[2] succeeded")
    story.carry_out()
    assert ("a", (0,)) not in story.state.nodes, "dropped"
    assert story.state.undoable["a", (1,)].loop == {"item": 1, "index": 1, "parent": None}
    story.tell("last failed")
    assert story.carry_out()[-1] == "start undo[2]"
    assert story.tell("undo[2] succeeded").carry_out() == ["start undo[0]"]
    assert story.tell("undo[0] succeeded").carry_out() == ["start undo[1]"]


def test_only_what_can_be_undone_is_kept() -> None:
    story = Story(LOOP, "each opened 2/2", "a[0] succeeded", "a[1] succeeded")
    story.carry_out()
    assert set(story.state.nodes) == {("each", ())}
    assert set(story.state.undoable) == {("a", (0,)), ("a", (1,))}


# Cancel, pause, time


def test_a_cancel_undoes_only_if_that_is_wished() -> None:
    plain = Story(chain(), "a succeeded", "b started", "cancel requested")
    assert plain.carry_out() == ["stop b (cancelled)", "the run is cancelled"]
    story = Story(chain(), "a succeeded", "b started", "cancel with undo requested")
    assert story.carry_out() == ["stop b (cancelled)", "undoing begins (cancelled)", "start undo_a"]
    story.tell("undo_a succeeded")
    assert story.carry_out() == ["undoing ends (1 undone, 0 failed, 0 left)", "the run is cancelled"]


def test_a_cancelled_run_whose_undoing_failed_says_so() -> None:
    story = Story(chain(), "a succeeded", "cancel with undo requested")
    story.carry_out()
    story.tell("undo_a failed")
    assert story.carry_out()[-1] == "the run fails (undo_failed)"
    assert "could not be undone: a" in story.state.error["message"]


def test_a_cancel_during_the_undoing_ends_it() -> None:
    story = failed().tell("undo_b started", "cancel requested")
    assert story.carry_out() == [
        "stop undo_b (cancelled)",
        "undoing ends (0 undone, 0 failed, 2 left)",
        "the run is cancelled",
    ]


def test_a_pause_holds_the_next_undoing_back() -> None:
    story = failed().tell("undo_b started", "paused", "undo_b succeeded")
    assert (story.plan(), story.state.status) == ([], RunStatus.PAUSED)
    story.tell("resumed")
    assert (story.plan(), story.state.status) == (["start undo_a"], RunStatus.COMPENSATING)


def test_the_runs_own_time_does_not_count_any_more() -> None:
    story = Story({**chain(), "settings": {"timeout_seconds": 10}}, "a succeeded", "10 seconds later")
    assert story.carry_out() == ["undoing begins (run_timeout)", "start undo_a"]
    assert next_due(story.tell("undo_a started", "60 seconds later").state) is None
    assert story.plan() == []


def test_nothing_else_can_be_said_to_a_run_that_is_being_undone() -> None:
    story = failed()
    for kind, data in (
        (SignalKind.SKIP, None),
        (SignalKind.VARIABLES, {"values": {"a": 1}}),
        (SignalKind.CANCEL, {"undo": True}),
    ):
        (event,) = interpret(story.state, Signal(id=1, kind=kind, posted_at=story.now, node="a", data=data), story.now)
        assert type(event).__name__ == "SignalIgnored"


def test_a_run_that_is_being_undone_never_completes() -> None:
    story = failed()
    for event in (
        NodeStarted(at=story.now, node="c", attempt=2),
        NodeSucceeded(at=story.now, node="a"),
        NodeFailed(at=story.now, node="undo_a", error={}),
    ):
        with pytest.raises(IllegalEvent):
            story.record(event)


# A retry of the run


def test_a_retry_begins_from_what_was_undone() -> None:
    story = failed().tell("undo_b succeeded", "undo_a succeeded")
    story.carry_out()
    story.tell("retried")
    assert story.plan() == ["start a"]
    assert (story.state.undoable, story.state.compensation) == ({}, None)
    assert saga.round_of(story.state, ("a", ())) == saga.round_of(story.state, ("undo_a", ())) == 1, (
        "another call outside"
    )
    story.tell("a succeeded", "b succeeded", "c failed")
    assert story.carry_out()[-1] == "start undo_b"


def test_a_retry_keeps_what_could_not_be_undone_unless_it_stands_on_what_was() -> None:
    definition = define(
        node("a", compensate_with="undo_a"),
        node("b", compensate_with="undo_b"),
        node("undo_a"),
        node("undo_b"),
        "x > y",
    )
    story = Story(definition, "a succeeded", "b succeeded", "x failed")
    story.carry_out()
    story.tell("undo_b failed")
    story.carry_out()
    story.tell("undo_a succeeded")
    story.carry_out()
    story.tell("retried")
    assert story.plan() == ["start x", "start a"] or story.plan() == ["start a", "start x"]
    assert story.state.nodes["b", ()].status is NodeStatus.SUCCEEDED
    assert list(story.state.undoable) == [("b", ())], "it still stands, and can be undone the next time"


def test_a_loop_with_something_undone_begins_again_as_a_whole() -> None:
    story = Story(LOOP, "each opened 2/2", "a[0] succeeded", "a[1] succeeded", "last failed")
    story.carry_out()
    for index in (1, 0):
        story.tell(f"undo[{index}] succeeded")
        story.carry_out()
    assert story.state.status is RunStatus.FAILED
    story.tell("retried")
    assert story.plan() == ["start each"]
    assert set(story.state.scopes) == {(None, ())}


# Runs below


def above(*more: str) -> Story:
    """a (undone by undo_a) → sub, which waits for a run that can undo what it does."""
    definition = define(node("a", compensate_with="undo_a"), node("undo_a"), node("sub"), "a > sub", "b > c")
    return Story(definition, "a succeeded", "sub begins below", *more)


def ended(story: Story, status: str = "cancelled", failed: list[Any] | None = None, run: str = "below") -> list[str]:
    error = {"code": "undo_failed", "message": "no", "compensation": {"failed": failed}} if failed else None
    data = {"run": run, "status": status, "error": error}
    for event in interpret(story.state, Signal(1, SignalKind.BELOW, story.now, data=data), story.now):
        story.record(event)
    return story.carry_out()


def test_nothing_is_undone_before_a_run_below_has_ended() -> None:
    story = above("cancel with undo requested")
    assert story.carry_out() == ["stop sub (cancelled)", "undoing begins (cancelled)"]
    assert story.state.status is RunStatus.COMPENSATING and next_due(story.state) is None
    assert ended(story) == ["start undo_a"]
    assert story.tell("undo_a succeeded").carry_out() == [
        "undoing ends (2 undone, 0 failed, 0 left)",
        "the run is cancelled",
    ]
    summary = saga.summary_of(story.state)
    assert [(told["node"], told["by"], told.get("run")) for told in summary["undone"]] == [
        ("sub", "", "below"),
        ("a", "undo_a", None),
    ]


def test_a_run_that_fails_waits_for_those_below_too() -> None:
    story = above("b failed")
    assert story.carry_out() == ["b fails (broken)", "stop sub (run_failed)", "undoing begins (broken)"]
    assert ended(story) == ["start undo_a"]


def test_a_run_with_nothing_of_its_own_to_undo_waits_all_the_same() -> None:
    story = Story(define(node("sub"), "sub > next"), "sub begins below", "cancel with undo requested")
    assert story.carry_out() == ["stop sub (cancelled)", "undoing begins (cancelled)"]
    assert ended(story) == ["undoing ends (1 undone, 0 failed, 0 left)", "the run is cancelled"]


def test_a_cancel_without_the_wish_waits_for_nothing() -> None:
    assert above("cancel requested").carry_out() == ["stop sub (cancelled)", "the run is cancelled"]


def test_what_a_run_below_could_not_undo_counts_above() -> None:
    story = above("cancel with undo requested")
    story.carry_out()
    ended(story, "failed", failed=[{"node": "x"}])
    story.tell("undo_a succeeded")
    assert story.carry_out() == ["undoing ends (1 undone, 1 failed, 0 left)", "the run fails (undo_failed)"]


def test_a_run_below_that_had_completed_just_then_is_left() -> None:
    story = above("cancel with undo requested")
    story.carry_out()
    ended(story, "completed")
    assert [told["node"] for told in saga.summary_of(story.state)["left"]] == ["sub", "a"]


def test_stopping_the_undoing_does_not_wait_for_a_run_below() -> None:
    story = above("cancel with undo requested")
    story.carry_out()
    story.tell("cancel requested")
    assert story.carry_out() == ["undoing ends (0 undone, 0 failed, 2 left)", "the run is cancelled"]
    assert story.tell("retried").carry_out() == ["start b", "start sub"]
    assert story.state.left_behind == {}


def test_a_run_below_whose_end_was_taken_in_is_not_waited_for() -> None:
    story = above("sub resumed it has ended", "sub failed")
    assert story.carry_out() == ["sub fails (broken)", "undoing begins (broken)", "start undo_a"]


def test_a_step_does_not_try_again_before_the_run_of_its_last_attempt_has_ended() -> None:
    """That one undoes just what the next would do."""
    twice = {"max_attempts": 2, "initial_seconds": 0, "jitter": False}
    story = Story(define(node("sub", retry=twice, timeout_seconds=5)), "sub begins first", "5 seconds later")
    assert story.carry_out() == ["sub times out (timeout)", "sub is tried again in 0 s"]
    assert story.state.status is RunStatus.WAITING and next_due(story.state) is None
    assert ended(story, run="first") == ["start sub again (2)"]


def test_the_end_of_a_run_that_was_told_to_its_node_in_the_moment_it_gave_up_counts_all_the_same() -> None:
    twice = {"max_attempts": 2, "initial_seconds": 0, "jitter": False}
    story = Story(define(node("sub", retry=twice, timeout_seconds=5)), "sub begins first", "5 seconds later")
    story.carry_out()
    told = Signal(1, SignalKind.NODE, story.now, node="sub", data={"run": "first", "status": "failed", "error": None})
    (event,) = interpret(story.state, told, story.now)
    story.record(event)
    assert story.carry_out() == ["start sub again (2)"]
    assert [type(again).__name__ for again in interpret(story.state, told, story.now)] == ["SignalIgnored"]
