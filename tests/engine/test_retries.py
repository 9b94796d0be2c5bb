"""Trying again: how often, when, and that it competes for places like everything else."""

from __future__ import annotations

from datetime import timedelta

import pytest

from orchestration.engine.apply import apply
from orchestration.engine.events import AttemptAbandoned, AttemptFailed
from orchestration.engine.nodes import RetryPolicy
from orchestration.engine.planner import next_due, plan
from orchestration.engine.retry import MOST_ABANDONMENTS, chance, delay_seconds
from orchestration.engine.statuses import RunStatus
from tests.engine.definitions import define, node
from tests.engine.simulator import BEGINNING
from tests.engine.words import Story, command_words, error

TWICE = {"max_attempts": 2, "jitter": False}


@pytest.mark.parametrize(
    ("backoff", "delays"),
    [
        ("fixed", [2, 2, 2, 2, 2]),
        ("linear", [2, 4, 6, 8, 10]),
        ("exponential", [2, 4, 8, 10, 10]),
    ],
)
def test_delays_grow_as_the_policy_says_and_no_further_than_its_limit(backoff: str, delays: list[float]) -> None:
    policy = RetryPolicy(max_attempts=9, backoff=backoff, initial_seconds=2, max_seconds=10, jitter=False)
    assert [delay_seconds(policy, failures, {}, 0.5) for failures in range(1, 6)] == delays


def test_a_hundredth_attempt_still_has_a_delay() -> None:
    assert delay_seconds(RetryPolicy(jitter=False), 5_000, {}, 0.5) == 60


def test_jitter_takes_up_to_half() -> None:
    policy = RetryPolicy(initial_seconds=8)
    assert [delay_seconds(policy, 1, {}, by) for by in (0.0, 0.5)] == [4, 6]


def test_chance_is_the_same_for_the_same_attempt_and_spread_over_others() -> None:
    drawn = [chance("run", ("a", (index,)), 1) for index in range(1_000)]
    assert drawn == [chance("run", ("a", (index,)), 1) for index in range(1_000)]
    assert 0 <= min(drawn) < 0.05 and 0.95 < max(drawn) < 1
    assert 0.45 < sum(drawn) / len(drawn) < 0.55


def test_what_the_other_side_asked_for_is_the_least() -> None:
    policy = RetryPolicy(initial_seconds=2, max_seconds=10, jitter=False)
    assert delay_seconds(policy, 1, error("busy", retry_after=30), 0.5) == 30
    assert delay_seconds(policy, 1, error("busy", retry_after=0.5), 0.5) == 2
    assert delay_seconds(policy, 1, error("busy", retry_after=1e300), 0.5) == 31 * 24 * 3600, "no time overflows"


def test_a_delay_counts_from_the_failure_even_if_the_plan_is_made_late() -> None:
    story = Story(define(node("a", retry=TWICE)), "a failed busy", "0.75 seconds later")
    assert story.carry_out() == ["a is tried again in 0.25 s"]


def test_a_retry_starts_when_it_is_due_and_the_run_waits_until_then() -> None:
    story = Story(define(node("a", retry=TWICE)), "a failed busy")
    story.carry_out()

    assert story.state.status is RunStatus.WAITING
    assert next_due(story.state) == BEGINNING + timedelta(seconds=1)
    assert story.tell("1 seconds later").plan() == ["start a again (2)"]


def test_a_due_retry_competes_for_a_place_with_what_has_not_begun() -> None:
    story = Story(
        define(node("a", retry=TWICE), node("urgent", priority=9), node("idle", priority=1), max_parallel=2),
        "a failed busy",
    )
    assert story.carry_out() == ["a is tried again in 1 s", "start urgent", "start idle"]
    assert story.tell("1 seconds later").plan() == ["start urgent", "start a again (2)"]


def test_a_due_retry_without_a_free_place_is_no_reason_to_wake_up() -> None:
    story = Story(define(node("a", retry=TWICE), node("b"), max_parallel=1), "a failed busy")
    story.carry_out()
    story.tell("b started", "5 seconds later")

    assert story.plan() == []
    assert next_due(story.state) is None
    assert story.tell("b succeeded").plan() == ["start a again (2)"]


def test_an_attempt_that_was_cut_off_is_begun_again_at_once_and_is_no_try() -> None:
    story = Story(define(node("a", retry=TWICE)), "a abandoned", "a abandoned")
    assert story.plan() == ["start a again (3)"]
    assert story.tell("a failed busy").plan() == ["a is tried again in 1 s"]


def test_a_node_that_keeps_losing_its_host_fails() -> None:
    story = Story(define(node("a", retry={"max_attempts": 9})), *["a abandoned"] * MOST_ABANDONMENTS)
    assert story.plan() == [f"start a again ({MOST_ABANDONMENTS + 1})"]
    assert story.tell("a abandoned").plan() == ["a fails (abandoned)"]


def test_an_at_most_once_node_that_was_cut_off_is_for_a_person_to_decide() -> None:
    story = Story(define(node("a", delivery="at_most_once", retry={"max_attempts": 9})), "a abandoned")
    assert story.plan() == ["a asks operator (outcome_unknown)"]

    handled = Story(define(node("a", delivery="at_most_once"), "a:error > ask"), "a abandoned")
    assert handled.carry_out() == ["a fails (outcome_unknown) handled", "start ask"]


