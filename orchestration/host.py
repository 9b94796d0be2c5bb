"""A host: one event loop that claims due runs and drives hundreds of them side by side.

    listen    the doorbell: read the signals of a run in hand, or look for due ones
    claim     take due runs while there is room; otherwise sleep until the bell, the next due time, or a few seconds
              (`hosting.claiming`); what has been taken is driven (`hosting.hands`)
    beat      a sign of life for the host and its leases; signals whose notification got lost
    sweep     bury dead hosts at once, free the runs of hung ones, quarantine runs that kill (`hosting.sweeping`)
    dispatch  pass on events of the bus, fire schedules (`orchestration.dispatching`)
    watch     is the shift over, or the process asked to end?

All of these survive the database going away for a while: they try again, and drivers wait for the writer. A host that
others took for dead meanwhile (`Buried`) drops everything and begins anew under a new name.

Draining: nothing new is claimed or begun, what is at work gets some seconds to end, and the rest is given back;
attempts that were cut off are abandoned ones for the next host.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import psycopg
import structlog

from agents import snapshots
from agents.models import CHANNEL as AGENTS_CHANNEL
from orchestration.dispatching import Dispatcher
from orchestration.driver import Tools
from orchestration.driving.clock import DatabaseClock
from orchestration.driving.places import HostPlaces
from orchestration.hosting.claiming import Claiming
from orchestration.hosting.hands import Hands
from orchestration.hosting.sweeping import Sweeping
from orchestration.live import Live
from orchestration.store import Checkpoint, Desk, Writer, registry
from orchestration.store.registry import Buried, Registration
from orchestration.values.keeper import Keeper
from orchestration.wakeups import BUS_CHANNEL

log = structlog.get_logger(__name__)

BEAT_SECONDS = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How a host works. `asked_to_stop` is asked several times a second, `each_beat` called every few seconds."""

    runs: int = 500
    steps: int = 1000
    """At work at the same time, of all these runs."""
    shift_seconds: float | None = None
    overtime_seconds: float = 300.0
    """At the end of a shift work may end in peace while other hosts take what is new."""
    drain_seconds: float = 8.0
    asked_to_stop: Callable[[], bool] = lambda: False
    each_beat: Callable[[], Awaitable[None]] | None = None


