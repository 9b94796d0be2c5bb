"""Loops: iterations, limits, failures inside, nesting."""

from __future__ import annotations

import pytest

from orchestration.engine.statuses import RunStatus
from tests.engine.definitions import Definition, define, node
from tests.engine.words import Story

TWICE = {"max_attempts": 2, "jitter": False}


def loop(*parts: dict[str, object] | str, on_error: str = "stop", **fields: object) -> Definition:
    """A loop `each` over a body of `a > b`."""
    each = node("each", "loop", settings={"on_error": on_error}, **fields)
    return define(each, node("a", parent="each"), node("b", parent="each"), "a > b", *parts)


def test_a_loop_begins_as_many_iterations_as_its_limit_allows() -> None:
    story = Story(loop(), "each opened 5/2")
    assert story.carry_out() == ["each begins 0", "each begins 1", "start a[0]", "start a[1]"]


def test_the_next_iteration_begins_when_one_has_ended() -> None:
    story = Story(loop(), "each opened 3", "a[0] succeeded", "b[0] succeeded")
    assert story.carry_out() == ["end each 0", "each begins 1", "start a[1]"]


def test_the_body_of_an_ended_iteration_is_forgotten() -> None:
    story = Story(loop(), "each opened 3", "a[0] succeeded", "b[0] succeeded", "each ended 0")
    assert list(story.state.nodes) == [("each", ())]
    assert list(story.state.scopes) == [(None, ())]


def test_a_loop_succeeds_with_what_its_iterations_yield_in_the_order_of_its_items() -> None:
    story = Story(loop(), "each opened 2/2", "a[0] started", "a[1] succeeded", "b[1] succeeded", "each ended 1")
    story.tell("a[0] succeeded", "b[0] succeeded", "each ended 0")
    assert story.plan() == [
        "each succeeds with {'items': ['result 0', 'result 1'], 'count': 2, 'errors': [], 'ended_by': 'items'}"
    ]


def test_an_empty_list_succeeds_at_once() -> None:
    story = Story(loop("each > c"), "each opened 0")
    assert story.carry_out() == [
        "each succeeds with {'items': [], 'count': 0, 'errors': [], 'ended_by': 'items'}",
        "start c",
    ]


def test_a_loop_without_a_body_yields_its_results() -> None:
    story = Story(define(node("each", "loop")), "each opened 1")
    assert story.carry_out()[:3] == [
        "each begins 0",
        "end each 0",
        "each succeeds with {'items': [0], 'count': 1, 'errors': [], 'ended_by': 'items'}",
    ]


def test_stop_ends_the_other_iterations_and_fails_the_loop_with_the_first_error() -> None:
    story = Story(loop(), "each opened 5/3", "a[0] started", "a[1] started", "a[2] waits", "a[1] failed")
    assert story.carry_out() == [
        "a[1] fails (broken)",
        "each ends 1 (broken)",
        "stop a[0] (loop_stopped)",
        "stop a[2] (loop_stopped)",
        "each fails (broken)",
        "the run fails (broken at a[1])",
    ]


def test_a_failure_stops_the_rest_of_its_own_iteration() -> None:
    story = Story(loop(node("c", parent="each")), "each opened 1", "c[0] started", "a[0] failed")
    assert story.carry_out()[:3] == ["a[0] fails (broken)", "stop c[0] (iteration_failed)", "each ends 0 (broken)"]


@pytest.mark.parametrize(("on_error", "items"), [("gap", "['result 0', None]"), ("leave_out", "['result 0']")])
def test_a_failed_iteration_may_leave_a_gap_or_nothing(on_error: str, items: str) -> None:
    story = Story(loop(on_error=on_error), "each opened 2", "a[0] succeeded", "b[0] succeeded", "each ended 0")
    story.tell("a[1] failed")
    said = story.carry_out()
    assert said[:2] == ["a[1] fails (broken)", "each ends 1 (broken)"]
    assert said[2].startswith(f"each succeeds with {{'items': {items}")
    outputs = story.state.nodes["each", ()].outputs
    assert [(found["index"], found["code"], found["node"]) for found in outputs["errors"]] == [(1, "broken", "a")]


