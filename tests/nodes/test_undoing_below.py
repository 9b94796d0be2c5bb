"""Undoing across runs within runs: the latest first, whoever did it."""

from __future__ import annotations

from typing import Any

import pytest

from orchestration.models import Run, RunEvent
from orchestration.monitoring.queries import reasons
from orchestration.queries.replay import replay
from orchestration.services import runs
from portal.core.actors import Actor
from tests.driver.scripted import OPEN, STARTED
from tests.engine_host import EngineHost, event_types, wait_until
from tests.nodes.test_subworkflow import begin, child_of, publish, sub, work
from tests.workflows.factories import edge, node

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("scripted_nodes")]


def done(name: str, **settings: Any) -> dict[str, Any]:
    """A step that `un_<name>` undoes."""
    return node(name, "scripted", settings=settings, compensate_with=f"un_{name}")


def three_levels(organisation: Any, **of_leaf: Any) -> None:
    """top: a → down; middle: b → down; leaf: c → waits. Each of a, b, c can be undone."""
    undo = {"seconds": 0.2} | of_leaf
    publish(organisation, "leaf", done("c"), work("un_c", **undo), work(waits=True), edges=[edge("c", "work")])
    publish(organisation, "middle", done("b"), work("un_b"), sub("down", "leaf"), edges=[edge("b", "down")])
    top = [done("a"), work("un_a"), sub("down", "middle"), work("hold", waits=True), work("breaks", crash="oh")]
    publish(organisation, "top", *top, edges=[edge("a", "down"), edge("hold", "breaks")])


def waiting(engine: EngineHost, organisation: Any) -> tuple[Run, Run, Run]:
    top = begin(organisation.workflows.get(slug="top"))
    middle = child_of(top, "down")
    leaf = child_of(middle, "down")
    engine.wait_for_node(leaf, "work", "waiting")
    return top, middle, leaf


def undone() -> list[str]:
    return [name for name in STARTED if name.startswith("un_")]


@pytest.mark.parametrize("hosts", [1, 2])
def test_what_was_done_below_is_undone_before_what_was_done_above(
    start_engine: Any, organisation: Any, hosts: int
) -> None:
    engine, *_ = [start_engine() for _ in range(hosts)]
    three_levels(organisation)
    top, middle, leaf = waiting(engine, organisation)
    runs.cancel_run(run=top, actor=Actor.command(), undo=True)
    engine.wait_for(top, "cancelled")
    assert undone() == ["un_c", "un_b", "un_a"]
    for below, above in ((leaf, middle), (middle, top)):
        below.refresh_from_db()
        above.refresh_from_db()
        assert below.status == "cancelled" and below.ended_at <= above.ended_at
    for run in (top, middle, leaf):
        assert replay(run).differences == []


def test_a_run_that_fails_undoes_in_the_same_order(engine: EngineHost, organisation: Any) -> None:
    three_levels(organisation)
    top, _, _ = waiting(engine, organisation)
    runs.signal_node(run_id=top.pk, node="hold", by="test", data={})
    engine.wait_for(top, "failed")
    assert undone() == ["un_c", "un_b", "un_a"]
    summary = top.error["compensation"]
    assert [(told["node"], bool(told.get("run"))) for told in summary["undone"]] == [("down", True), ("a", False)]


def test_what_could_not_be_undone_below_is_told_above(engine: EngineHost, organisation: Any) -> None:
    three_levels(organisation, crash="stuck")
    top, middle, _ = waiting(engine, organisation)
    runs.cancel_run(run=top, actor=Actor.command(), undo=True)
    engine.wait_for(top, "failed")
    assert top.error["code"] == "undo_failed"
    (told,) = top.error["compensation"]["failed"]
    assert (told["node"], told["run"]) == ("down", str(middle.pk))
    assert undone() == ["un_c", "un_b", "un_a"], "the rest is undone all the same"


