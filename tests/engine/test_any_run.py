"""Any definition, any order of results, failures, signals and crashes: what must hold of every run.

The ledger checks each event as it is recorded (no node starts before its rule is met, none succeeds twice, joins fire
once and fail only when their rule cannot be met any more, only dead and failed paths are skipped, loops begin no more
iterations than they may and end for a reason, places and limits hold, nothing begins while paused or cancelled).
Here it is checked besides that every run comes to a legal end, that a cancelled one ends without anything else having
to happen, that the log alone is enough to go on from, and that it gives the same plan at each point. What the examples
reach is counted in `test_reached.py`.

5,000 examples, in parts that can run side by side; `ENGINE_EXAMPLES=50000 pytest tests/engine` looks longer.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from copy import deepcopy
from datetime import timedelta
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestration.driving.turn import Rows
from orchestration.engine.apply import begin
from orchestration.engine.events import Event, LoopClosed
from orchestration.engine.graph import Graph
from orchestration.engine.ids import Key
from orchestration.engine.loops import ACTIVE, checked
from orchestration.engine.planner import next_due, plan
from orchestration.engine.scopes import TOP
from orchestration.engine.signals import SignalKind
from orchestration.engine.states import RunState
from orchestration.engine.statuses import NodeStatus, RunStatus
from orchestration.store.codec import Codec
from tests.engine.definitions import Definition
from tests.engine.simulator import Crash, Simulation, graph_of
from tests.engine.strategies import definitions

CODEC = Codec(RunState, given=Graph)
EXAMPLES = int(os.environ.get("ENGINE_EXAMPLES", "5000"))
PARTS = 5
WILD_STEPS = 100
CALM_STEPS = 3_000
MOST_RETRIES = 3


class Chance:
    """Decides what comes of attempts and what happens from outside; after `calm` everything goes well."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.calm = False
        self.crash_rate = self.random.choice([0, 0, 0.02, 0.1])
        self.failure_rate = self.random.choice([0, 0.1, 0.4])
        self.signal_rate = self.random.choice([0, 0.1, 0.3, 0.6])
        self.cancels = self.random.random() < 0.4
        self.retries = self.random.randrange(MOST_RETRIES)
        self.full_rate = self.random.choice([0, 0, 0.2])

    def likely(self, rate: float) -> bool:
        return not self.calm and self.random.random() < rate

    def crashes(self) -> bool:
        return self.likely(self.crash_rate)

    def no_place(self, key: Key) -> bool:
        return self.likely(self.full_rate)

    def untouched(self, key: Key) -> bool:
        return self.random.random() < 0.5

    def condition(self, simulation: Simulation, key: Key, index: int) -> Event:
        if self.likely(0.05):
            error = {"code": "expression", "message": "no", "retryable": False}
            return LoopClosed(at=simulation.now, node=key[0], path=key[1], error=error)
        return checked(simulation.state, key, self.likely(0.7), simulation.now)

    def answer(self, simulation: Simulation, key: Key) -> object:
        """What a person says to a node that waits for them."""
        if simulation.state.nodes[key].waiting_for != "escalation":
            return True
        return {"action": self.random.choice(["retry", "retry_with", "skip", "fail"]), "outputs": 1, "settings": {}}

    def outcome(self, simulation: Simulation, key: Key, signal: object) -> Event:
        node = simulation.graph.nodes[key[0]]
        resumed = simulation.state.nodes[key].resumed
        if self.likely(self.failure_rate):
            code = self.random.choice(["broken", "special", "busy"])
            acted = self.random.choice(["", "", "maybe", "yes"])
            return simulation.failed(key, code, retryable=self.random.random() < 0.6, acted=acted)
        match node.type:
            case "loop" if self.random.random() < 0.4:
                return simulation.opens(key, [], most=self.random.choice([1, 2, 4]))
            case "loop":
                return simulation.opens(key, range(self.random.choice([0, 1, 2, 3])), self.random.choice([1, 2, 5]))
            case "branch":
                return simulation.done(key, self.random.choice(["true", "false"]))
            case "ask" if not resumed and self.random.random() < 0.3:
                return simulation.waits(key, "subworkflow", below=f"run {len(simulation.log)}")
            case "ask" if not resumed:
                return simulation.waits(key, "approval", self.random.choice([None, 20.0]))
            case "ask":
                return simulation.done(key, "yes" if signal else "no")
            case "event" if not resumed:
                return simulation.waits(key, "event", self.random.choice([None, 10.0]))
            case "event":
                return simulation.done(key, "out" if signal else "timeout")
            case "delay" if not resumed:
                return simulation.waits(key, "timer", self.random.choice([0.0, 3.0]))
            case _:
                return simulation.done(key)


