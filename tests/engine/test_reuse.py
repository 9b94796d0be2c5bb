"""What a re-run takes over and what it does again, and that a run begun with it goes on right behind."""

from __future__ import annotations

from typing import Any

import pytest

from orchestration.engine import events
from orchestration.engine.apply import apply_all, begin
from orchestration.engine.events.rows import from_row, to_row
from orchestration.engine.graph import Graph
from orchestration.engine.planner import plan
from orchestration.engine.reuse import Edits, RerunPlan, rerun_plan
from orchestration.engine.statuses import NodeStatus
from orchestration.engine.taken import Taken
from tests.engine.definitions import Definition, define, node
from tests.engine.simulator import BEGINNING, Simulation, graph_of
from tests.engine.words import command_words


def ran(definition: Definition, **more: Any) -> Simulation:
    simulation = Simulation(graph_of(definition), **more)
    simulation.run()
    return simulation


def planned(origin: Simulation, *chosen: str, graph: Graph | None = None, **more: Any) -> RerunPlan:
    log = [from_row(row) for row in origin.log]
    asks = {node for node, spec in (graph or origin.graph).nodes.items() if spec.type == "ask"}
    return rerun_plan(origin.state, log, graph or origin.graph, chosen, asks=asks, **more)


def why(plan: RerunPlan) -> dict[str, str]:
    return {again.node: str(again.why) for again in plan.again}


def begun(origin: Simulation, plan_: RerunPlan, graph: Graph | None = None) -> list[str]:
    """What a run that begins with the plan does first."""
    reused = [taken.as_json() for taken in plan_.reused]
    started = events.RunStarted(at=BEGINNING, inputs=None, reused=reused, variables=plan_.variables)
    state = apply_all(begin(graph or origin.graph), [from_row(to_row(started))])
    return [command_words(command, BEGINNING) for command in plan(state, BEGINNING)]


CHAIN = define("a > b", "b > c", "a > x", "x > c")


def test_what_lies_behind_the_chosen_step_happens_again() -> None:
    origin = ran(CHAIN)
    found = planned(origin, "b")
    assert [taken.node for taken in found.reused] == ["a", "x"]
    assert why(found) == {"b": "chosen", "c": "depends"}
    assert begun(origin, found) == ["start b"]


def test_a_branch_that_was_not_taken_stays_so() -> None:
    definition = define(node("if", "branch"), "if:true > yes", "if:false > no", "yes > end", "no > end")
    origin = ran(definition, outcome=lambda s, key, signal: s.done(key, "true" if key[0] == "if" else "out"))
    found = planned(origin, "end")
    assert {taken.node: str(taken.status) for taken in found.reused} == {
        "if": "succeeded",
        "yes": "succeeded",
        "no": "skipped",
    }
    assert begun(origin, found) == ["start end"]


def test_losers_of_a_join_that_fires_anew_are_in_the_race_again() -> None:
    definition = define(node("j", "join", join={"rule": "any", "losers": "cancel"}), "a > j", "b > j", "j > c")
    origin = Simulation(graph_of(definition))
    origin.start()
    origin.settle()
    origin.finish(("a", ()))
    origin.settle()
    origin.run()
    assert origin.state.node(("b", ())).status is NodeStatus.CANCELLED
    assert [taken.node for taken in planned(origin, "c").reused] == ["a", "b", "j"]
    assert why(planned(origin, "j")) == {"b": "depends", "j": "chosen", "c": "depends"}


def test_a_failure_that_nothing_handled_is_never_taken_over() -> None:
    origin = ran(define("a > b", "x > y"), outcome=lambda s, k, _: s.failed(k) if k[0] == "a" else s.done(k))
    assert why(planned(origin, "y"))["a"] == "unfinished"


def test_a_handled_failure_is_taken_over_as_it_is() -> None:
    origin = ran(
        define("a:error > mend", "mend > c"), outcome=lambda s, k, _: s.failed(k) if k[0] == "a" else s.done(k)
    )
    found = planned(origin, "c")
    assert [(taken.node, str(taken.status)) for taken in found.reused] == [("a", "failed"), ("mend", "succeeded")]
    assert begun(origin, found) == ["start c"]


def test_a_step_in_a_loop_stands_for_the_outermost_loop() -> None:
    definition = define(node("each", "loop", settings={"on_error": "stop"}), node("in", parent="each"), "each > after")
    origin = ran(definition, outcome=lambda s, k, _: s.opens(k, range(2)) if k[0] == "each" else s.done(k))
    assert why(planned(origin, "in")) == {"each": "chosen", "in": "inside", "after": "depends"}
    [taken] = planned(origin, "after").reused
    assert taken.outputs["items"] == [0, 1]


ASKING = define(node("ask", "ask"), "draft > ask", "ask > send", "other > send")