def test_the_page_says_what_is_undone_first_and_stopping_that_stops_below_too(
    engine: EngineHost, organisation: Any
) -> None:
    three_levels(organisation, seconds=3600)
    top, middle, leaf = waiting(engine, organisation)
    runs.cancel_run(run=top, actor=Actor.command(), undo=True)
    for run in (top, middle, leaf):
        engine.wait_for(run, "compensating")
    assert [reason.run for reason in reasons(top) if reason.kind == "run"] == [str(middle.pk)]
    runs.cancel_run(run=top, actor=Actor.command())
    for run in (top, middle, leaf):
        engine.wait_for(run, "cancelled")
    assert undone() == ["un_c"], "what was under way was stopped, and nothing more begun"
    ended = RunEvent.objects.get(run=top, type="CompensationEnded").data
    assert [told["node"] for told in ended["left"]] == ["down", "a"]


def test_a_paused_run_is_undone_all_the_same(engine: EngineHost, organisation: Any) -> None:
    three_levels(organisation)
    top, middle, leaf = waiting(engine, organisation)
    runs.pause_run(run=top, actor=Actor.command())
    for run in (leaf, middle, top):
        engine.wait_for(run, "paused")
    runs.cancel_run(run=top, actor=Actor.command(), undo=True)
    engine.wait_for(top, "cancelled")
    assert undone() == ["un_c", "un_b", "un_a"]


def test_a_pause_while_undoing_goes_down(engine: EngineHost, organisation: Any) -> None:
    three_levels(organisation, waits=True)
    top, middle, leaf = waiting(engine, organisation)
    runs.cancel_run(run=top, actor=Actor.command(), undo=True)
    engine.wait_for_node(leaf, "un_c", "waiting")
    runs.pause_run(run=top, actor=Actor.command())
    for run in (leaf, middle, top):
        engine.wait_for(run, "paused")
    runs.signal_node(run_id=leaf.pk, node="un_c", by="test", data={})
    engine.wait_for_node(leaf, "un_c")
    engine.wait_for(leaf, "paused")
    assert undone() == ["un_c"]
    runs.resume_run(run=top, actor=Actor.command())
    engine.wait_for(top, "cancelled")
    assert undone() == ["un_c", "un_b", "un_a"]


def test_a_step_out_of_time_has_its_run_undone(engine: EngineHost, organisation: Any) -> None:
    """Nobody will make use of what it has done, so it undoes that, like a run that fails by itself."""
    three_levels(organisation)
    step = sub("down", "middle", timeout_seconds=4)
    parent = publish(organisation, "parent", done("z"), work("un_z"), step, edges=[edge("z", "down")])
    run = begin(parent)
    leaf = child_of(child_of(run, "down"), "down")
    engine.wait_for_node(leaf, "work", "waiting")
    engine.wait_for(run, "failed")
    assert run.error["code"] == "timeout" and undone() == ["un_c", "un_b", "un_z"]


def test_a_step_tries_again_when_its_last_run_has_been_undone(engine: EngineHost, organisation: Any) -> None:
    """The next attempt would do what that one undoes."""
    publish(organisation, "leaf", done("c"), work("un_c", waits=True), work(waits=True), edges=[edge("c", "work")])
    again = {"max_attempts": 2, "initial_seconds": 0, "jitter": False}
    run = begin(publish(organisation, "parent", sub(workflow="leaf", timeout_seconds=3, retry=again)))
    first = child_of(run)
    engine.wait_for_node(first, "un_c", "waiting")
    engine.wait_for(run, "waiting")
    assert [reason.run for reason in reasons(run)] == [str(first.pk)]
    assert Run.objects.filter(parent=run).count() == 1
    runs.signal_node(run_id=first.pk, node="un_c", by="test", data={})
    engine.wait_for(first, "cancelled")
    second = wait_until(lambda: Run.objects.filter(parent=run).exclude(pk=first.pk).first(), 20, "the second run")
    engine.wait_for_node(second, "work", "waiting")
    assert second.created_at >= Run.objects.get(pk=first.pk).ended_at
    assert replay(run).differences == []


