"""What must not begin for now is as if it were not there; everything else goes on."""

from __future__ import annotations

from datetime import timedelta

from orchestration.engine.events import AttemptFailed, NodeFailed
from orchestration.engine.planner import next_due, plan
from tests.engine.definitions import define, node
from tests.engine.simulator import BEGINNING
from tests.engine.words import Story, command_words, error


def words(story: Story, *held_back: str) -> list[str]:
    held = {(name, ()) for name in held_back}
    return [command_words(command, story.now) for command in plan(story.state, story.now, held)]


def test_others_begin_and_take_the_places_of_the_run() -> None:
    story = Story(define(node("a"), node("b"), node("c"), max_parallel=2))
    assert words(story) == ["start a", "start b"]
    assert words(story, "a") == ["start b", "start c"]
    assert words(story, "a", "b", "c") == []


def test_a_retry_that_is_held_back_is_not_due() -> None:
    story = Story(define(node("a", retry={"max_attempts": 2, "jitter": False})), "a started")
    story.record(AttemptFailed(at=BEGINNING, node="a", attempt=1, error=error("busy")))
    story.carry_out()
    due = next_due(story.state)
    assert due == BEGINNING + timedelta(seconds=1)
    assert next_due(story.state, {("a", ())}) is None
    story.now = due
    assert words(story, "a") == [] and words(story) == ["start a again (2)"]


def test_a_failure_that_waits_for_the_rest_waits_for_what_is_held_back() -> None:
    story = Story(define(node("a"), node("b"), on_failure="continue"), "a failed busy")
    assert words(story, "b") == ["a fails (busy)"]
    story.record(NodeFailed(at=BEGINNING, node="a", error=error("busy")))
    assert words(story, "b") == [], "the run does not fail before b has had its turn"
    assert words(story) == ["start b"]
