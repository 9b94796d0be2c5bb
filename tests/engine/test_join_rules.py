"""Each rule of joins: when it starts, what it does with failures, when it gives up, what a retry of the run opens."""

from __future__ import annotations

from typing import Any

import pytest

from orchestration.engine.reopening import reopened_by_retry
from orchestration.engine.rules import RULES, Edges
from orchestration.engine.statuses import NodeStatus, RunStatus
from tests.engine.definitions import define, node
from tests.engine.simulator import graph_of
from tests.engine.words import Story

FIRST = {"rule": "first_success"}
TWO = {"rule": "n_of_m", "count": 2}
SETTLED = {"rule": "all_settled"}


@pytest.mark.parametrize(
    ("rule", "edges", "verdict"),
    [
        # (open, live, dead, failed)
        ("all", (1, 1, 0, 0), "wait"),
        ("all", (0, 1, 1, 0), "start"),
        ("all", (0, 0, 2, 0), "skip"),
        ("all", (0, 1, 0, 1), "skip"),
        ("any", (1, 1, 0, 0), "start"),
        ("any", (1, 0, 1, 0), "wait"),
        ("any", (0, 0, 2, 0), "skip"),
        ("any", (0, 0, 1, 1), "skip"),
        ("first_success", (2, 0, 0, 1), "wait"),
        ("first_success", (1, 1, 0, 1), "start"),
        ("first_success", (0, 0, 1, 1), "fail"),
        ("first_success", (0, 0, 2, 0), "skip"),
        ("n_of_m", (1, 1, 0, 1), "wait"),
        ("n_of_m", (1, 2, 0, 0), "start"),
        ("n_of_m", (1, 0, 0, 2), "fail"),
        ("n_of_m", (0, 1, 2, 0), "fail"),
        ("n_of_m", (1, 0, 2, 0), "wait"),
        ("n_of_m", (0, 0, 3, 0), "skip"),
        ("all_settled", (1, 1, 0, 1), "wait"),
        ("all_settled", (0, 1, 0, 1), "start"),
        ("all_settled", (0, 0, 1, 1), "start"),
        ("all_settled", (0, 0, 2, 0), "skip"),
    ],
)
def test_verdicts(rule: str, edges: tuple[int, int, int, int], verdict: str) -> None:
    assert RULES[rule](Edges(*edges), 2) == verdict


def branches(join: dict[str, Any], *parts: dict[str, Any] | str, **more: Any) -> Any:
    """Three branches of one node each, a join `j`, and `z` behind it."""
    return define(node("j", join=join, **more), "a > j", "b > j", "c > j", "j > z", *parts)


def test_first_success_goes_on_with_the_first_that_succeeds_and_cancels_the_others() -> None:
    story = Story(branches(FIRST), "a started", "b started", "c started", "a failed")
    assert story.carry_out() == ["a fails (broken) taken by j"]
    assert story.tell("b succeeded").carry_out() == ["stop c (lost_join)", "start j"]


def test_first_success_fails_with_what_failed_in_each_branch() -> None:
    story = Story(branches(FIRST), "a failed", "b failed wrong", "c failed")
    assert story.carry_out() == [
        "a fails (broken) taken by j",
        "b fails (wrong) taken by j",
        "c fails (broken) taken by j",
        "j fails (no_branch_succeeded)",
        "the run fails (no_branch_succeeded at j)",
    ]
    error = story.state.nodes["j", ()].error
    assert error["message"] == "No branch has succeeded. a failed: broken (2 more have failed)"
    assert [(found["branch"], found["code"]) for found in error["detail"]["branches"]] == [
        ("a", "broken"),
        ("b", "wrong"),
        ("c", "broken"),
    ]


def test_the_failure_of_a_join_goes_through_its_error_port() -> None:
    story = Story(branches(FIRST, "j:error > rescue"), "a failed", "b failed", "c failed")
    assert story.carry_out()[3:] == [
        "j fails (no_branch_succeeded) handled",
        "z is skipped (dead_path)",
        "start rescue",
    ]


def test_an_optional_join_whose_branches_fail_is_left_out() -> None:
    story = Story(branches(FIRST, optional=True), "a failed", "b failed", "c failed")
    assert story.carry_out()[3:] == ["j is skipped (optional)", "start z"]