def test_an_error_port_inside_keeps_the_iteration_going() -> None:
    story = Story(loop(node("c", parent="each"), "a:error > c"), "each opened 1", "a[0] failed")
    assert story.carry_out() == ["a[0] fails (broken) handled", "b[0] is skipped (dead_path)", "start c[0]"]


def test_a_loops_own_error_port_handles_the_failure_of_its_body() -> None:
    story = Story(loop("each:error > c"), "each opened 1", "a[0] failed")
    assert story.carry_out() == [
        "a[0] fails (broken)",
        "each ends 0 (broken)",
        "each fails (broken) handled",
        "start c",
    ]
    assert not [key for key in story.state.nodes if key[1]]


def test_a_loop_that_could_not_open_is_tried_again_like_any_node() -> None:
    story = Story(loop(retry=TWICE), "each failed busy")
    assert story.carry_out() == ["each is tried again in 1 s"]


def test_the_timeout_of_a_loop_ends_it_with_all_that_is_inside() -> None:
    story = Story(loop(timeout_seconds=60), "each opened 2/2", "a[0] started", "a[1] waits", "60 seconds later")
    assert story.carry_out() == [
        "stop a[0] (timeout)",
        "stop a[1] (timeout)",
        "each fails (timeout)",
        "the run fails (timeout at each)",
    ]


def test_a_loop_inside_of_a_loop_has_paths_of_two_indexes() -> None:
    definition = define(
        node("outer", "loop"),
        node("inner", "loop", parent="outer"),
        node("a", parent="inner"),
        node("b", parent="outer"),
        "inner > b",
    )
    story = Story(definition, "outer opened 2", "inner[0] opened 2/2")
    assert story.carry_out() == ["inner[0] begins 0", "inner[0] begins 1", "start a[0.0]", "start a[0.1]"]

    story.tell("a[0.0] succeeded", "a[0.1] succeeded")
    assert story.carry_out() == [
        "end inner[0] 0",
        "end inner[0] 1",
        "inner[0] succeeds with {'items': [0, 1], 'count': 2, 'errors': [], 'ended_by': 'items'}",
        "start b[0]",
    ]


def test_cancelling_a_loop_cancels_what_is_inside_first() -> None:
    definition = define(
        node("outer", "loop"), node("inner", "loop", parent="outer"), node("a", parent="inner"), node("x")
    )
    story = Story(definition, "x waits", "outer opened 1", "inner[0] opened 2", "a[0.0] started")
    assert story.tell("cancel requested").carry_out() == [
        "stop a[0.0] (cancelled)",
        "stop inner[0] (cancelled)",
        "stop outer (cancelled)",
        "stop x (cancelled)",
        "the run is cancelled",
    ]


def test_a_loop_that_loses_a_join_takes_its_body_along() -> None:
    any_of = {"rule": "any", "losers": "cancel"}
    story = Story(loop(node("j", join=any_of), "each > j", "x > j"), "each opened 2", "a[0] started", "x succeeded")
    assert story.carry_out() == ["stop a[0] (lost_join)", "stop each (lost_join)", "start j"]
    assert set(story.state.scopes) == {(None, ())}


def test_a_join_inside_a_loop_fires_once_in_every_iteration() -> None:
    any_of = {"rule": "any", "losers": "finish"}
    story = Story(loop(node("j", parent="each", join=any_of), "a > j", "b > j"), "each opened 2/2")
    story.tell("a[0] succeeded", "a[1] succeeded", "b[0] succeeded")
    assert story.carry_out() == ["start b[1]", "start j[0]", "start j[1]"]


