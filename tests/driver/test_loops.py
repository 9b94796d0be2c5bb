"""Loops in real runs. The first ones are how other products' loops fail their users (research/product.md)."""

from __future__ import annotations

from typing import Any

import pytest

from orchestration.models import NodeRun, Run, RunEvent
from orchestration.services import runs
from portal.core.actors import Actor
from portal.core.models import Organisation
from tests.driver.scripted import STARTED
from tests.engine_host import EngineHost, event_types, make_definition, start

pytestmark = pytest.mark.django_db(transaction=True)

OUTPUTS = {"got": "{{ each.outputs }}"}


def loop(id: str = "each", parent: str | None = None, **settings: Any) -> dict[str, Any]:
    return {"id": id, "type": "loop", "parent": parent, "settings": settings}


def inside(id: str, type: str = "scripted", parent: str = "each", **settings: Any) -> dict[str, Any]:
    return {"id": id, "type": type, "parent": parent, "settings": settings}


COUNT = inside("count", "set", variables={"n": "{{ vars.n + 1 }}"})
VARIABLES = {"n": {"type": "integer", "default": 0}}


def run_of(organisation: Organisation, *nodes: dict[str, Any], edges: list[str] | None = None, **more: Any) -> Run:
    definition = make_definition(nodes, edges or [], outputs=OUTPUTS, variables=VARIABLES)
    return start(organisation, definition, more)


def ended(engine: EngineHost, run: Run, status: str = "completed") -> Any:
    engine.wait_for(run, status)
    return run.outputs["got"] if status == "completed" else run.error


def test_what_stands_behind_a_loop_waits_for_its_end(engine: EngineHost, organisation: Organisation) -> None:
    nodes = [
        loop(items="range(4)", mode="parallel", limit=2),
        inside("work", seconds=0.02),
        {**inside("done"), "parent": None},
    ]
    run = run_of(organisation, *nodes, edges=["each -> done"])
    assert ended(engine, run)["count"] == 4
    order = event_types(run)
    assert order.count("NodeStarted done") == 1
    assert order.index("NodeStarted done") > max(
        at for at, event in enumerate(order) if event.startswith("IterationEnded")
    )


def test_a_loop_never_ends_early_though_an_iteration_takes_another_way(
    engine: EngineHost, organisation: Organisation
) -> None:
    nodes = [
        loop(items="range(6)", output="{{ work.status }}"),
        inside("even", "condition", condition="loop.index % 2 == 0"),
        inside("work"),
    ]
    got = ended(engine, run_of(organisation, *nodes, edges=["even:true -> work"]))
    assert got["items"] == ["succeeded", "skipped"] * 3
    assert got["ended_by"] == "items"


def test_a_loop_that_repeats_ends_when_its_condition_holds_no_longer(
    engine: EngineHost, organisation: Organisation
) -> None:
    run = run_of(organisation, loop(**{"while": "vars.n < 5", "output": "{{ vars.n }}"}), COUNT)
    assert ended(engine, run) == {"items": [1, 2, 3, 4, 5], "count": 5, "errors": [], "ended_by": "condition"}
    assert run.nodes_total == run.nodes_ended == 6


def test_a_condition_sees_what_the_iteration_before_gave(engine: EngineHost, organisation: Organisation) -> None:
    body = inside("work", outputs={"n": "{{ loop.previous == null ? inputs.first : loop.previous * 2 }}"})
    settings = {"while": "loop.index == 0 || loop.previous < 20", "output": "{{ work.outputs.n }}"}
    assert ended(engine, run_of(organisation, loop(**settings), body, first=3))["items"] == [3, 6, 12, 24]


def test_a_loop_that_reaches_its_limit_says_so_and_does_not_just_end(
    engine: EngineHost, organisation: Organisation
) -> None:
    run = run_of(organisation, loop(**{"while": "vars.n >= 0", "max_iterations": 3}), COUNT)
    error = ended(engine, run, "failed")
    assert (error["code"], error["node"]) == ("too_many_iterations", "each")
    assert "3 iterations" in error["message"]
    assert event_types(run).count("IterationStarted each") == 3


@pytest.mark.parametrize(("condition", "part"), [("vars.n", "must be true or false"), ("vars.m > 1", "There is no m")])
def test_a_condition_that_is_no_truth_value_fails_the_loop(
    engine: EngineHost, organisation: Organisation, condition: str, part: str
) -> None:
    error = ended(engine, run_of(organisation, loop(**{"while": condition}), COUNT), "failed")
    assert error["code"] == "expression" and error["node"] == "each"
    assert error["message"].startswith("The condition of the loop: ") and part.split()[-1] in error["message"]


