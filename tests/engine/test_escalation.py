"""A person is asked when a node has failed for good: who, when, and what their answer does."""

from __future__ import annotations

import pytest

from orchestration.engine.planner import next_due
from orchestration.engine.signals import Signal, SignalKind, interpret
from orchestration.engine.statuses import NodeStatus, RunStatus
from tests.engine.definitions import Definition, define, node
from tests.engine.words import Story

TWICE = {"max_attempts": 2, "jitter": False}


def escalated(*parts: dict[str, object] | str, **fields: object) -> Story:
    story = Story(define(node("a", escalate={"role": "duty"}, **fields), *parts), "a failed")
    story.carry_out()
    return story


def test_a_person_is_asked_and_the_run_holds_nothing_meanwhile() -> None:
    story = Story(define(node("a", escalate={"role": "duty", "message": "Look."}), "a > b"), "a failed")
    assert story.carry_out() == ["a asks duty (broken)"]
    node_run = story.state.nodes["a", ()]
    assert (node_run.status, node_run.waiting_for) == (NodeStatus.WAITING, "escalation")
    assert node_run.wait_data == {"assignee": {"user": "", "role": "duty"}, "message": "Look."}
    assert story.state.status is RunStatus.WAITING
    assert next_due(story.state) is None


def test_a_nodes_own_time_does_not_run_while_it_waits_for_a_person() -> None:
    story = escalated(timeout_seconds=5, total_timeout_seconds=9)
    assert next_due(story.state) is None
    assert story.tell("1000 seconds later").plan() == []


def test_it_is_asked_after_every_try_and_every_alternative() -> None:
    fields = {"retry": TWICE, "escalate": {"user": "ann"}, "settings": {"alternatives": ["b"]}}
    story = Story(define(node("a", **fields)), "a failed busy", "1 seconds later", "a failed busy")
    assert story.carry_out() == ["a turns to b (busy)", "start a again (3)"]
    assert story.tell("a failed broken").carry_out() == ["a asks ann (broken)"]


@pytest.mark.parametrize(
    "definition",
    [
        define(node("a", escalate={"role": "duty"}), "a:error > b"),
        define(node("a", escalate={"role": "duty"}, optional=True)),
    ],
)
def test_nobody_is_asked_where_the_definition_knows_what_to_do(definition: Definition) -> None:
    story = Story(definition, "a failed")
    story.carry_out()
    assert story.state.nodes["a", ()].status in (NodeStatus.FAILED, NodeStatus.SKIPPED)


def test_retry_begins_at_once_with_tries_anew() -> None:
    story = escalated(retry=TWICE, total_timeout_seconds=60).tell("100 seconds later", "a answered retry")
    assert story.carry_out() == ["start a again (2)"]
    assert story.tell("a failed busy").carry_out() == ["a is tried again in 1 s"]


def test_retry_with_keeps_what_the_person_put_in_over_later_attempts() -> None:
    story = escalated(retry=TWICE).tell("a answered retry_with better")
    assert story.carry_out() == ["start a again (2)"]
    story.tell("a failed busy", "a abandoned")
    assert story.state.nodes["a", ()].edited == "better"


def test_skip_counts_as_done_with_the_persons_value() -> None:
    story = escalated("a > b").tell("a answered skip 42")
    assert story.carry_out() == ["a succeeds with 42", "start b"]


def test_fail_lets_the_failure_go_up_without_asking_again() -> None:
    story = escalated().tell("a answered fail")
    assert story.carry_out() == ["a fails (broken)", "the run fails (broken at a)"]


def test_a_retry_that_fails_asks_again() -> None:
    story = escalated().tell("a answered retry", "a failed")
    assert story.carry_out() == ["a asks duty (broken)"]


def test_a_paused_run_takes_the_answer_in_and_begins_when_it_is_resumed() -> None:
    story = escalated().tell("paused", "a answered retry")
    assert story.carry_out() == []
    assert story.tell("resumed").carry_out() == ["start a again (2)"]


def test_a_cancel_ends_the_wait() -> None:
    assert escalated().tell("cancel requested").carry_out() == ["stop a (cancelled)", "the run is cancelled"]


@pytest.mark.parametrize("data", [True, None, {"option": "approve"}, {"action": "explode"}])
def test_an_answer_to_something_else_is_refused(data: object) -> None:
    """A late decision on an approval that has failed meanwhile, for one."""
    story = escalated()
    signal = Signal(id=1, kind=SignalKind.NODE, posted_at=story.now, node="a", data=data)
    (event,) = interpret(story.state, signal, story.now)
    assert type(event).__name__ == "SignalIgnored"


def test_a_signal_answers() -> None:
    story = escalated()
    said = {"action": "skip", "outputs": {"n": 1}, "comment": "Done by hand."}
    (event,) = interpret(
        story.state, Signal(id=1, kind=SignalKind.NODE, posted_at=story.now, by="ann", node="a", data=said), story.now
    )
    story.record(event)
    assert story.carry_out() == ["a succeeds with {'n': 1}", "complete"]


def test_no_way_leads_round_a_person_who_has_been_asked() -> None:
    story = escalated("a > b")
    for kind in (SignalKind.SKIP, SignalKind.OVERRIDE):
        (event,) = interpret(story.state, Signal(id=1, kind=kind, posted_at=story.now, node="a"), story.now)
        assert type(event).__name__ == "SignalIgnored"