def test_what_stands_behind_a_failure_in_its_branch_is_skipped_as_failed() -> None:
    story = Story(define(node("j", join=FIRST), "a > p", "p > q", "q > j", "b > j"), "a failed", "b started")
    assert story.carry_out() == [
        "a fails (broken) taken by j",
        "p is skipped (failed_path)",
        "q is skipped (failed_path)",
    ]
    assert story.state.nodes["q", ()].error["node"] == "a"
    assert story.tell("b succeeded").plan() == ["start j"]


def test_a_failure_that_may_lead_elsewhere_is_not_the_joins_to_take() -> None:
    story = Story(branches(FIRST, "a > log"), "a failed")
    assert story.carry_out() == ["a fails (broken)", "the run fails (broken at a)"]


def test_of_nested_joins_the_innermost_takes_a_failure() -> None:
    definition = define(node("i", join=FIRST), node("j", join=SETTLED), "a > i", "b > i", "i > j", "c > j")
    assert dict(graph_of(definition).takers) == {"a": "i", "b": "i", "i": "j", "c": "j"}
    story = Story(definition, "a failed", "b failed", "c succeeded")
    assert story.carry_out() == [
        "a fails (broken) taken by i",
        "b fails (broken) taken by i",
        "i fails (no_branch_succeeded) taken by j",
        "start j",
    ]


def test_two_of_three_start_with_the_second_success() -> None:
    story = Story(branches(TWO), "a succeeded", "b started", "c succeeded")
    assert story.carry_out() == ["stop b (lost_join)", "start j"]


def test_two_of_three_give_up_as_soon_as_two_have_failed() -> None:
    story = Story(branches(TWO), "a started", "b failed", "c failed")
    assert story.carry_out() == [
        "b fails (broken) taken by j",
        "c fails (broken) taken by j",
        "stop a (failed_join)",
        "j fails (too_few_branches)",
        "the run fails (too_few_branches at j)",
    ]
    message = story.state.error["message"]
    assert message.startswith("2 of 3 branches must succeed, and so many cannot any more. b failed: broken")


def test_branches_of_a_join_that_failed_may_finish() -> None:
    story = Story(branches({**TWO, "losers": "finish"}, "j:error > x"), "a started", "b failed", "c failed")
    assert "stop a (failed_join)" not in story.carry_out()
    story.tell("x succeeded", "a succeeded")
    assert story.carry_out() == ["complete"]


def test_two_of_three_are_skipped_when_no_branch_is_taken() -> None:
    story = Story(define(node("j", join=TWO), "s:x > a", "s:x > b", "a > j", "b > j"), "s succeeded")
    assert story.carry_out() == [
        "a is skipped (dead_path)",
        "b is skipped (dead_path)",
        "j is skipped (dead_path)",
        "complete",
    ]


def test_two_of_three_fail_when_too_few_branches_are_taken() -> None:
    story = Story(define(node("j", join=TWO), "s:x > a", "s > b", "a > j", "b > j"), "s succeeded")
    assert story.carry_out() == ["a is skipped (dead_path)", "start b"]
    story.tell("b succeeded")
    assert story.carry_out() == ["j fails (too_few_branches)", "the run fails (too_few_branches at j)"]


def test_all_settled_waits_for_every_branch_however_it_ends() -> None:
    story = Story(branches(SETTLED), "a failed", "b succeeded", "c started")
    assert story.carry_out() == ["a fails (broken) taken by j"]
    assert story.tell("c failed").carry_out() == ["c fails (broken) taken by j", "start j"]


def test_all_settled_starts_even_if_everything_failed() -> None:
    story = Story(branches(SETTLED), "a failed", "b failed", "c failed")
    assert story.carry_out()[-1] == "start j"


def test_a_rule_holds_for_any_node_with_several_edges() -> None:
    story = Story(define(node("judge", "work", join=SETTLED), "a > judge", "b > judge"), "a failed", "b succeeded")
    assert story.carry_out() == ["a fails (broken) taken by judge", "start judge"]


