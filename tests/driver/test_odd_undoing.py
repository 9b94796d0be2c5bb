"""Undoing, together with loops, breaks, pauses and runs below: what nobody joins in an example."""

from __future__ import annotations

from typing import Any

import pytest

from orchestration.models import NodeRun, Run, RunEvent
from orchestration.services import runs
from orchestration.services.steering.steps import override_step
from tests.driver.scripted import CALLS, STARTED
from tests.driver.test_odd_combinations import ADA, answer, inside, loop, the_same_again
from tests.driver.test_runs import scripted
from tests.engine_host import EngineHost, event_types, make_definition, start, wait_until
from tests.nodes.test_subworkflow import begin, child_of, publish, sub, work
from tests.workflows.factories import edge, node

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_loop_in_a_loop_in_a_run_below_is_undone_backwards_before_the_run_above(
    engine: EngineHost, organisation: Any
) -> None:
    outer = node("outer", "loop", settings={"items": "range(2)"})
    inner = node("inner", "loop", settings={"items": "range(2)"}, parent="outer")
    done = node("done", "scripted", parent="inner", compensate_with="un_done")
    ask = work("ask", waits=True, parent="inner")
    publish(
        organisation, "child", outer, inner, done, work("un_done", parent="inner"), ask, edges=[edge("done", "ask")]
    )
    above = node("above", "scripted", compensate_with="un_above")
    parent = publish(organisation, "parent", above, work("un_above"), sub(), edges=[edge("above", "sub")])
    run = begin(parent)
    child = child_of(run)
    for path in ("0.0", "0.1", "1.0"):
        engine.wait_for_node(child, "ask", "waiting", path=path)
        answer(child, "ask", path)
    engine.wait_for_node(child, "ask", "waiting", path="1.1")
    runs.cancel_run(run=run, actor=ADA, undo=True)
    engine.wait_for(run, "cancelled")
    undone = [event.path for event in RunEvent.objects.filter(run=child, type="NodeSucceeded", node="un_done")]
    assert undone == ["1.1", "1.0", "0.1", "0.0"]
    assert STARTED[-1] == "un_above"
    the_same_again(run, child)


def test_a_break_stops_runs_below_and_has_them_undone(engine: EngineHost, organisation: Any) -> None:
    booked = node("booked", "scripted", compensate_with="unbook")
    publish(organisation, "child", booked, work("unbook"), work("ask", waits=True), edges=[edge("booked", "ask")])
    nodes = [
        loop("each", "range(3)", mode="parallel", limit=3),
        {"id": "last", "type": "condition", "parent": "each", "settings": {"condition": "loop.item == 2"}},
        {"id": "below", "type": "subworkflow", "parent": "each", "settings": {"workflow": "child"}},
        inside("each", id="hold", waits=True),
        {"id": "enough", "type": "break", "parent": "each", "settings": {"result": "found"}},
    ]
    parent = publish(
        organisation, "parent", *nodes,
        edges=[edge("last", "hold", "true"), edge("last", "below", "false"), edge("hold", "enough")],
    )  # fmt: skip
    run = begin(parent)
    children = [child_of(run, "below", str(index)) for index in range(2)]
    for child in children:
        engine.wait_for_node(child, "ask", "waiting")
    answer(run, "hold", "2")
    engine.wait_for(run)
    for child in children:
        engine.wait_for(child, "cancelled")
        assert "NodeSucceeded unbook" in event_types(child)
    assert NodeRun.objects.get(run=run, node="each").outputs["ended_by"] == "break"