@pytest.mark.parametrize(
    ("edits", "asked"),
    [
        (Edits(), False),
        (Edits(outputs={"draft": "better"}), True),
        (Edits(outputs={"other": "better"}), False),
        (Edits(inputs=True), True),
        (Edits(variables={"n": 1}), True),
    ],
)
def test_a_decision_holds_for_what_it_was_made_on(edits: Edits, asked: bool) -> None:
    origin = ran(ASKING)
    found = planned(origin, "send", edits=edits)
    assert why(found).get("ask") == ("asked_again" if asked else None)
    assert not found.obstacles


def test_a_request_that_reads_differently_is_made_again() -> None:
    origin = ran(ASKING)
    other = define(node("ask", "ask", settings={"message": "Really?"}), "draft > ask", "ask > send", "other > send")
    assert why(planned(origin, "send", graph=graph_of(other)))["ask"] == "asked_again"


def test_a_decision_is_not_edited_and_what_is_done_again_neither() -> None:
    origin = ran(ASKING)
    codes = [found.code for found in planned(origin, "send", edits=Edits(outputs={"ask": 1, "send": 2})).obstacles]
    assert codes == ["decision_edited", "not_reused"]
    assert [found.code for found in planned(origin, "nobody").obstacles] == ["no_such_node"]


def test_variables_are_as_the_reused_steps_had_left_them() -> None:
    def sets(simulation: Simulation, key: Any, signal: Any) -> Any:
        return events.NodeSucceeded(at=simulation.now, node=key[0], variables={"n": key[0]})

    definition = define("a > b", "b > c") | {"variables": {"n": {}}}
    assert planned(ran(definition, outcome=sets), "c").variables == {"n": "b"}
    assert planned(ran(definition, outcome=sets), "a").variables == {}


def test_a_step_of_another_type_or_behind_a_new_one_is_done_again() -> None:
    origin = ran(define("a > b", "b > c"))
    other = graph_of(define(node("a", "join"), "a > b", "new > b", "b > c"))
    assert why(planned(origin, "c", graph=other)) == {"a": "new", "new": "new", "b": "depends", "c": "chosen"}
    assert planned(origin, "c", graph=graph_of(define("b > c"))).left_out == ("a",)


@pytest.mark.parametrize("outputs", [None, 0, "", [], {}, False, {"a": 1}])
def test_every_result_survives_being_written_down(outputs: Any) -> None:
    taken = Taken(node="a", port="out", outputs=outputs, edited=True, started_at=BEGINNING, ended_at=BEGINNING)
    assert Taken.from_json(taken.as_json()) == taken


def failing(*names: str) -> Any:
    return lambda s, key, signal: s.failed(key) if key[0] in names else s.done(key)


UNDONE = define(
    node("a"),
    node("b", compensate_with="undo_b"),
    node("undo_b"),
    node("side"),
    "a > b",
    "b > c",
    "c > d",
    "side > d",
)


def test_what_was_undone_is_done_again_and_what_undid_it_is_no_step_of_the_flow() -> None:
    origin = ran(UNDONE, outcome=failing("c"))
    assert origin.state.node(("undo_b", ())).status is NodeStatus.SUCCEEDED
    found = planned(origin, "d")
    assert [taken.node for taken in found.reused] == ["a", "side"]
    assert why(found) == {"b": "undone", "c": "unfinished", "d": "chosen"}
    assert begun(origin, found) == ["start b"]


def test_a_loop_with_something_undone_inside_is_done_again() -> None:
    each = node("each", "loop", settings={"items": "{{ [1, 2] }}"})
    inner = [node("book", parent="each", compensate_with="release"), node("release", parent="each")]
    origin = ran(define(each, *inner, "each > pay"), outcome=failing_at_pay)
    found = planned(origin, "pay")
    assert why(found) == {"each": "undone", "book": "inside", "pay": "chosen"}


def failing_at_pay(simulation: Simulation, key: Any, signal: Any) -> events.Event:
    if key[0] == "each":
        return events.LoopOpened(at=simulation.now, node=key[0], path=key[1], items=[1, 2], limit=1)
    return simulation.failed(key) if key[0] == "pay" else simulation.done(key)


def test_the_path_of_an_error_handler_is_not_taken_over() -> None:
    origin = ran(define(node("a"), node("h", "error_handler"), "a > b", "h > tidy"), outcome=failing("b"))
    assert origin.state.node(("tidy", ())).status is NodeStatus.SUCCEEDED
    found = planned(origin, "b")
    assert [taken.node for taken in found.reused] == ["a"]
    assert why(found) == {"b": "chosen"}
    assert begun(origin, found) == ["start b"]


def test_one_does_not_begin_with_what_is_no_part_of_the_flow() -> None:
    origin = ran(UNDONE, outcome=failing("c"))
    assert [obstacle.code for obstacle in planned(origin, "undo_b").obstacles] == ["aside"]
