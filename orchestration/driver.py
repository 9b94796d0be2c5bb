"""Driving one run: *ask the planner; write down what is begun; do it; write down what happened; ask again.*

There is no barrier: a branch goes on as soon as its own inputs are there, and what ends while a commit is under way is
in the next one. What an older lease began and never ended is an abandoned attempt; the planner decides about it as
about any failure. A lost lease is an exception: stop, write nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from orchestration.driving.clock import DatabaseClock
from orchestration.driving.effects import Ledger, untouched
from orchestration.driving.pen import Pen
from orchestration.driving.places import ASK_AGAIN_SECONDS, HostPlaces, RunPlaces, Spawn
from orchestration.driving.running import Running
from orchestration.driving.steps import Steps
from orchestration.driving.turn import Turn
from orchestration.engine.commands import StartNode
from orchestration.engine.events import EscalationAnswered, NodeResumed, RunStarted
from orchestration.engine.planner import abandon, next_due, plan
from orchestration.engine.signals import SignalKind, interpret
from orchestration.live import Live
from orchestration.store import Desk, Lease, LetGo, Writer
from orchestration.store.desk import Signals
from orchestration.store.errors import TooNew
from orchestration.values.keeper import Keeper

HOLD_SECONDS = 1.0
"""A run that goes on so soon is kept in hand: letting go and claiming it again would cost more."""
SHORTEST_SECONDS = 0.005
"""A sleep may end a little early; the next must not be so short that it spins."""


class Draining(Protocol):
    def is_set(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class Tools:
    """What every driver of a host shares."""

    desk: Desk
    writer: Writer
    clock: DatabaseClock
    live: Live
    draining: Draining
    keeper: Keeper
    places: HostPlaces
    spawn: Spawn
    """Lets something go on in the host that nobody waits for."""


@dataclass(slots=True)
class Rest:
    """Whether nothing new may begin: the host drains, or the run is one for hosts of a newer version."""

    draining: Draining
    too_new: TooNew | None = None

    def is_set(self) -> bool:
        return self.too_new is not None or self.draining.is_set()


async def drive(lease: Lease, running: Running, tools: Tools) -> datetime | None:
    """Move one run on until it ends or has to wait; says when it is due again. Raises LeaseLost, TooNew.

    When the host drains, what is at work may end, nothing new begins, and the run stays the host's to give back.
    """
    loaded = await tools.desk.load(lease)
    if loaded.signals.too_new:
        raise loaded.signals.too_new
    rest = Rest(tools.draining)
    turn = Turn(lease, loaded.state)
    ledger = Ledger(lease, tools.writer, tools.clock)
    pen = Pen(tools.writer, running.wake)
    steps = Steps(turn, lease.facts, running, tools.clock, tools.live, tools.keeper, ledger)
    seen, taken = loaded.signals.seen, set[int]()
    places = RunPlaces(lease, tools.desk, tools.places, running, tools.spawn)
    running.ended = places.release
    if turn.state.seq == 0 and not loaded.signals.open and not await places.take_for_run(turn.state.graph.runs_at_once):
        return await _wait_in_queue(turn, lease, tools, seen)
    await _take_over(turn, lease, tools)
    await steps.values.begin(turn.state, turn.events)
    await _take_in(loaded.signals, steps, tools.desk, taken)
    while True:
        settled = await _settle(steps, rest, places)
        if pen.free:
            if settled and not turn.empty and await running.begin():
                turn.apply(await running.next(None))
                settled = False
                if turn.may_grow:
                    continue
            let_go = _let_go(steps, seen, places) if settled and not rest.is_set() else None
            if not turn.empty or let_go:
                await steps.values.write()
                pen.write(turn.checkpoint(lease.facts, let_go, ledger.take_ended()), turn.take_recorded())
            elif rest.is_set() and not running:
                if rest.too_new:
                    raise rest.too_new
                return None
        # there is more to be planned, but so much behind a busy pen must be written first
        full = not settled and not pen.free and not turn.empty
        if pen.letting_go or (not pen.free and loaded.snapshots.due(turn.state)):
            await pen.wait()  # nothing may come to be true meanwhile
        elif settled or full:
            turn.apply(await running.next(_seconds_to_next(steps, places)))
        if written := pen.take():
            tools.clock.heard(written.at)
            if turn.empty:
                await loaded.snapshots.after_commit(turn.state, gone=written.gone)
            if written.gone:
                places.gone(turn.state)
                return next_due(turn.state, places.held_back)
            running.poked = running.poked or written.signals_posted > seen
        if running.poked:
            running.poked = False
            places.again()
            signals = await tools.desk.signals(lease)
            seen, rest.too_new = signals.seen, signals.too_new
            await _take_in(signals, steps, tools.desk, taken)


async def _take_over(turn: Turn, lease: Lease, tools: Tools) -> None:
    """The first events of a new run; of one taken over, that its attempts were cut off."""
    if turn.state.seq == 0:
        beginning = lease.beginning or {}
        turn.apply([RunStarted(at=tools.clock.now(), inputs=lease.inputs, **beginning)])
    else:
        turn.apply(await untouched(turn.state, lease, tools.desk, abandon(turn.state, tools.clock.now())))


async def _take_in(signals: Signals, steps: Steps, desk: Desk, taken: set[int]) -> None:
    """Each once. `taken`: those taken in that are still open, because the commit that says so is under way."""
    taken &= {signal.id for signal in signals.open}
    for signal in [signal for signal in signals.open if signal.id not in taken]:
        await steps.values.take_in(signal.data)
        placed = await desk.with_graph(signal) if signal.kind is SignalKind.MOVE else signal
        for event in interpret(steps.state, placed, steps.clock.now()):
            if isinstance(event, NodeResumed):
                await steps.resume(event)
            elif isinstance(event, EscalationAnswered):
                await steps.values.take_in([event.settings, event.outputs])
                steps.turn.apply([event])
            else:
                steps.tell(event)
        steps.turn.signals.append(signal.id)
        taken.add(signal.id)


async def _settle(steps: Steps, rest: Rest, places: RunPlaces) -> bool:
    """Carry out plans until only work, a signal or time can move the run on. False: there is more; write first.

    A node for which there is no place is held back: as if the planner had not named it.
    """
    if (seconds := places.seconds_to_ask()) is not None and seconds <= 0:
        places.again()
    while not rest.is_set() and (commands := plan(steps.state, steps.clock.now(), places.held_back)):
        for command in commands:
            if isinstance(command, StartNode):
                if not await places.take(steps.state, command):
                    continue
                await steps.carry_out(command)
                if not steps.running.works((command.node, command.path)):
                    places.release((command.node, command.path))  # it has ended at once
            else:
                await steps.carry_out(command)
        if steps.turn.full:
            return False
    places.settled(steps.state)
    return True


def _let_go(steps: Steps, seen: int, places: RunPlaces) -> LetGo | None:
    """When nothing is at work or about to be, and nothing is due soon, nobody needs to hold the run.

    What is held back has a place in a queue that outlives the lease, and is asked about again now and then.
    """
    if steps.running or steps.running.poked or places.waits_for_host:
        return None
    due = next_due(steps.state, places.held_back)
    if due is not None and steps.clock.seconds_until(due) < HOLD_SECONDS:
        return None
    if places.held_back and not steps.state.status.ended:
        again = steps.clock.now() + timedelta(seconds=ASK_AGAIN_SECONDS)
        due = min(due, again) if due else again
    return LetGo(due_at=due, seen=seen)


def _seconds_to_next(steps: Steps, places: RunPlaces) -> float | None:
    due = next_due(steps.state, places.held_back)
    times = [None if due is None else steps.clock.seconds_until(due), places.seconds_to_ask()]
    seconds = min((time for time in times if time is not None), default=None)
    return None if seconds is None else max(SHORTEST_SECONDS, seconds)


async def _wait_in_queue(turn: Turn, lease: Lease, tools: Tools, seen: int) -> datetime | None:
    """The run may not begin yet. It is told when it may; a signal that came meanwhile keeps it due."""
    again = tools.clock.now() + timedelta(seconds=ASK_AGAIN_SECONDS)
    written = await tools.writer.write(turn.checkpoint(lease.facts, LetGo(due_at=again, seen=seen)))
    if not written.gone:
        await tools.desk.give_back([lease.run_id])
    return again