def test_nothing_begins_in_a_paused_loop_and_what_is_inside_may_end() -> None:
    story = Story(loop(), "each opened 3/2", "a[0] succeeded", "b[0] succeeded", "a[1] started", "paused")
    assert story.carry_out() == ["end each 0"]
    assert story.state.status is RunStatus.PAUSED
    assert story.tell("resumed").carry_out() == ["each begins 2", "start a[2]"]


def test_retrying_the_run_goes_on_in_the_iterations_that_failed() -> None:
    story = Story(loop(), "each opened 3/2", "a[0] succeeded", "b[0] succeeded", "each ended 0")
    story.tell("a[1] succeeded", "b[1] started", "a[2] started", "b[1] failed")
    story.carry_out()
    assert story.state.status is RunStatus.FAILED

    assert story.tell("retried").carry_out() == ["start a[2]", "start b[1]"]
    story.tell("b[1] succeeded", "a[2] succeeded", "b[2] succeeded")
    assert story.carry_out() == [
        "end each 1",
        "end each 2",
        "each succeeds with {'items': ['result 0', 1, 2], 'count': 3, 'errors': [], 'ended_by': 'items'}",
        "complete",
    ]


def test_retrying_a_cancelled_run_goes_on_in_the_open_iterations() -> None:
    story = Story(loop(), "each opened 2", "a[0] succeeded", "b[0] started", "cancel requested")
    story.carry_out()
    assert story.state.status is RunStatus.CANCELLED

    assert story.tell("retried").carry_out() == ["start b[0]"]
    story.tell("b[0] succeeded")
    assert story.carry_out() == ["end each 0", "each begins 1", "start a[1]"]


# While a condition holds


def test_the_condition_is_asked_before_each_iteration() -> None:
    story = Story(loop(), "each repeats 10")
    assert story.carry_out() == ["check each 0"]
    story.tell("each holds", "a[0] succeeded", "b[0] succeeded")
    assert story.carry_out() == ["end each 0", "check each 1"]


def test_a_loop_whose_condition_holds_no_longer_ends_well() -> None:
    story = Story(loop(), "each repeats 10", "each holds", "a[0] succeeded", "b[0] succeeded", "each ended 0")
    assert story.plan() == ["check each 1"]
    story.tell("each closes")
    expected = {"items": ["result 0"], "count": 1, "errors": [], "ended_by": "condition"}
    assert story.plan() == [f"each succeeds with {expected}"]


def test_a_condition_that_never_holds_gives_an_empty_result() -> None:
    story = Story(loop(), "each repeats 10", "each closes")
    assert "'items': [], 'count': 0" in story.plan()[0]


def test_a_condition_that_still_holds_at_the_limit_fails_the_loop() -> None:
    story = Story(loop(), "each repeats 1", "each holds", "a[0] succeeded", "b[0] succeeded", "each ended 0")
    story.tell("each holds")
    assert story.carry_out() == ["each fails (too_many_iterations)", "the run fails (too_many_iterations at each)"]
    assert "after 1 iterations" in story.state.error["message"]


def test_a_condition_that_cannot_be_evaluated_fails_the_loop_through_its_error_port() -> None:
    story = Story(loop("each:error > c"), "each repeats 10", "each errs")
    assert story.carry_out() == ["each fails (expression) handled", "start c"]


def test_a_retry_asks_again_for_a_condition_that_went_wrong() -> None:
    story = Story(
        loop(), "each repeats 10", "each holds", "a[0] succeeded", "b[0] succeeded", "each ended 0", "each errs"
    )
    story.carry_out()
    assert story.state.status is RunStatus.FAILED
    assert story.tell("retried").plan() == ["check each 1"]


def test_no_condition_is_asked_while_the_run_is_paused() -> None:
    story = Story(loop(), "each repeats 10", "paused")
    assert story.plan() == []
    assert story.tell("resumed").plan() == ["check each 0"]


# Break


def broken_by(*parts: dict[str, object] | str, on_error: str = "stop") -> Definition:
    """A loop with a break beside `a > b`."""
    return loop(node("stop", "break", parent="each"), *parts, on_error=on_error)


