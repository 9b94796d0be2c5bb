"""A host: one event loop that claims due runs and drives hundreds of them side by side.

    listen    the doorbell: read the signals of a run in hand, or look for due ones
    claim     take due runs while there is room; otherwise sleep until the bell, the next due time, or a few seconds
    beat      a sign of life for the host and its leases; signals whose notification got lost
    sweep     bury dead hosts at once, free the runs of hung ones, quarantine runs that kill hosts
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
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import psycopg
import structlog

from agents import snapshots
from agents.models import CHANNEL as AGENTS_CHANNEL
from orchestration.dispatching import Dispatcher
from orchestration.driver import Tools, drive
from orchestration.driving.clock import DatabaseClock
from orchestration.driving.places import HostPlaces
from orchestration.driving.running import Running
from orchestration.live import Live
from orchestration.store import Checkpoint, Desk, Lease, LeaseLost, Writer, claims, places, registry, statements
from orchestration.store.errors import StoreClosed, TooNew
from orchestration.store.registry import Buried, Registration
from orchestration.values.keeper import Keeper
from orchestration.wakeups import BUS_CHANNEL
from portal.core.redaction import redact

log = structlog.get_logger(__name__)

BEAT_SECONDS = 2.0
SWEEP_SECONDS = 0.25
EXPIRED_EVERY = 8  # sweeps
POLL_SECONDS = 5.0
LOOK_AGAIN_SECONDS = 0.1
CLAIM_AT_ONCE = 25
"""So that hosts who hear the same bell share a burst of runs."""
YIELD_SECONDS_A_RUN = 0.002
MOST_YIELD_SECONDS = 0.03
PROBATION_SECONDS = 5.0
"""So long a run that may kill its host is watched before the next such run is taken."""


@dataclass(slots=True)
class Hand:
    """A run in hand."""

    lease: Lease
    running: Running
    task: asyncio.Task[None]
    taken: float = field(default_factory=time.monotonic)
    signals_posted: int = 0
    progress: bool = False

    @property
    def on_probation(self) -> bool:
        suspect = self.lease.claims > statements.SUSPECT_CLAIMS and not self.progress
        return suspect and time.monotonic() - self.taken < PROBATION_SECONDS


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
        self.driven = 0
        self._hands: dict[UUID, Hand] = {}
        self._bell = asyncio.Event()
        self._named: list[UUID] = []
        """Runs that were rung for since the last claim and are not in hand."""
        self._over = asyncio.Event()
        self._draining = asyncio.Event()
        self._began = time.monotonic() if began is None else began
        self._next_look = 0.0
        self._drain_seconds = self.plan.drain_seconds
        self._others = 0
        self._left_due = False
        self._places = HostPlaces(self.plan.steps)
        self._unattended: set[asyncio.Task[None]] = set()

    @property
    def in_hand(self) -> int:
        return len(self._hands)

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
        self._tools = Tools(
            self._desk, self._writer, self._clock, self._live, self._draining, self._keeper, self._places, self._spawn
        )
        self._writer.start()
        self.host_id = registration.host_id
        log.info("host begins", host=self.host_id)
        duties = [
            asyncio.create_task(duty, name=name)
            for name, duty in (
                ("listen", self._listen(registration)),
                ("claim", self._keep(self._claim_forever)),
                ("beat", self._keep(self._beat_forever)),
                ("sweep", self._keep(self._sweep_forever)),
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
            self._bell.set()
            self._dispatcher.ring()
            self._poke_all()
            return

    def _ring(self, channel: str, payload: str) -> None:
        if channel == BUS_CHANNEL:
            self._dispatcher.ring()
            return
        if channel == AGENTS_CHANNEL:
            snapshots.hear(payload)
            return
        run = UUID(payload) if payload else None
        hand = self._hands.get(run) if run else None
        if hand is not None:
            hand.running.poke()
            return
        if run is not None:
            self._named.append(run)
        self._bell.set()

    async def _claim_forever(self) -> None:
        while True:
            await self._sleep_until_bell()
            if self._draining.is_set():
                await asyncio.sleep(POLL_SECONDS)
                continue
            if self._others:  # they hear the same bell: the one with less to do shall be the first
                await asyncio.sleep(min(len(self._hands) * YIELD_SECONDS_A_RUN, MOST_YIELD_SECONDS))
            await self._claim_named()
            while (room := self.plan.runs - len(self._hands)) > 0:
                leases = await self._desk.claim(min(room, CLAIM_AT_ONCE))
                for lease in leases:
                    self._take(lease)
                if len(leases) < claims.FEWEST:
                    break
                await asyncio.sleep(0)  # let the drivers begin, and other hosts have their share
            await self._claim_suspect()
            if time.monotonic() >= self._next_look:
                await self._look_ahead()

    async def _claim_named(self) -> None:
        """What has just been rung for, by its name, if this host has room for whatever else there is."""
        named, self._named = self._named, []
        if named and len(named) <= CLAIM_AT_ONCE <= self.plan.runs - len(self._hands) and not self._left_due:
            for lease in await self._desk.claim_named(named):
                self._take(lease)
            await asyncio.sleep(0)  # the drivers begin before it is asked what else there is

    async def _sleep_until_bell(self) -> None:
        try:
            async with asyncio.timeout(max(0.0, self._next_look - time.monotonic())):
                await self._bell.wait()
        except TimeoutError:
            pass
        self._bell.clear()

    async def _claim_suspect(self) -> None:
        """One at a time: if it kills this host too, it takes no other suspect along."""
        if any(hand.on_probation for hand in self._hands.values()):
            self._look_in(1.0)
            return
        for lease in await self._desk.claim(1, suspect=True):
            log.warning("host takes a run that may kill it", run=str(lease.run_id), claims=lease.claims)
            self._take(lease)

    async def _look_ahead(self) -> None:
        seconds = await self._desk.seconds_to_next()
        self._next_look = time.monotonic() + POLL_SECONDS
        if seconds is not None:
            self._look_in(max(seconds, LOOK_AGAIN_SECONDS if len(self._hands) < self.plan.runs else POLL_SECONDS))
        # what is due and was not taken is another host's at this moment, or its organisation has enough in hand
        self._left_due = seconds is not None and seconds < 0

    def _look_in(self, seconds: float) -> None:
        look = time.monotonic() + seconds
        if look < self._next_look:
            self._next_look = look
            self._bell.set()

    async def _beat_forever(self) -> None:
        while True:
            asked, at = await registry.beat(self._desk, draining=self._draining.is_set())
            self._clock.heard(at)
            self._writer.beat(self._hands)
            if asked:
                self.stop()
            await self._poke_unheard()
            self._others = await registry.other_hosts(self._desk)
            await self._desk.read_limits()
            if self.plan.each_beat is not None:
                await self.plan.each_beat()
            await asyncio.sleep(BEAT_SECONDS)

    async def _poke_unheard(self) -> None:
        for run, posted in (await self._desk.signals_posted()).items():
            hand = self._hands.get(run)
            if hand is not None and posted > hand.signals_posted:
                hand.signals_posted = posted
                hand.running.poke()

    async def _sweep_forever(self) -> None:
        turn = 0
        await registry.forget_old_hosts(self._desk)
        while True:
            dead = await registry.dead_hosts(self._desk)
            for host in dead:
                freed = await registry.bury(self._desk, host, in_company=len(dead) > 1)
                if freed is None:
                    continue
                log.warning("host died", host=host, runs=len(freed))
                if freed:
                    await places.sweep(self._desk, snapshots.calls_at_once)
                    self._bell.set()
            if turn % EXPIRED_EVERY == 0:
                await self._sweep_slowly()
            turn += 1
            await asyncio.sleep(SWEEP_SECONDS)

    async def _sweep_slowly(self) -> None:
        expired = await registry.free_expired(self._desk)
        if expired:
            log.warning("leases expired", runs=[str(run) for run in expired])
            self._bell.set()
        self._places.learn(await places.steps_at_work(self._desk))
        await places.sweep(self._desk, snapshots.calls_at_once)
        for run, organisation in await self._desk.quarantine():
            log.error("run quarantined: it has cost several hosts their life", run=str(run))
            self._live.changed(run, organisation)

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
        idle = not any(len(hand.running) for hand in self._hands.values())
        if not idle and overtime < self.plan.overtime_seconds:
            if not self._others:
                return
            self._drain_seconds = self.plan.overtime_seconds - overtime
        self.stop()

    # -- runs in hand -------------------------------------------------------------------------------------------------

    def _take(self, lease: Lease) -> None:
        older = self._hands.get(lease.run_id)
        if older is not None:
            older.task.cancel()  # its lease expired while this host hung; it has lost the run to itself
        running = Running()
        task = asyncio.create_task(self._drive(lease, running), name=f"run {lease.run_id}")
        self._hands[lease.run_id] = Hand(lease, running, task, signals_posted=lease.signals_posted)
        self.driven += 1

    async def _drive(self, lease: Lease, running: Running) -> None:
        try:
            async with running:
                due = await drive(lease, running, self._tools)
            if due is not None:
                self._look_in(max(0.0, self._clock.seconds_until(due)))
        except (LeaseLost, StoreClosed):
            log.info("run lost", run=str(lease.run_id))
        except TooNew as error:
            log.warning("run left to hosts of a newer version", run=str(lease.run_id), what=error.what)
            await self._leave_to_newer(lease, error)
        except Exception as error:
            log.error("driver failed", run=str(lease.run_id), exc_info=error)
            await self._set_aside(lease, error)
        finally:
            hand = self._hands.get(lease.run_id)
            if hand is not None and hand.running is running and not self._draining.is_set():
                del self._hands[lease.run_id]
                if self._left_due or len(self._hands) == self.plan.runs - 1:
                    self._bell.set()  # there is room again

    async def _leave_to_newer(self, lease: Lease, error: TooNew) -> None:
        try:
            await self._desk.leave(lease, error.what)
            self._live.changed(lease.run_id, lease.organisation_id)
        except psycopg.Error as trouble:  # the lease runs out by itself
            log.warning("run not given back", run=str(lease.run_id), error=str(trouble).strip())

    async def _set_aside(self, lease: Lease, error: Exception) -> None:
        message = f"The engine failed at this run: {type(error).__name__}: {error}"
        incident = redact({"code": "engine_bug", "message": message[:2000], "claims": lease.claims})
        try:
            if await self._desk.set_aside(lease, incident):
                log.error("run quarantined: the engine fails at it", run=str(lease.run_id))
                self._live.changed(lease.run_id, lease.organisation_id)
        except psycopg.Error as trouble:  # the lease runs out by itself
            log.warning("run not set aside", run=str(lease.run_id), error=str(trouble).strip())

    def _committed(self, checkpoints: Sequence[Checkpoint]) -> None:
        self._live.committed(checkpoints)
        for checkpoint in checkpoints:
            hand = self._hands.get(checkpoint.lease.run_id)
            if hand is not None and checkpoint.progress and not hand.progress:
                hand.progress = True
                if hand.lease.claims > statements.SUSPECT_CLAIMS:
                    self._bell.set()  # it is innocent: the next one

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._unattended.add(task)
        task.add_done_callback(self._unattended.discard)

    def _poke_all(self) -> None:
        for hand in self._hands.values():
            hand.running.poke()

    # -- the end ------------------------------------------------------------------------------------------------------

    async def _drain(self) -> None:
        log.info("host drains", host=self.host_id, runs=len(self._hands))
        self._draining.set()
        self._poke_all()
        tasks = [hand.task for hand in self._hands.values()]
        if tasks:
            await asyncio.wait(tasks, timeout=self._drain_seconds)

    async def _leave(self, registration: Registration, duties: list[asyncio.Task[Any]]) -> None:
        """Stop everything, give back what is left, and say good-bye; also on the way out of an error."""
        self._draining.set()
        tasks = [*duties, *(hand.task for hand in self._hands.values())]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._unattended:
            await asyncio.wait(self._unattended, timeout=1.0)
        self._hands.clear()
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