def test_a_broken_loop_that_was_undone_runs_again(engine: EngineHost, organisation: Any) -> None:
    done = {**inside("each", id="done", outputs={"n": 1}), "compensate_with": "undo"}
    stop = {"id": "stop", "type": "break", "parent": "each"}
    nodes = [loop("each", "range(20)"), done, inside("each", id="undo"), stop, scripted("fails", crash="no")]
    run = start(organisation, make_definition(nodes, ["done -> stop", "each -> fails"]))
    engine.wait_for(run, "failed")
    assert (run.nodes_ended, run.nodes_total) == (4, 4)
    runs.retry_run(run=run, actor=ADA)
    wait_until(lambda: RunEvent.objects.filter(run=run, type="RunFailed").count() == 2, 20, "it to fail again")
    run.refresh_from_db()
    assert (run.nodes_ended, run.nodes_total) == (4, 4)
    the_same_again(run)


def test_a_cancel_with_undo_while_a_step_waits_for_its_next_try(engine: EngineHost, organisation: Any) -> None:
    flaky = scripted("flaky", fail_times=9)
    flaky["retry"] = {"max_attempts": 9, "initial_seconds": 3600, "jitter": False}
    nodes = [{**scripted("a"), "compensate_with": "un_a"}, scripted("un_a"), flaky]
    run = start(organisation, make_definition(nodes, ["a -> flaky"]))
    engine.wait_for_node(run, "flaky", "retrying")
    runs.pause_run(run=run, actor=ADA)
    engine.wait_for(run, "paused")
    runs.cancel_run(run=run, actor=ADA, undo=True)
    engine.wait_for(run, "cancelled")
    assert CALLS[f"{run.pk}/un_a"] == 1
    the_same_again(run)


@pytest.mark.parametrize("ends", ["break", "gap"])
def test_what_was_done_in_an_iteration_that_was_cut_short_is_undone_with_the_run(
    engine: EngineHost, organisation: Any, ends: str
) -> None:
    """The loop goes on without that iteration, but what it did is done."""
    last = {
        "break": {"id": "last", "type": "break", "parent": "each", "settings": {}},
        "gap": inside("each", id="last", crash="oh"),
    }[ends]
    nodes = [
        loop("each", "range(2)", mode="parallel", limit=2, on_error="gap"),
        {**inside("each", id="book"), "compensate_with": "release"},
        inside("each", id="release"),
        {"id": "second", "type": "condition", "parent": "each", "settings": {"condition": "loop.item == 1"}},
        inside("each", id="hold", waits=True),
        last,
        scripted("breaks", crash="oh"),
    ]
    edges = ["book -> second", "second:true -> last", "second:false -> hold", "each -> breaks"]
    run = start(organisation, make_definition(nodes, edges))
    engine.wait_for_node(run, "book", path="0")
    if ends == "gap":
        engine.wait_for_node(run, "hold", "waiting", path="0")
        answer(run, "hold", "0")
    engine.wait_for(run, "failed")
    undone = {told["path"] for told in run.error["compensation"]["undone"]}
    assert undone == {"0", "1"} and not run.error["compensation"]["left"]
    the_same_again(run)


def test_a_person_settles_a_step_whose_last_run_is_still_being_undone(engine: EngineHost, organisation: Any) -> None:
    """It holds back its next attempt, and what a person says to it counts at once; the run below goes on undoing."""
    done, undo = (
        node("done", "scripted", compensate_with="un_done"),
        node("un_done", "delay", settings={"seconds": 3600}),
    )
    publish(organisation, "child", done, undo, work("hold", waits=True), edges=[edge("done", "hold")])
    again = {"max_attempts": 2, "initial_seconds": 0, "jitter": False}
    step, after = sub(timeout_seconds=3, retry=again), work("after")
    run = begin(publish(organisation, "parent", step, after, edges=[edge("sub", "after")]))
    child = child_of(run)
    engine.wait_for_node(child, "un_done", "waiting")
    engine.wait_for_node(run, "sub", "retrying")
    override_step(run=run, node="sub", path=(), outputs={}, port="out", actor=ADA)
    engine.wait_for(run)
    assert Run.objects.get(pk=child.pk).status == "compensating" and "after" in STARTED
    runs.cancel_run(run=child, actor=ADA)
    engine.wait_for(child, "cancelled")
    the_same_again(run, child)