def test_a_loser_of_a_join_is_undone_while_the_run_goes_on(engine: EngineHost, organisation: Any) -> None:
    three_levels(organisation)
    hold, end = work("hold", waits=True), node("end", "join", join={"rule": "any"})
    parent = publish(
        organisation, "parent", sub("down", "middle"), hold, end, edges=[edge("down", "end"), edge("hold", "end")]
    )
    run = begin(parent)
    leaf = child_of(child_of(run, "down"), "down")
    engine.wait_for_node(leaf, "work", "waiting")
    runs.signal_node(run_id=run.pk, node="hold", by="test", data={})
    engine.wait_for(run)
    engine.wait_for(child_of(run, "down"), "cancelled")
    assert undone() == ["un_c", "un_b"]


def test_what_has_completed_below_is_undone_by_the_step_that_says_how(engine: EngineHost, organisation: Any) -> None:
    """A run that has completed is final: its own undoing does not begin any more, `compensate_with` above does it."""
    publish(organisation, "booking", done("c"), work("un_c"))
    publish(organisation, "unbooking", work("un_booking"))
    book = sub("book", "booking", compensate_with="unbook")
    parent = publish(
        organisation, "parent", done("a"), work("un_a"), book, sub("unbook", "unbooking"), work("breaks", crash="oh"),
        edges=[edge("a", "book"), edge("book", "breaks")],
    )  # fmt: skip
    run = engine.wait_for(begin(parent), "failed")
    assert undone() == ["un_booking", "un_a"]
    assert child_of(run, "book").status == "completed"


def test_a_retry_afterwards_does_it_all_again(engine: EngineHost, organisation: Any) -> None:
    three_levels(organisation)
    top, _, leaf = waiting(engine, organisation)
    runs.cancel_run(run=top, actor=Actor.command(), undo=True)
    engine.wait_for(top, "cancelled")
    STARTED.clear()
    runs.retry_run(run=top, actor=Actor.command())
    engine.wait_for_node(leaf, "work", "waiting")
    assert [name for name in STARTED if name in ("a", "b", "c")] == ["a", "b", "c"]


def test_several_runs_side_by_side_are_all_waited_for(engine: EngineHost, organisation: Any) -> None:
    publish(organisation, "leaf", done("c"), work("un_c", seconds=0.2), work(waits=True), edges=[edge("c", "work")])
    each = node("each", "loop", settings={"items": "range(5)", "mode": "parallel", "limit": 5})
    parent = publish(
        organisation, "parent", done("a"), work("un_a"), each, sub(workflow="leaf", parent="each"),
        edges=[edge("a", "each")],
    )  # fmt: skip
    run = begin(parent)
    for index in range(5):
        engine.wait_for_node(child_of(run, path=str(index)), "work", "waiting")
    runs.cancel_run(run=run, actor=Actor.command(), undo=True)
    engine.wait_for(run, "cancelled")
    assert undone() == ["un_c"] * 5 + ["un_a"]
    assert RunEvent.objects.filter(run=run, type="RunBelowEnded").count() == 5


def test_a_run_above_is_told_of_one_that_was_ended_by_its_rows_alone(engine: EngineHost, organisation: Any) -> None:
    """It could not even be folded, so no commit of the engine tells of its end."""
    publish(organisation, "child", work(waits=True))
    run = begin(publish(organisation, "parent", sub()))
    child = child_of(run)
    engine.wait_for(child, "waiting")
    RunEvent.objects.filter(run=child, type="NodeStarted").update(type="NodeResumed", data={})
    Run.objects.filter(pk=child.pk).update(incident={"code": "engine_bug", "message": "It cannot be folded."})
    runs.cancel_run(run=child, actor=Actor.command())
    child.refresh_from_db()
    assert child.status == "cancelled"
    assert engine.wait_for(run, "failed").error["code"] == "subworkflow_cancelled"


