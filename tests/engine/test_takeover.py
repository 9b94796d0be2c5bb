"""A host dies; what the log says is enough for the next to go on."""

from __future__ import annotations

from datetime import timedelta

from orchestration.engine import events
from orchestration.engine.events import Event
from orchestration.engine.ids import Key
from orchestration.engine.planner import abandon
from orchestration.engine.signals import SignalKind
from orchestration.engine.statuses import NodeStatus, RunStatus
from tests.engine.definitions import Definition, define, node
from tests.engine.simulator import Simulation, graph_of


def asking(simulation: Simulation, key: Key, signal: object) -> Event:
    """`ask` waits for a person first, everything else is done at once."""
    if simulation.graph.nodes[key[0]].type == "ask" and not simulation.state.nodes[key].resumed:
        return simulation.waits(key)
    return simulation.done(key, outputs=signal)


def simulate(definition: Definition) -> Simulation:
    simulation = Simulation(graph_of(definition), outcome=asking)
    simulation.start()
    simulation.settle()
    return simulation


def test_what_was_at_work_is_begun_again_and_what_had_ended_is_not() -> None:
    simulation = simulate(define("a > b", "a > c"))
    simulation.finish(("a", ()))
    simulation.settle()
    simulation.finish(("b", ()))

    simulation.crash()
    simulation.settle()

    assert list(simulation.at_work) == [("c", ())]
    assert simulation.run().status is RunStatus.COMPLETED
    assert simulation.state.node(("c", ())).attempt == 2
    assert simulation.state.node(("b", ())).attempt == 1


def test_a_wait_survives_and_is_not_abandoned() -> None:
    simulation = simulate(define(node("a", "ask")))
    simulation.finish(("a", ()))

    assert abandon(simulation.state, simulation.now) == []
    simulation.crash()
    simulation.settle()

    assert simulation.state.node(("a", ())).status is NodeStatus.WAITING


def test_an_answer_that_was_taken_in_is_not_lost_with_the_host() -> None:
    simulation = simulate(define(node("a", "ask")))
    simulation.finish(("a", ()))
    simulation.signal(SignalKind.NODE, ("a", ()), data={"option": "yes"})
    assert ("a", ()) in simulation.at_work

    simulation.crash()
    simulation.settle()

    assert simulation.at_work == {("a", ()): {"option": "yes"}}
    assert simulation.run().node(("a", ())).outputs == {"option": "yes"}


def test_the_next_host_resumes_with_what_the_node_waited_for() -> None:
    simulation = simulate(define(node("a", "ask")))
    simulation.at_work.clear()
    simulation.record(events.NodeWaiting(at=simulation.now, node="a", reason="approval", data={"request": 7}))
    simulation.signal(SignalKind.NODE, ("a", ()), data="yes")
    simulation.crash()
    simulation.settle()
    assert simulation.state.node(("a", ())).wait_data == {"request": 7}


def test_a_second_answer_while_the_first_is_taken_up_again_is_ignored() -> None:
    simulation = simulate(define(node("a", "ask")))
    simulation.finish(("a", ()))
    simulation.signal(SignalKind.NODE, ("a", ()), data="yes")
    simulation.crash()

    ignored = simulation.signal(SignalKind.NODE, ("a", ()), data="no")

    assert [type(event) for event in ignored] == [events.SignalIgnored]
    assert simulation.run().node(("a", ())).outputs == "yes"


def test_an_open_loop_is_not_abandoned_what_is_inside_is() -> None:
    definition = define(node("each", "loop"), node("a", parent="each"))
    simulation = Simulation(
        graph_of(definition),
        outcome=lambda simulation, key, signal: (
            simulation.opens(key, "xyz", 2) if key[0] == "each" else simulation.done(key)
        ),
    )
    simulation.start()
    simulation.settle()
    found = abandon(simulation.state, simulation.now)
    assert [(event.node, event.path) for event in found if isinstance(event, events.AttemptAbandoned)] == [
        ("a", (0,)),
        ("a", (1,)),
    ]
    simulation.crash()
    assert simulation.run().status is RunStatus.COMPLETED


def test_a_run_that_is_to_be_cancelled_ends_cancelled_on_the_next_host() -> None:
    simulation = simulate(define("a > b"))
    simulation.signal(SignalKind.CANCEL)
    simulation.crash()
    assert simulation.run().status is RunStatus.CANCELLED


def test_a_timer_that_ran_out_while_no_host_lived_is_due_at_once() -> None:
    simulation = simulate(define(node("a", "delay")))
    simulation.at_work.clear()
    simulation.record(simulation.waits(("a", ()), "timer", 60))
    simulation.now += timedelta(hours=1)
    simulation.crash()
    simulation.settle()
    assert ("a", ()) in simulation.at_work