def test_a_join_within_a_failed_branch_is_skipped_with_it() -> None:
    definition = define(node("i"), node("j", join=SETTLED), "a > i", "b > i", "i > j", "c > j")
    story = Story(definition, "a failed", "b succeeded", "c succeeded")
    assert story.carry_out() == ["a fails (broken) taken by j", "i is skipped (failed_path)", "start j"]


def test_inside_of_a_loop_a_join_keeps_the_iteration_going() -> None:
    each = node("each", "loop", settings={"on_error": "stop"})
    body = [node(name, parent="each") for name in ("a", "b")]
    definition = define(each, *body, node("j", parent="each", join=FIRST), "a > j", "b > j")
    story = Story(definition, "each opened 1", "a[0] failed", "b[0] started")
    assert story.carry_out() == ["a[0] fails (broken) taken by j"]
    story.tell("b[0] failed")
    assert story.carry_out() == [
        "b[0] fails (broken) taken by j",
        "j[0] fails (no_branch_succeeded)",
        "each ends 0 (no_branch_succeeded)",
        "each fails (no_branch_succeeded)",
        "the run fails (no_branch_succeeded at j[0])",
    ]


# Retrying the run


def test_a_retry_opens_the_branches_of_a_join_that_failed() -> None:
    story = Story(define(node("j", join=FIRST), "s > a", "s > b", "a > p", "p > j", "b > j"), "s succeeded")
    story.tell("a failed", "b failed")
    story.carry_out()
    assert story.state.status is RunStatus.FAILED
    assert set(reopened_by_retry(story.state)) == {("a", ()), ("p", ()), ("b", ()), ("j", ())}
    story.tell("retried")
    assert story.plan() == ["start a", "start b"]
    story.tell("a failed", "b succeeded")
    assert story.carry_out()[-1] == "start j"


def test_a_retry_opens_what_a_join_had_given_up() -> None:
    story = Story(branches(TWO), "a started", "b failed", "c failed")
    story.carry_out()
    assert story.state.nodes["a", ()].cancel_reason == "failed_join"
    assert story.tell("retried").plan() == ["start a", "start b", "start c"]


def test_a_retry_keeps_successes_in_the_branches_of_a_join_that_failed() -> None:
    story = Story(branches(TWO), "a succeeded", "b failed", "c failed")
    story.carry_out()
    assert story.tell("retried").plan() == ["start b", "start c"]


def test_a_retry_leaves_a_failure_that_a_join_took_and_went_on_from() -> None:
    story = Story(branches(FIRST), "b started", "c started", "a failed")
    story.carry_out()
    story.tell("b succeeded").carry_out()
    story.tell("j succeeded", "z failed").carry_out()
    assert story.state.status is RunStatus.FAILED
    assert story.tell("retried").plan() == ["start z"]
    assert story.state.nodes["a", ()].status is NodeStatus.FAILED


def test_a_retry_opens_nested_joins_that_failed() -> None:
    definition = define(node("i", join=FIRST), node("j", join=FIRST), "a > i", "b > i", "i > j", "c > j")
    story = Story(definition, "a failed", "b failed", "c failed")
    story.carry_out()
    assert story.tell("retried").plan() == ["start a", "start b", "start c"]


def test_a_loop_in_a_failed_branch_keeps_its_finished_iterations_for_a_retry() -> None:
    each = node("each", "loop", settings={"on_error": "stop"})
    definition = define(each, node("x", parent="each"), node("j", join=FIRST), "each > j", "b > j")
    story = Story(definition, "each opened 3", "x[0] succeeded", "each ended 0", "x[1] failed", "b failed")
    story.carry_out()
    assert story.state.status is RunStatus.FAILED
    story.tell("retried")
    assert story.plan() == ["start x[1]", "start b"]


def test_a_loop_that_a_failed_join_gave_up_goes_on_when_the_run_is_retried() -> None:
    each = node("each", "loop", settings={"on_error": "stop"})
    definition = define(each, node("x", parent="each"), node("j", join=TWO), "each > j", "b > j", "c > j")
    story = Story(definition, "each opened 2", "x[0] succeeded", "each ended 0", "x[1] started", "b failed", "c failed")
    assert "stop x[1] (loop_stopped)" in story.carry_out()
    assert story.tell("retried").plan() == ["start x[1]", "start b", "start c"]
    assert story.state.nodes["each", ()].loop.results == {0: "result 0"}