def test_a_step_that_was_undone_runs_its_workflow_anew_when_the_run_is_retried(
    engine: EngineHost, organisation: Any
) -> None:
    """What the completed run had done was undone: its outputs are no longer so."""
    publish(organisation, "booking", work("c", outputs={"n": 1}), outputs={"n": "{{ c.outputs.n }}"})
    publish(organisation, "unbooking", work("un_booking"))
    book = sub("book", "booking", compensate_with="unbook")
    parent = publish(
        organisation, "parent", book, sub("unbook", "unbooking"), work("breaks", crash="oh"),
        edges=[edge("book", "breaks")],
    )  # fmt: skip
    run = engine.wait_for(begin(parent), "failed")
    for times in (2, 3):
        runs.retry_run(run=run, actor=Actor.command())
        wait_until(lambda times=times: event_types(run).count("RunFailed breaks") == times, 20, "the next failure")
        assert STARTED.count("c") == STARTED.count("un_booking") == times
    children = Run.objects.filter(parent=run)
    assert children.count() == 6 and set(children.values_list("status", flat=True)) == {"completed"}


def test_a_run_out_of_time_has_those_below_undone_first(engine: EngineHost, organisation: Any) -> None:
    publish(organisation, "leaf", done("c"), work("un_c", seconds=0.2), work(waits=True), edges=[edge("c", "work")])
    parent = publish(
        organisation, "parent", done("a"), work("un_a"), sub(workflow="leaf"), edges=[edge("a", "sub")],
        settings={"timeout_seconds": 4},
    )  # fmt: skip
    run = engine.wait_for(begin(parent), "failed")
    assert run.error["code"] == "run_timeout" and undone() == ["un_c", "un_a"]


def test_an_error_handler_cleans_up_and_then_everything_is_undone_backwards(
    engine: EngineHost, organisation: Any
) -> None:
    publish(organisation, "leaf", done("c"), work("un_c", seconds=0.2), work(waits=True), edges=[edge("c", "work")])
    caught = node("caught", "error_handler", settings={"then": "fail"})
    hold, breaks = work("hold", waits=True), work("breaks", crash="oh")
    parent = publish(
        organisation, "parent", done("a"), work("un_a"), sub(workflow="leaf"), hold, breaks, caught, work("tidy"),
        edges=[edge("a", "sub"), edge("a", "hold"), edge("hold", "breaks"), edge("caught", "tidy")],
    )  # fmt: skip
    run = begin(parent)
    engine.wait_for_node(child_of(run), "work", "waiting")
    engine.wait_for_node(run, "hold", "waiting")
    runs.signal_node(run_id=run.pk, node="hold", by="test", data={})
    engine.wait_for(run, "failed")
    assert undone() == ["un_c", "un_a"] and STARTED.index("tidy") < STARTED.index("un_a")
    assert replay(run).differences == []


def test_a_run_below_that_ends_while_the_run_above_is_paused_is_heard_of(engine: EngineHost, organisation: Any) -> None:
    publish(organisation, "leaf", work(gate="work", outputs={"n": 7}), outputs={"n": "{{ work.outputs.n }}"})
    after = work("after", outputs={"n": "{{ sub.outputs.n }}"})
    parent = publish(
        organisation, "parent", sub(workflow="leaf"), after, edges=[edge("sub", "after")],
        outputs={"n": "{{ after.outputs.n }}"},
    )  # fmt: skip
    run = begin(parent)
    child = child_of(run)
    engine.wait_for_node(child, "work", "running")
    runs.pause_run(run=run, actor=Actor.command())
    engine.wait_for(run, "paused")
    OPEN.add("work")
    engine.wait_for_node(run, "sub")
    assert "after" not in STARTED
    runs.resume_run(run=run, actor=Actor.command())
    assert engine.wait_for(run).outputs == {"n": 7}