class Host:
    def __init__(self, plan: Plan | None = None, *, began: float | None = None) -> None:
        """`began`: when the shift did, by the monotonic clock."""
        self.plan = plan or Plan()
        self.host_id = 0
        self._over = asyncio.Event()
        self._draining = asyncio.Event()
        self._hands = Hands(self.plan.runs, self._draining)
        self._places = HostPlaces(self.plan.steps)
        self._began = time.monotonic() if began is None else began
        self._drain_seconds = self.plan.drain_seconds

    @property
    def in_hand(self) -> int:
        return len(self._hands)

    @property
    def driven(self) -> int:
        """Runs claimed so far."""
        return self._hands.driven

    def stop(self) -> None:
        """End the shift: drain, give back, return. Call in the loop."""
        self._over.set()

    async def work(self) -> None:
        """Drive runs until the shift is over. Raises Buried if others took this host for dead."""
        registration = await Registration.begin()
        self._live = Live()
        self._desk = await Desk.open(registration.host_id)
        self._writer = Writer(registration.host_id, committed=self._committed)
        self._clock = DatabaseClock(registration.at)
        self._dispatcher = Dispatcher(self._desk, self._draining)
        self._keeper = Keeper()
        self._claiming = Claiming(self._desk, self._hands, self._draining)
        self._hands.free, self._hands.innocent = self._claiming.free, self._claiming.ring
        self._hands.use(
            Tools(
                self._desk,
                self._writer,
                self._clock,
                self._live,
                self._draining,
                self._keeper,
                self._places,
                self._hands.spawn,
            )
        )
        sweeping = Sweeping(self._desk, self._live, self._places, self._claiming.ring)
        self._writer.start()
        self.host_id = registration.host_id
        log.info("host begins", host=self.host_id)
        duties = [
            asyncio.create_task(duty, name=name)
            for name, duty in (
                ("listen", self._listen(registration)),
                ("claim", self._keep(self._claiming.forever)),
                ("beat", self._keep(self._beat_forever)),
                ("sweep", self._keep(sweeping.forever)),
                ("dispatch", self._keep(self._dispatcher.run)),
                ("watch", self._watch()),
                ("live", self._live.run()),
            )
        ]
        over = asyncio.create_task(self._over.wait())
        try:
            done, _ = await asyncio.wait([over, *duties], return_when=asyncio.FIRST_COMPLETED)
            for task in done - {over}:
                task.result()  # a duty ends by an error only
            await self._drain()
        finally:
            await self._leave(registration, [over, *duties])

    # -- duties -------------------------------------------------------------------------------------------------------

    async def _keep(self, duty: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Begin a duty again after trouble with the database, with pauses."""
        while True:
            try:
                await duty()
            except (psycopg.Error, OSError) as error:
                log.warning("host has trouble with the database", host=self.host_id, error=str(error).strip())
                await asyncio.sleep(0.5)
                if self._desk.broken:
                    await self._reopen()

    async def _reopen(self) -> None:
        try:
            await self._desk.reopen()
        except (psycopg.Error, OSError) as error:
            log.info("database is still away", host=self.host_id, error=str(error).strip())

    async def _listen(self, registration: Registration) -> None:
        while True:
            snapshots.hears(True)
            try:
                async for channel, payload in registration.heard():
                    self._ring(channel, payload)
            except (psycopg.Error, OSError) as error:
                log.warning("host does not hear", host=self.host_id, error=str(error).strip())
            finally:
                snapshots.hears(False)
            await self._renew(registration)

    async def _renew(self, registration: Registration) -> None:
        """Raises Buried."""
        while True:
            try:
                await registration.renew()
            except (psycopg.Error, OSError):
                await asyncio.sleep(0.3)
                continue
            # whatever rang meanwhile was not heard
            self._claiming.ring()
            self._dispatcher.ring()
            self._hands.poke_all()
            return

    def _ring(self, channel: str, payload: str) -> None:
        if channel == BUS_CHANNEL:
            self._dispatcher.ring()
            return
        if channel == AGENTS_CHANNEL:
            snapshots.hear(payload)
            return
        run = UUID(payload) if payload else None
        if run is None or not self._hands.poke(run):
            self._claiming.ring(run)

    async def _beat_forever(self) -> None:
        while True:
            asked, at = await registry.beat(self._desk, draining=self._draining.is_set())
            self._clock.heard(at)
            self._writer.beat(self._hands)
            if asked:
                self.stop()
            self._hands.poke_unheard(await self._desk.signals_posted())
            self._claiming.others = await registry.other_hosts(self._desk)
            await self._desk.read_limits()
            if self.plan.each_beat is not None:
                await self.plan.each_beat()
            await asyncio.sleep(BEAT_SECONDS)

    async def _watch(self) -> None:
        plan = self.plan
        while True:
            await asyncio.sleep(0.2)
            if plan.asked_to_stop():
                self.stop()
            if plan.shift_seconds is not None and self._worked > plan.shift_seconds:
                self._end_shift()

    @property
    def _worked(self) -> float:
        return time.monotonic() - self._began

    def _end_shift(self) -> None:
        """When nothing is at work; or when other hosts can take what is new; at the latest after the overtime."""
        overtime = self._worked - (self.plan.shift_seconds or 0.0)
        if self._hands.at_work and overtime < self.plan.overtime_seconds:
            if not self._claiming.others:
                return
            self._drain_seconds = self.plan.overtime_seconds - overtime
        self.stop()

    def _committed(self, checkpoints: Sequence[Checkpoint]) -> None:
        self._live.committed(checkpoints)
        self._hands.committed(checkpoints)

    # -- the end ------------------------------------------------------------------------------------------------------

    async def _drain(self) -> None:
        log.info("host drains", host=self.host_id, runs=len(self._hands))
        self._draining.set()
        await self._hands.drain(self._drain_seconds)

    async def _leave(self, registration: Registration, duties: list[asyncio.Task[Any]]) -> None:
        """Stop everything, give back what is left, and say good-bye; also on the way out of an error."""
        self._draining.set()
        for duty in duties:
            duty.cancel()
        await asyncio.gather(*duties, return_exceptions=True)
        await self._hands.drop()
        self._writer.close()  # blocks, but nobody else is left; a thread might not be free among those of stuck agents
        try:
            await self._desk.give_back()
            await registration.close()  # it must not be rung for by what comes next
            await registry.end(self._desk)
        except (psycopg.Error, OSError) as error:  # then the others bury this host
            log.warning("host could not say good-bye", host=self.host_id, error=str(error).strip())
            await registration.close()
        await self._desk.close()
        await self._keeper.close()
        log.info("host ends", host=self.host_id, driven=self.driven)


async def work_on(plan: Plan, *, began: Callable[[Host], None] = lambda host: None) -> int:
    """A shift: hosts one after the other, should others have taken one for dead. Says how many runs were claimed."""
    driven = 0
    begun_at = time.monotonic()
    while True:
        host = Host(plan, began=begun_at)
        began(host)
        try:
            await host.work()
            return driven + host.driven
        except Buried as error:
            log.warning("host was taken for dead and begins anew", reason=str(error))
            driven += host.driven