def test_a_break_ends_a_loop_and_gives_what_it_says(engine: EngineHost, organisation: Organisation) -> None:
    nodes = [
        loop(items="range(100)", output="{{ work.outputs.n }}"),
        inside("found", "condition", condition="loop.item == 3"),
        inside("work", outputs={"n": "{{ loop.item }}"}),
        inside("stop", "break", result="found {{ loop.item }}"),
    ]
    run = run_of(organisation, *nodes, edges=["found:true -> stop", "found:false -> work"])
    assert ended(engine, run) == {"items": [0, 1, 2, "found 3"], "count": 4, "errors": [], "ended_by": "break"}
    assert run.nodes_total == 1 + 4 * 3


def test_a_break_without_a_result_gives_nothing(engine: EngineHost, organisation: Organisation) -> None:
    nodes = [
        loop(items="range(100)", output="{{ loop.item }}"),
        inside("enough", "condition", condition="loop.item == 2"),
        inside("stop", "break"),
    ]
    assert ended(engine, run_of(organisation, *nodes, edges=["enough:true -> stop"]))["items"] == [0, 1]


def test_a_break_stops_iterations_that_run_beside_it(engine: EngineHost, organisation: Organisation) -> None:
    nodes = [
        loop(items="range(8)", mode="parallel", limit=4, output="{{ loop.item }}"),
        inside("first", "condition", condition="loop.item == 1"),
        inside("stop", "break", result="stopped"),
        inside("slow", seconds=3600),
    ]
    run = run_of(organisation, *nodes, edges=["first:true -> stop", "first:false -> slow"])
    assert ended(engine, run)["items"] == ["stopped"]
    slow = dict(NodeRun.objects.filter(run=run, node="slow").values_list("path", "status"))
    assert slow.pop("1") == "skipped" and set(slow.values()) <= {"cancelled"}
    assert event_types(run).count("LoopBroken each") == 1


def test_loops_in_loops_of_every_kind(engine: EngineHost, organisation: Organisation) -> None:
    nodes = [
        loop(items="['a', 'b']", output="{{ rounds.outputs.items }}"),
        loop("rounds", "each", **{"while": "loop.index < 2", "output": "{{ pick.outputs.items }}"}),
        loop(
            "pick",
            "rounds",
            items="range(9)",
            output="{{ loop.parent.parent.item + string(loop.parent.index) + string(loop.item) }}",
        ),
        inside("second", "condition", parent="pick", condition="loop.item == 2"),
        inside("stop", "break", parent="pick"),
    ]
    got = ended(engine, run_of(organisation, *nodes, edges=["second:true -> stop"]))
    assert got["items"] == [[["a00", "a01"], ["a10", "a11"]], [["b00", "b01"], ["b10", "b11"]]]


def test_the_items_of_a_loop_are_no_object(engine: EngineHost, organisation: Organisation) -> None:
    error = ended(engine, run_of(organisation, loop(items="{'a': 1}"), COUNT), "failed")
    assert ".values()" in error["message"]


def test_a_cancelled_loop_that_repeats_goes_on_where_it_was(engine: EngineHost, organisation: Organisation) -> None:
    nodes = [loop(**{"while": "vars.n < 3", "output": "{{ vars.n }}"}), COUNT, inside("ask", waits=True)]
    run = run_of(organisation, *nodes, edges=["count -> ask"])
    engine.wait_for_node(run, "ask", "waiting", path="0")
    runs.cancel_run(run=run, actor=Actor.command())
    engine.wait_for(run, "cancelled")
    runs.retry_run(run=run, actor=Actor.command())
    for index in range(3):
        engine.wait_for_node(run, "ask", "waiting", path=str(index))
        runs.signal_node(run_id=run.id, node="ask", path=str(index), by="test", data=True)
    assert ended(engine, run)["items"] == [1, 2, 3]


def test_a_thousand_rounds_of_a_loop_that_repeats(engine: EngineHost, organisation: Organisation) -> None:
    run = run_of(organisation, loop(**{"while": "vars.n < 1000"}), COUNT)
    engine.wait_for(run, seconds=60)
    assert run.outputs["got"]["count"] == 1000
    assert RunEvent.objects.filter(run=run, type="IterationEnded").count() == 1000
    assert STARTED == []