def test_a_break_ends_the_loop_after_its_iteration() -> None:
    story = Story(broken_by(), "each opened 5", "a[0] started", "stop[0] succeeded")
    assert story.carry_out() == ["each is broken in 0 by stop"]
    story.tell("a[0] succeeded", "b[0] succeeded")
    assert story.carry_out()[:1] == ["end each 0"]
    assert story.state.nodes["each", ()].outputs == {"items": [0], "count": 1, "errors": [], "ended_by": "break"}


def test_a_break_stops_the_other_iterations_and_keeps_what_has_been_yielded() -> None:
    story = Story(
        broken_by(), "each opened 9/3", "a[0] succeeded", "b[0] succeeded", "stop[0] cancelled", "each ended 0"
    )
    story.tell("a[1] started", "a[2] waits", "stop[1] succeeded")
    assert story.carry_out() == ["stop a[2] (loop_broken)", "each is broken in 1 by stop"]
    story.tell("a[1] succeeded", "b[1] succeeded", "each ended 1 nothing")
    outputs = {"items": ["result 0"], "count": 1, "errors": [], "ended_by": "break"}
    assert story.carry_out() == [f"each succeeds with {outputs}", "complete"]
    assert [key for key in story.state.nodes if key[1]] == []


def test_an_iteration_that_fails_after_its_break_goes_by_on_error() -> None:
    story = Story(broken_by(), "each opened 5", "stop[0] succeeded", "a[0] failed")
    assert story.carry_out() == [
        "each is broken in 0 by stop",
        "a[0] fails (broken)",
        "each ends 0 (broken)",
        "each fails (broken)",
        "the run fails (broken at a[0])",
    ]
    assert story.tell("retried").plan() == ["start a[0]"]
    story.tell("a[0] succeeded", "b[0] succeeded")
    assert story.carry_out()[-2].startswith("each succeeds") and story.carry_out() == []


def test_a_failed_iteration_that_is_left_out_does_not_undo_its_break() -> None:
    story = Story(broken_by(on_error="leave_out"), "each opened 5", "stop[0] succeeded", "a[0] failed")
    assert story.carry_out()[-2].startswith("each succeeds with {'items': [], 'count': 0, 'errors': [{'index': 0")


def test_a_break_inside_of_an_inner_loop_ends_only_that() -> None:
    definition = define(
        node("outer", "loop"),
        node("inner", "loop", parent="outer"),
        node("stop", "break", parent="inner"),
    )
    story = Story(definition, "outer opened 2", "inner[0] opened 5", "stop[0.0] succeeded")
    assert story.carry_out() == [
        "inner[0] is broken in 0 by stop",
        "end inner[0] 0",
        "inner[0] succeeds with {'items': [0], 'count': 1, 'errors': [], 'ended_by': 'break'}",
        "end outer 0",
        "outer begins 1",
        "start inner[1]",
    ]


def test_a_break_also_ends_a_loop_that_repeats() -> None:
    story = Story(broken_by(), "each repeats 10", "each holds", "a[0] succeeded", "b[0] succeeded", "stop[0] succeeded")
    assert story.carry_out()[-2].endswith("'ended_by': 'break'}")


def test_a_break_that_was_reached_as_the_run_was_cancelled_counts_when_it_is_retried() -> None:
    story = Story(broken_by(), "each opened 5", "a[0] started", "stop[0] succeeded", "cancel requested")
    story.carry_out()
    assert story.tell("retried").plan() == ["each is broken in 0 by stop"]


def test_with_gaps_only_what_failed_is_null_in_a_loop_that_was_broken() -> None:
    story = Story(broken_by(on_error="gap"), "each opened 9/3", "a[0] failed")
    story.carry_out()
    story.tell("stop[1] succeeded").carry_out()
    story.tell("a[1] succeeded", "b[1] succeeded")
    story.carry_out()
    assert story.state.nodes["each", ()].outputs["items"] == [None, 1]
