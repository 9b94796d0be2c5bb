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
from orchestration.store import Desk, Lease, LetGo, Loaded, Writer, Written
from orchestration.store.errors import TooNew
from orchestration.store.leases import Signals
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


async def drive(lease: Lease, running: Running, tools: Tools) -> datetime | None:
    """Move one run on until it ends or has to wait; says when it is due again. Raises LeaseLost, TooNew.

    When the host drains, what is at work may end, nothing new begins, and the run stays the host's to give back.
    """
    loaded = await tools.desk.load(lease)
    if loaded.signals.too_new:
        raise loaded.signals.too_new
    driver = Driver(lease, running, tools, loaded)
    if not await driver.may_begin(loaded.signals):
        return await driver.wait_in_queue()
    await driver.take_over(loaded.signals)
    return await driver.go_on()


class Driver:
    """Of one run under one lease."""

    def __init__(self, lease: Lease, running: Running, tools: Tools, loaded: Loaded) -> None:
        self._lease, self._running, self._tools, self._snapshots = lease, running, tools, loaded.snapshots
        self._state = loaded.state
        self._turn = Turn(lease, loaded.state)
        self._pen = Pen(tools.writer, running.wake)
        self._ledger = Ledger(lease, tools.writer, tools.clock)
        self._steps = Steps(self._turn, lease.facts, running, tools.clock, tools.live, tools.keeper, self._ledger)
        self._places = RunPlaces(lease, tools.desk, tools.places, running, tools.spawn)
        self._seen = loaded.signals.seen
        self._taken = set[int]()
        """Signals that were taken in and are still open, because the commit that says so is under way."""
        self._too_new: TooNew | None = None
        running.ended = self._places.release

    async def go_on(self) -> datetime | None:
        while True:
            settled = await self._settle()
            if settled and self._pen.free and await self._ended_at_once():
                if self._turn.may_grow:
                    continue
                settled = False
            if self._pen.free and not await self._write(settled) and self._is_done():
                return None
            await self._wait(settled)
            if (written := self._pen.take()) and await self._let_go_with(written):
                return next_due(self._state, self._places.held_back)
            if self._running.poked:
                await self._look_at_signals()

    # -- the beginning ------------------------------------------------------------------------------------------------

    async def may_begin(self, signals: Signals) -> bool:
        """A run that has not begun may have to wait until others of its workflow have ended."""
        if self._state.seq or signals.open:
            return True
        return await self._places.take_for_run(self._state.graph.runs_at_once)

    async def wait_in_queue(self) -> datetime | None:
        """The run may not begin yet. It is told when it may; a signal that came meanwhile keeps it due."""
        again = self._tools.clock.now() + timedelta(seconds=ASK_AGAIN_SECONDS)
        let_go = LetGo(due_at=again, seen=self._seen)
        written = await self._tools.writer.write(self._turn.checkpoint(self._lease.facts, let_go))
        if not written.gone:
            await self._tools.desk.give_back([self._lease.run_id])
        return again

    async def take_over(self, signals: Signals) -> None:
        """The first events of a new run; of one taken over, that its attempts were cut off. Then what it was told."""
        state, now = self._state, self._tools.clock.now()
        if state.seq == 0:
            beginning = self._lease.beginning or {}
            self._turn.apply([RunStarted(at=now, inputs=self._lease.inputs, **beginning)])
        else:
            self._turn.apply(await untouched(state, self._lease, self._tools.desk, abandon(state, now)))
        await self._steps.values.begin(state, self._turn.events)
        await self._take_in(signals)

    # -- a turn -------------------------------------------------------------------------------------------------------

    async def _settle(self) -> bool:
        """Carry out plans until only work, a signal or time can move the run on. False: there is more; write first.

        A node for which there is no place is held back: as if the planner had not named it.
        """
        steps, places, running = self._steps, self._places, self._running
        if (seconds := places.seconds_to_ask()) is not None and seconds <= 0:
            places.again()
        while not self._rests and (commands := plan(self._state, steps.clock.now(), places.held_back)):
            for command in commands:
                if isinstance(command, StartNode):
                    if not await places.take(self._state, command):
                        continue
                    await steps.carry_out(command)
                    if not running.works((command.node, command.path)):
                        places.release((command.node, command.path))  # it has ended at once
                else:
                    await steps.carry_out(command)
            if self._turn.full:
                return False
        places.settled(self._state)
        return True

    async def _ended_at_once(self) -> bool:
        """Let what was just begun take its first step, and apply what has ended by then: it belongs to this turn."""
        if self._turn.empty or not await self._running.begin():
            return False
        await self._hear(None)
        return True

    async def _hear(self, seconds: float | None) -> None:
        """What has ended, as soon as anything has, belongs to this turn."""
        ended = await self._running.next(seconds)
        self._turn.apply(ended)
        self._turn.urgent = self._turn.urgent or self._steps.attempts.were_outside(ended)

    async def _write(self, settled: bool) -> bool:
        """Hand in what has become true; False if there is nothing to be said."""
        let_go = self._let_go() if settled and not self._rests else None
        if self._turn.empty and let_go is None:
            return False
        await self._steps.values.write()
        checkpoint = self._turn.checkpoint(self._lease.facts, let_go, self._ledger.take_ended())
        self._pen.write(checkpoint, self._turn.take_recorded())
        return True

    async def _wait(self, settled: bool) -> None:
        """Until something can move the run on."""
        turn, pen = self._turn, self._pen
        # there is more to be planned, but so much behind a busy pen must be written first
        full = not settled and not pen.free and not turn.empty
        if pen.letting_go or (not pen.free and self._snapshots.due(self._state)):
            await pen.wait()  # nothing may come to be true meanwhile
        elif settled or full:
            await self._hear(self._seconds_to_next())

    async def _let_go_with(self, written: Written) -> bool:
        """A commit has ended. Whether the run is out of hand with it."""
        self._tools.clock.heard(written.at)
        if self._turn.empty:
            await self._snapshots.after_commit(self._state, gone=written.gone)
        if written.gone:
            self._places.gone(self._state)
        elif written.signals_posted > self._seen:
            self._running.poked = True
        return written.gone

    async def _look_at_signals(self) -> None:
        self._running.poked = False
        self._places.again()
        signals = await self._tools.desk.signals(self._lease)
        self._seen, self._too_new = signals.seen, signals.too_new
        await self._take_in(signals)

    async def _take_in(self, signals: Signals) -> None:
        """Each once."""
        steps, self._taken = self._steps, self._taken & {signal.id for signal in signals.open}
        for signal in [signal for signal in signals.open if signal.id not in self._taken]:
            await steps.values.take_in(signal.data)
            placed = await self._tools.desk.with_graph(signal) if signal.kind is SignalKind.MOVE else signal
            for event in interpret(self._state, placed, steps.clock.now()):
                if isinstance(event, NodeResumed):
                    await steps.resume(event)
                elif isinstance(event, EscalationAnswered):
                    await steps.values.take_in([event.settings, event.outputs])
                    self._turn.apply([event])
                else:
                    steps.tell(event)
            self._turn.signals.append(signal.id)
            self._taken.add(signal.id)

    # -- the end ------------------------------------------------------------------------------------------------------

    @property
    def _rests(self) -> bool:
        """Nothing new may begin: the host drains, or the run is one for hosts of a newer version."""
        return self._too_new is not None or self._tools.draining.is_set()

    def _is_done(self) -> bool:
        """All is written, nothing is at work, and nothing may begin. Raises TooNew."""
        if not self._rests or self._running:
            return False
        if self._too_new is not None:
            raise self._too_new
        return True

    def _let_go(self) -> LetGo | None:
        """When nothing is at work or about to be, and nothing is due soon, nobody needs to hold the run.

        What is held back has a place in a queue that outlives the lease, and is asked about again now and then.
        """
        running, places, clock = self._running, self._places, self._tools.clock
        if running or running.poked or places.waits_for_host:
            return None
        due = next_due(self._state, places.held_back)
        if due is not None and clock.seconds_until(due) < HOLD_SECONDS:
            return None
        if places.held_back and not self._state.status.ended:
            again = clock.now() + timedelta(seconds=ASK_AGAIN_SECONDS)
            due = min(due, again) if due else again
        return LetGo(due_at=due, seen=self._seen)

    def _seconds_to_next(self) -> float | None:
        due = next_due(self._state, self._places.held_back)
        times = [None if due is None else self._tools.clock.seconds_until(due), self._places.seconds_to_ask()]
        seconds = min((time for time in times if time is not None), default=None)
        return None if seconds is None else max(SHORTEST_SECONDS, seconds)
