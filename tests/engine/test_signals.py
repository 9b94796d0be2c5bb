"""What signals mean in each state; one that comes too late is kept in the history, with the reason."""

from __future__ import annotations

from typing import Any

import pytest

from orchestration.engine import events
from orchestration.engine.apply import begin
from orchestration.engine.ids import Path
from orchestration.engine.signals import Signal, SignalKind, interpret
from tests.engine.definitions import define, node
from tests.engine.simulator import BEGINNING, graph_of
from tests.engine.words import Story


def signal(kind: str, on: str = "", path: Path = (), data: Any = None) -> Signal:
    return Signal(1, SignalKind(kind), BEGINNING, by="ada", reason="because", node=on, path=path, data=data)


TAKEN: list[tuple[str, list[str], events.Event]] = [
    ("cancel", ["a started"], events.RunCancelRequested(at=BEGINNING, by="ada", reason="because")),
    ("cancel", ["paused"], events.RunCancelRequested(at=BEGINNING, by="ada", reason="because")),
    ("pause", ["a started"], events.RunPaused(at=BEGINNING, by="ada", reason="because")),
    ("resume", ["paused"], events.RunResumed(at=BEGINNING, by="ada")),
    ("node", ["a waits"], events.NodeResumed(at=BEGINNING, node="a", signal="yes")),
    ("node", ["a waits", "paused"], events.NodeResumed(at=BEGINNING, node="a", signal="yes")),
]


@pytest.mark.parametrize(("kind", "told", "event"), TAKEN)
def test_a_signal_becomes_an_event(kind: str, told: list[str], event: events.Event) -> None:
    story = Story(define(node("a"), node("b")), *told)
    assert interpret(story.state, signal(kind, "a", data="yes"), BEGINNING) == [event]


def test_who_cancels_and_wants_all_undone_ends_a_pause() -> None:
    story = Story(define(node("a"), node("b")), "a started", "paused")
    resumed, asked = interpret(story.state, signal("cancel", data={"undo": True}), BEGINNING)
    assert resumed == events.RunResumed(at=BEGINNING, by="ada")
    assert asked == events.RunCancelRequested(at=BEGINNING, by="ada", reason="because", undo=True)


REFUSED: list[tuple[str, list[str], str]] = [
    ("cancel", ["cancel requested"], "The run is being cancelled."),
    ("pause", ["paused"], "The run is paused already."),
    ("pause", ["cancel requested"], "The run is being cancelled."),
    ("resume", [], "The run is not paused."),
    ("retry", [], "Only a failed or cancelled run can be retried, and this one is running."),
    ("node", [], "Nothing waits for it: the node has not begun, or its iteration has ended."),
    ("node", ["a started"], "The node does not wait: it is running."),
    ("node", ["a waits", "a resumed"], "The node goes on already: another signal, or its time, came first."),
    ("node", ["a succeeded"], "The node does not wait: it is succeeded."),
    ("node", ["a waits", "cancel requested"], "The run is being cancelled."),
]


@pytest.mark.parametrize(("kind", "told", "reason"), REFUSED)
def test_a_signal_that_changes_nothing_is_kept_with_the_reason(kind: str, told: list[str], reason: str) -> None:
    story = Story(define(node("a"), node("b")), *told)
    on = "" if kind == "retry" else "a"
    [ignored] = interpret(story.state, signal(kind, on, data="yes"), BEGINNING)
    assert isinstance(ignored, events.SignalIgnored)
    assert (ignored.kind, ignored.reason) == (kind, reason)
    assert ignored.data == {"by": "ada", "node": on, "path": [], "data": "yes"}
    seq = story.state.seq
    story.record(ignored)
    assert story.state.seq == seq + 1


def test_the_first_of_two_decisions_wins() -> None:
    story = Story(define(node("a")), "a waits")
    for data, kind in (("yes", events.NodeResumed), ("no", events.SignalIgnored)):
        [event] = interpret(story.state, signal("node", "a", data=data), BEGINNING)
        assert isinstance(event, kind)
        story.record(event)


def test_a_decision_for_one_iteration_is_not_for_another() -> None:
    story = Story(define(node("each", "loop"), node("a", parent="each")), "each opened 2/2", "a[0] waits", "a[1] waits")
    [event] = interpret(story.state, signal("node", "a", (1,), "yes"), BEGINNING)
    story.record(event)
    assert story.state.node(("a", (0,))).waiting_for == "approval"
    assert story.state.node(("a", (1,))).signal == "yes"


def test_an_ended_run_takes_nothing_but_a_retry() -> None:
    story = Story(define(node("a")), "cancel requested")
    story.carry_out()
    for kind in ("cancel", "pause", "resume", "node"):
        [ignored] = interpret(story.state, signal(kind, "a"), BEGINNING)
        assert isinstance(ignored, events.SignalIgnored)
    assert interpret(story.state, signal("retry"), BEGINNING) == [events.RunRetried(at=BEGINNING, by="ada")]


def test_before_the_run_has_begun_only_cancel_is_taken() -> None:
    state = begin(graph_of(define(node("a"))))
    assert isinstance(interpret(state, signal("pause"), BEGINNING)[0], events.SignalIgnored)
    assert isinstance(interpret(state, signal("cancel"), BEGINNING)[0], events.RunCancelRequested)