def test_at_most_once_is_not_tried_again_after_an_attempt_that_did_not_end_in_time() -> None:
    """Nobody knows what became of it, whatever the policy says of time-outs."""
    eager = {"max_attempts": 9, "on": ["timeout", "busy"]}
    story = Story(define(node("a", delivery="at_most_once", retry=eager)), "a failed timeout")
    assert story.plan() == ["a asks operator (timeout)"]
    known = Story(define(node("a", delivery="at_most_once", retry={**eager, "jitter": False})), "a failed busy")
    assert known.plan() == ["a is tried again in 1 s"]


def test_some_codes_are_never_tried_again() -> None:
    policy = {"max_attempts": 3, "not_on": ["busy"]}
    assert Story(define(node("a", retry=policy)), "a failed busy").plan() == ["a fails (busy)"]


# Time for all attempts together


def test_no_attempt_begins_that_would_begin_too_late() -> None:
    slow = {"max_attempts": 9, "backoff": "fixed", "initial_seconds": 4, "jitter": False}
    story = Story(define(node("a", retry=slow, total_timeout_seconds=10)), "a failed busy")
    assert story.carry_out() == ["a is tried again in 4 s"]
    assert story.tell("4 seconds later", "a failed busy").carry_out() == ["a is tried again in 4 s"]
    assert story.tell("4 seconds later", "a failed busy").plan() == ["a fails (node_timeout)"]


def test_a_wait_ends_with_the_time_of_all_attempts() -> None:
    story = Story(define(node("a", timeout_seconds=60, total_timeout_seconds=10)), "a waits")
    assert next_due(story.state) == BEGINNING + timedelta(seconds=10)
    story.tell("10 seconds later")
    assert story.carry_out() == ["a times out (timeout)", "a fails (node_timeout)", "the run fails (node_timeout at a)"]


# Alternatives


def test_after_the_last_attempt_the_next_agent_begins_with_attempts_of_its_own() -> None:
    story = Story(define(node("a", retry=TWICE, settings={"alternatives": ["b", "c"]})), "a failed busy")
    story.tell("1 seconds later", "a failed busy")
    assert story.carry_out() == ["a turns to b (busy)", "start a again (3)"]
    assert story.state.nodes["a", ()].alternative == 1
    assert story.tell("a failed busy").carry_out() == ["a is tried again in 1 s"]
    assert story.tell("1 seconds later", "a failed broken").carry_out() == [
        "a turns to c (broken)",
        "start a again (5)",
    ]
    assert story.tell("a failed broken").plan() == ["a fails (broken)"]


def test_the_error_port_comes_after_the_last_alternative() -> None:
    story = Story(define(node("a", settings={"alternatives": ["b"]}), "a:error > mend"), "a failed")
    assert story.carry_out() == ["a turns to b (broken)", "start a again (2)"]
    assert story.tell("a failed").carry_out() == ["a fails (broken) handled", "start mend"]


def test_no_alternative_begins_while_it_is_unknown_what_the_former_did() -> None:
    definition = define(node("a", delivery="at_most_once", settings={"alternatives": ["b"]}))
    assert Story(definition, "a abandoned").plan() == ["a asks operator (outcome_unknown)"]
    assert Story(definition, "a failed timeout").plan() == ["a asks operator (timeout)"]
    assert Story(definition, "a failed broken").plan() == ["a turns to b (broken)"]


def test_a_new_host_goes_on_with_the_alternative_that_was_at_work() -> None:
    story = Story(define(node("a", settings={"alternatives": ["b"]})), "a failed")
    story.carry_out()
    story.tell("a abandoned")
    assert story.plan() == ["start a again (3)"]
    assert story.state.nodes["a", ()].alternative == 1


def test_an_agents_own_policy_holds_where_the_node_brings_none() -> None:
    """The error carries it, so that the plan needs nothing but the state."""
    own = error("busy", retry_policy={"max_attempts": 3, "backoff": "fixed", "initial_seconds": 5, "jitter": False})
    for brought, due in (({}, "a is tried again in 5 s"), ({"retry": TWICE}, "a is tried again in 1 s")):
        state = Story(define(node("a", **brought)), "a started").state
        failed = AttemptFailed(at=BEGINNING, node="a", attempt=1, error=own)
        apply(state, failed)
        assert [command_words(command, BEGINNING) for command in plan(state, BEGINNING)] == [due]


def test_without_any_policy_a_node_is_tried_once() -> None:
    assert Story(define(node("a")), "a failed busy").plan() == ["a fails (busy)"]


@pytest.mark.parametrize(
    ("acted", "follows"),
    [("", "a is tried again in 1 s"), ("maybe", "a asks operator (outcome_unknown)"), ("yes", "a fails (busy)")],
)
def test_an_at_most_once_node_is_tried_again_only_if_nothing_took_effect(acted: str, follows: str) -> None:
    retry = {"max_attempts": 3, "jitter": False}
    story = Story(define(node("a", delivery="at_most_once", retry=retry)), "a started")
    story.record(AttemptFailed(at=BEGINNING, node="a", attempt=1, error=error("busy"), acted=acted))
    assert story.plan() == [follows]


def test_an_at_most_once_node_that_had_begun_no_call_begins_again() -> None:
    story = Story(define(node("a", delivery="at_most_once")), "a started")
    story.record(AttemptAbandoned(at=BEGINNING, node="a", attempt=1, acted=""))
    assert story.plan() == ["start a again (2)"]
