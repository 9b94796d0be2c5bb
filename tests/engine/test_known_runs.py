"""Courses of runs that examples by chance have found once, kept as they were."""

from __future__ import annotations

from typing import Any

from orchestration.engine.events import Event, SignalIgnored
from orchestration.engine.ids import Key
from orchestration.engine.signals import SignalKind
from orchestration.engine.statuses import RunStatus
from tests.engine.definitions import define, node
from tests.engine.simulator import Simulation, graph_of


def test_what_a_break_left_behind_stays_forgotten_however_often_the_run_is_retried() -> None:
    """An iteration fails, the run is retried, another iteration breaks the loop and fails then: twice `failed`, with
    nothing of the first iteration under way. The loop inside of it had been open all the time."""
    definition = define(
        node("each", "loop", settings={"on_error": "stop"}),
        node("inner", "loop", parent="each", settings={"on_error": "stop"}),
        node("deep", parent="inner"),
        node("stop", "break", parent="each"),
        node("late", parent="each"),
        "go > stop",
    )
    for raw in definition["nodes"]:
        if raw["id"] == "go":
            raw["parent"] = "each"
    fails = {("late", (1,))}

    def outcome(simulation: Simulation, key: Key, signal: Any) -> Event:
        if key in fails:
            return simulation.failed(key)
        if simulation.graph.nodes[key[0]].container:
            return simulation.opens(key, range(2), 2)
        return simulation.done(key)

    simulation = Simulation(graph_of(definition), outcome=outcome)
    simulation.start()
    simulation.settle()
    assert ("inner", (1,)) in simulation.ledger.iterations
    simulation.finish(("late", (1,)))
    simulation.settle()
    assert simulation.state.status is RunStatus.FAILED

    fails.clear()
    fails.add(("late", (0,)))
    simulation.signal(SignalKind.RETRY)
    simulation.settle()
    simulation.finish(("go", (0,)))  # and the break behind it is reached
    simulation.settle()
    assert simulation.state.nodes["each", ()].loop.ended_by == "break"  # type: ignore[union-attr]
    assert not [key for key in simulation.state.nodes if key[1][:1] == (1,)]
    for _ in range(2):
        simulation.finish(("late", (0,)))
        simulation.settle()
        assert simulation.state.status is RunStatus.FAILED
        simulation.signal(SignalKind.RETRY)
        simulation.settle()
    fails.clear()
    simulation.run()
    assert simulation.state.status is RunStatus.COMPLETED
    assert simulation.refolded() == simulation.state


def test_a_step_in_a_loop_that_begins_from_nothing_cannot_be_steered_first() -> None:
    """The run was undone, so a retry begins the loop anew: there is no iteration for a step to be overridden in."""
    definition = define(
        node("each", "loop"),
        node("booked", parent="each", compensate_with="unbook"),
        node("unbook", parent="each"),
        node("inner", "loop", parent="each"),
        node("sent", parent="inner"),
    )

    def outcome(simulation: Simulation, key: Key, signal: Any) -> Event:
        if simulation.graph.nodes[key[0]].container:
            return simulation.opens(key, range(1))
        return simulation.done(key)

    simulation = Simulation(graph_of(definition), outcome=outcome)
    simulation.start()
    simulation.settle()
    simulation.finish(("booked", (0,)))
    simulation.settle()
    simulation.signal(SignalKind.CANCEL, data={"undo": True})
    simulation.run()
    assert simulation.state.status is RunStatus.CANCELLED
    for key in (("sent", (0, 0)), ("inner", (0,))):
        (ignored,) = simulation.signal(SignalKind.OVERRIDE, key, data={"outputs": 1})
        assert isinstance(ignored, SignalIgnored) and "retry the run" in ignored.reason
    simulation.signal(SignalKind.OVERRIDE, ("each", ()), data={"outputs": {"items": []}})
    simulation.run()
    assert simulation.state.status is RunStatus.COMPLETED