@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.timeout(max(300, EXAMPLES // 10))
@settings(
    max_examples=max(1, EXAMPLES // PARTS),
    deadline=None,
    derandomize="ENGINE_EXAMPLES" not in os.environ,  # the same everywhere; asked for by number, they are new each time
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(definition=definitions(), seed=st.integers(0, 2**32))
def test_any_run_keeps_its_promises(part: int, definition: Definition, seed: int) -> None:
    live(definition, seed * PARTS + part)


def live(definition: Definition, seed: int) -> Simulation:
    """From its start to an end, retried a few times perhaps. Checks all the way."""
    chance = Chance(seed)
    simulation = Simulation(
        graph_of(definition | {"variables": {"known": {}}}),
        outcome=chance.outcome,
        condition=chance.condition,
        crashes=chance.crashes,
        untouched=chance.untouched,
        no_place_for=chance.no_place,
    )

    _survive(simulation, simulation.start)
    for step in range(WILD_STEPS + CALM_STEPS):
        chance.calm = step >= WILD_STEPS
        _survive(simulation, simulation.settle)
        _check_at_rest(simulation)
        if not simulation.state.status.ended:
            _survive(simulation, lambda: _happen(simulation, chance))
        elif not _retry(simulation, chance):
            break
    else:
        raise AssertionError(f"The run has not ended: {simulation.statuses()}")

    assert simulation.refolded() == simulation.state
    assert simulation.state.seq == len(simulation.log)
    simulation.check_plans_again()
    _check_counts(simulation)
    return simulation


def _check_counts(simulation: Simulation) -> None:
    """What pages show of the run's progress, and the database refuses to be below nothing."""
    graph = simulation.graph
    total = sum(node not in graph.compensators for node in graph.bodies[None])
    rows = Rows(begin(graph, simulation.seed), total=total, ended=0)
    for event in simulation.events():
        rows.apply([event])
        counted = rows.run_row()
        assert 0 <= counted.nodes_ended <= counted.nodes_total, event


def _survive(simulation: Simulation, go_on: Callable[[], object]) -> None:
    """Go on; if the host dies, and if the next one dies while it takes over, another goes on."""
    try:
        go_on()
    except Crash:
        _survive(simulation, simulation.take_over)


def _happen(simulation: Simulation, chance: Chance) -> None:
    """One thing from outside: an attempt ends, a signal comes, time goes by, the host dies."""
    random, state = chance.random, simulation.state
    if chance.likely(chance.signal_rate if state.compensation is None else 0.3):
        _send_any_signal(simulation, chance)
    elif chance.likely(chance.crash_rate):
        raise Crash
    elif state.paused and (chance.calm or random.random() < 0.2):
        simulation.signal(SignalKind.RESUME)
    elif simulation.held_back and (chance.calm or random.random() < 0.3):
        simulation.held_back.clear()
    elif simulation.at_work:
        simulation.finish(random.choice(list(simulation.at_work)))
    elif next_due(state, simulation.held_back) and random.random() < 0.7:
        simulation.wait_until_due()
    elif state.left_behind and (state.compensation is not None or random.random() < 0.7 or not _waiting(simulation)):
        simulation.signal(SignalKind.BELOW, data=_below_ended(random.choice(list(state.left_behind)), random))
    elif waiting := _waiting(simulation):
        key = random.choice(waiting)
        simulation.signal(SignalKind.NODE, key, data=chance.answer(simulation, key))
    else:
        held = simulation.held_back
        assert state.paused or held or next_due(state, held), f"The run is stuck: {simulation.statuses()}"


def _send_any_signal(simulation: Simulation, chance: Chance) -> None:
    random = chance.random
    kinds = [kind for kind in SignalKind if kind is not SignalKind.CANCEL or chance.cancels]
    if simulation.state.compensation is not None:
        kinds += [SignalKind.PAUSE, SignalKind.CANCEL] * 3
    kind = random.choice(kinds)
    known = [*simulation.state.nodes, *((node, ()) for node in simulation.graph.bodies[None]), ("unknown", ())]
    key = ("", ()) if kind is SignalKind.RETRY and random.random() < 0.5 else random.choice(known)
    if kind is SignalKind.BELOW:  # of a run that it waits for, has waited for, or does not know
        run = random.choice(["unknown", *simulation.state.left_behind])
        simulation.signal(kind, data=_below_ended(run, random))
        return
    simulation.signal(kind, key, data=_data(kind, random))


def _below_ended(run: str, random: Random) -> Any:
    status = random.choice(["completed", "cancelled", "failed"])
    error = {"code": "broken", "message": "no", "compensation": {"failed": random.choice([[], [{"node": "x"}]])}}
    return {"run": run, "status": status, "error": error if status == "failed" else None}


def _data(kind: SignalKind, random: Random) -> Any:
    match kind:
        case SignalKind.CANCEL:
            return random.choice([None, {"undo": True}])
        case SignalKind.RETRY:
            return random.choice([None, {"variables": {"known": random.random()}}])
        case SignalKind.OVERRIDE:
            return {"outputs": {"by": "hand"}, "port": random.choice(["out", "true", "no", "error"])}
        case SignalKind.VARIABLES:
            return {"values": {random.choice(["known", "unknown"]): random.random()}}
        case SignalKind.MOVE:
            digests = {"definition": random.choice(["twin", "nowhere"]), "previous": "first"}
            return {**digests, "version": 2, "previous_version": 1}
    return random.choice([True, None, {"option": "yes"}, {"action": "retry"}])


def _waiting(simulation: Simulation) -> list[Key]:
    return [key for key, run in simulation.state.nodes.items() if run.status is NodeStatus.WAITING]


def _retry(simulation: Simulation, chance: Chance) -> bool:
    """Say something to a run that has ended; whether it goes on."""
    if not chance.retries:
        return False
    chance.retries -= 1
    simulation.crashes, before = (lambda: False), simulation.crashes
    if chance.random.random() < 0.4:
        _send_any_signal(simulation, chance)  # to a failed step, perhaps: then the run goes on
    if simulation.state.status in (RunStatus.FAILED, RunStatus.CANCELLED):
        simulation.signal(SignalKind.RETRY)
    simulation.crashes = before
    return not simulation.state.status.ended


def _check_nothing_is_left_over(simulation: Simulation) -> None:
    """The state holds the iterations that are open and nothing of those that have ended."""
    state = simulation.state
    opened = {
        (node, (*path, index))
        for (node, path), node_run in state.nodes.items()
        if node_run.loop
        for index in node_run.loop.open
    }
    assert set(state.scopes) == {TOP, *opened}
    undoers = state.graph.compensators
    assert {state.scope_of(key) for key in state.nodes if key[0] not in undoers} <= set(state.scopes)


def _check_at_rest(simulation: Simulation) -> None:
    """Nothing is left to plan now: the status says so, and `next_due` names the time at which there is."""
    state, held = simulation.state, simulation.held_back
    assert plan(state, simulation.now, held) == []
    if state.status.ended:
        _check_end(simulation)
        return
    undoing = state.compensation
    assert undoing is not None or not state.cancel_requested, "cancelled, and not ended when nothing is to be undone"
    assert undoing is None or not undoing.stopped, "cancelled while it was undone, and not ended"
    if state.paused:
        assert state.status is RunStatus.PAUSED
    elif undoing is not None:
        assert state.status is RunStatus.COMPENSATING
    elif simulation.at_work:
        assert state.status is RunStatus.RUNNING
    elif not held:
        assert state.status is RunStatus.WAITING
    due = next_due(state, held)
    if due is not None:
        assert due > simulation.now
        assert plan(state, due - timedelta(microseconds=1), held) == []
        assert plan(state, due, held) != []
    _check_nothing_is_left_over(simulation)
    refolded = simulation.refolded()
    assert refolded == state
    assert not due or plan(refolded, due) == plan(state, due)
    thawed = CODEC.decode(body := CODEC.encode(state), state.graph)
    assert thawed == state and CODEC.encode(thawed) == body, "a snapshot says the same, and in the same order"
    assert not due or plan(thawed, due) == plan(state, due)
    untouched = deepcopy(state.frontier)
    plan(state, due or simulation.now)
    assert state.frontier == untouched


def _check_end(simulation: Simulation) -> None:
    """A legal end: nothing works or waits any more, and status, error and the last word of the log agree."""
    state = simulation.state
    assert not simulation.at_work
    assert not [key for key, node_run in state.nodes.items() if node_run.status in ACTIVE]
    assert next_due(state) is None
    last = [row.type for row in simulation.log if row.type != "SignalIgnored"][-1]
    said = {"RunCompleted": RunStatus.COMPLETED, "RunFailed": RunStatus.FAILED, "RunCancelled": RunStatus.CANCELLED}
    assert said[last] is state.status
    if state.status is RunStatus.FAILED:
        assert state.error["code"] and state.error["message"]
    else:
        assert state.error is None
