"""Pause, resume, cancel, timeouts and failures of the whole run, and retrying it."""

from __future__ import annotations

from datetime import timedelta

from orchestration.engine import events
from orchestration.engine.planner import next_due
from orchestration.engine.reopening import reopened_by_retry
from orchestration.engine.statuses import NodeStatus, RunStatus
from tests.engine.definitions import define, node
from tests.engine.simulator import BEGINNING
from tests.engine.words import Story

TWICE = {"max_attempts": 2, "jitter": False}


def test_cancel_stops_what_works_waits_and_is_to_be_tried_again_and_then_ends_the_run() -> None:
    story = Story(
        define(node("a"), node("b"), node("c", retry=TWICE), node("d")), "a started", "b waits", "c failed busy"
    )
    assert story.tell("cancel requested").carry_out() == [
        "stop a (cancelled)",
        "stop b (cancelled)",
        "stop c (cancelled)",
        "the run is cancelled",
    ]
    assert story.state.status is RunStatus.CANCELLED


def test_a_paused_run_can_be_cancelled() -> None:
    story = Story(define("a > b"), "a started", "paused", "cancel requested")
    assert story.carry_out() == ["stop a (cancelled)", "the run is cancelled"]


def test_a_paused_run_begins_nothing_and_takes_in_what_ends() -> None:
    story = Story(define("a > b", "a:error > c"), "a started", "paused", "a succeeded")
    assert story.carry_out() == ["c is skipped (dead_path)"]
    assert story.state.status is RunStatus.PAUSED
    assert next_due(story.state) is None
    assert story.tell("resumed").plan() == ["start b"]


def test_a_paused_run_tries_nothing_again() -> None:
    story = Story(define(node("a", retry=TWICE)), "a failed busy", "paused")
    story.carry_out()
    assert story.tell("10 seconds later").plan() == []
    assert next_due(story.state) is None
    assert story.tell("resumed").plan() == ["start a again (2)"]


def test_waits_go_on_in_a_paused_run() -> None:
    story = Story(define(node("a")), "a waits 5", "paused", "5 seconds later")
    assert story.plan() == ["resume a"]


def test_a_paused_run_whose_last_node_ends_completes() -> None:
    assert Story(define(node("a")), "a started", "paused", "a succeeded").carry_out() == ["complete"]


def test_an_unhandled_failure_cancels_the_others_and_fails_the_run_with_the_first_error() -> None:
    story = Story(
        define(node("a"), node("b"), node("c")), "a started", "b waits", "c started", "a failed", "c failed wrong"
    )
    assert story.carry_out() == [
        "a fails (broken)",
        "c fails (wrong)",
        "stop b (run_failed)",
        "the run fails (broken at a)",
    ]
    assert story.state.error["code"] == "broken"


def test_what_depends_on_a_failure_is_left_pending() -> None:
    story = Story(define("a > b"), "a failed")
    story.carry_out()
    assert story.state.node(("b", ())).status is NodeStatus.PENDING


def test_continue_finishes_what_does_not_depend_on_the_failure() -> None:
    definition = define("a > a2", "b > b2", "a2 > end", "b2 > end", on_failure="continue")
    story = Story(definition, "b started", "a failed")
    assert story.carry_out() == ["a fails (broken)"]

    story.tell("b waits")
    assert story.state.status is RunStatus.WAITING
    story.tell("b resumed yes", "b succeeded")
    assert story.carry_out() == ["start b2"]
    assert story.tell("b2 succeeded").carry_out() == ["the run fails (broken at a)"]


def test_the_runs_timeout_ends_everything() -> None:
    story = Story(define("a > b", timeout_seconds=60), "a waits")
    assert next_due(story.state) == BEGINNING + timedelta(seconds=60)
    assert story.tell("60 seconds later").carry_out() == ["stop a (timeout)", "the run fails (run_timeout)"]


def test_a_pause_puts_the_runs_timeout_off() -> None:
    story = Story(define(node("a"), timeout_seconds=60), "a waits", "40 seconds later", "paused", "100 seconds later")
    assert (story.plan(), next_due(story.state)) == ([], None)
    story.tell("resumed", "19 seconds later")
    assert story.plan() == []
    assert story.tell("1 seconds later").plan() == ["stop a (timeout)"]


def test_retrying_a_failed_run_keeps_what_has_succeeded() -> None:
    story = Story(define("a > b", "a > c", "b > d", "c > d"), "a succeeded", "c started", "b failed")
    story.carry_out()
    assert {key[0] for key in reopened_by_retry(story.state)} == {"b", "c"}

    assert story.tell("retried").plan() == ["start b", "start c"]
    assert story.state.node(("a", ())).status is NodeStatus.SUCCEEDED
    assert story.state.error is None
    story.tell("b succeeded", "c succeeded", "d succeeded")
    assert story.carry_out() == ["complete"]


def test_attempts_count_anew_when_a_run_is_retried() -> None:
    story = Story(define(node("a", retry=TWICE)), "a failed busy", "a failed busy")
    story.carry_out()
    story.tell("retried")
    assert story.plan() == ["start a"]
    assert story.tell("a failed busy").plan() == ["a is tried again in 1 s"]


def test_a_join_that_has_fired_does_not_fire_again_when_the_run_is_retried() -> None:
    any_of = {"rule": "any", "losers": "cancel"}
    definition = define(node("j", join=any_of), "a > j", "b > j", "j > c")
    story = Story(definition, "b started", "a succeeded")
    story.carry_out()
    story.tell("j succeeded", "c failed")
    story.carry_out()
    assert {key[0] for key in reopened_by_retry(story.state)} == {"c"}
    assert story.tell("retried").plan() == ["start c"]


def test_a_failure_that_was_handled_stays_handled_when_the_run_is_retried() -> None:
    story = Story(define("a:error > b", "a > x"), "a failed")
    story.carry_out()
    story.tell("b failed")
    story.carry_out()
    assert story.tell("retried").plan() == ["start b"]


def test_a_run_whose_outputs_failed_only_works_them_out_again() -> None:
    story = Story(define(node("a")), "a succeeded")
    story.record(events.RunFailed(at=story.now, error={"code": "expression"}))
    assert story.tell("retried").plan() == ["complete"]


def test_the_runs_timeout_counts_anew_from_a_retry() -> None:
    story = Story(define(node("a"), timeout_seconds=60), "a waits", "60 seconds later")
    story.carry_out()
    assert story.tell("retried", "59 seconds later").plan() == ["start a"]
