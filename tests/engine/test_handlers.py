"""Error handlers: their path runs when nothing else has handled a failure, and never otherwise."""

from __future__ import annotations

import pytest

from orchestration.engine.events import NodeStarted
from orchestration.engine.statuses import NodeStatus, RunStatus
from tests.engine.definitions import Definition, define, node
from tests.engine.words import Story, error


def handled(then: str = "fail", **settings: object) -> Definition:
    handler = node("h", "error_handler", settings={"then": then})
    return define(node("a"), node("b"), handler, "a > c", "h > tidy", **settings)


def test_the_normal_flow_never_starts_a_handler() -> None:
    story = Story(handled())
    assert story.plan() == ["start a", "start b"]
    assert story.tell("a succeeded", "b succeeded", "c succeeded").carry_out() == ["complete"]


def test_a_failure_stops_what_is_under_way_and_the_handlers_path_runs() -> None:
    story = Story(handled(), "b started", "a failed")
    assert story.carry_out() == ["a fails (broken)", "stop b (error_handled)", "h takes over (broken)", "start h"]
    assert story.state.nodes["h", ()].handles == {"node": "a", "path": "", **error("broken")}
    assert story.tell("h succeeded").carry_out() == ["start tidy"]
    assert story.tell("tidy succeeded").carry_out() == ["the run fails (broken at a)"]


def test_the_run_completes_if_the_handler_says_so() -> None:
    story = Story(handled("complete"), "a failed")
    story.carry_out()
    story.tell("h succeeded")
    story.carry_out()
    assert story.tell("tidy succeeded").carry_out() == ["complete"]


def test_a_failure_inside_of_the_path_fails_the_run_and_keeps_the_first() -> None:
    story = Story(handled("complete"), "a failed")
    story.carry_out()
    story.tell("h succeeded", "tidy failed busy")
    assert story.carry_out()[-1] == "the run fails (busy at tidy)"
    assert story.state.error["handling"]["node"] == "a"


@pytest.mark.parametrize("fields", [{"optional": True}, {"escalate": {"role": "duty"}}])
def test_whoever_is_asked_before_the_handler_has_the_word(fields: dict[str, object]) -> None:
    story = Story(define(node("a", **fields), node("h", "error_handler")), "a failed")
    assert not any("takes over" in said for said in story.carry_out())


def test_it_comes_before_the_undoing() -> None:
    undo = (node("a", compensate_with="undo"), node("undo"))
    story = Story(define(*undo, node("h", "error_handler"), "a > b"), "a succeeded", "b failed")
    assert story.carry_out() == ["b fails (broken)", "h takes over (broken)", "start h"]
    story.tell("h succeeded")
    assert story.carry_out() == ["undoing begins (broken)", "start undo"]


def test_with_continue_what_does_not_depend_on_the_failure_goes_on_before() -> None:
    story = Story(handled(on_failure="continue"), "b started", "a failed")
    assert story.carry_out() == ["a fails (broken)"]
    assert story.tell("b succeeded").carry_out() == ["h takes over (broken)", "start h"]


def test_neither_cancel_nor_the_runs_time_goes_to_a_handler() -> None:
    assert Story(handled(), "cancel requested").carry_out() == ["the run is cancelled"]
    story = Story(handled(timeout_seconds=10), "10 seconds later")
    assert story.carry_out() == ["the run fails (run_timeout)"]


LOOP = (
    node("each", "loop", settings={"on_error": "stop"}),
    node("a", parent="each"),
    node("h", "error_handler", parent="each", settings={"then": "complete"}),
)


def test_in_a_loop_the_iteration_is_the_scope() -> None:
    story = Story(define(*LOOP), "each opened 2/2", "a[0] failed", "a[1] succeeded")
    assert "h[0] takes over (broken)" in story.carry_out()
    story.tell("h[0] succeeded")
    assert story.carry_out()[0] == "end each 0"
    assert story.state.status is RunStatus.COMPLETED


def test_a_handler_that_only_cleans_up_lets_the_iteration_fail() -> None:
    loop, a, h = LOOP
    story = Story(define(loop, a, {**h, "settings": {"then": "fail"}}), "each opened 1", "a[0] failed")
    story.carry_out()
    story.tell("h[0] succeeded")
    assert story.carry_out() == ["each ends 0 (broken)", "each fails (broken)", "the run fails (broken at a[0])"]


def test_a_retry_of_the_run_goes_on_with_the_normal_flow() -> None:
    story = Story(handled(), "b started", "a failed")
    story.carry_out()
    story.tell("h succeeded")
    story.carry_out()
    story.tell("tidy succeeded")
    story.carry_out()
    story.tell("retried")
    assert story.plan() == ["start a", "start b"]
    assert ("h", ()) not in story.state.nodes
    story.tell("a failed")
    assert "h takes over (broken)" in story.carry_out()


def test_nothing_of_the_normal_flow_begins_once_it_is_handled() -> None:
    story = Story(handled("complete", max_parallel=1), "a failed")
    said = story.carry_out()
    assert "start b" not in said
    story.record(NodeStarted(at=story.now, node="h", attempt=1))
    assert story.state.node(("b", ())).status is NodeStatus.PENDING
