"""The runs that a host has in hand: each is a lease and a task that drives it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import psycopg
import structlog

from orchestration.driver import Tools, drive
from orchestration.driving.running import Running
from orchestration.store import Checkpoint, Lease, LeaseLost, statements
from orchestration.store.errors import StoreClosed, TooNew
from portal.core.redaction import redact

log = structlog.get_logger(__name__)

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
    def suspect(self) -> bool:
        """It has been claimed so often in vain that it may be what kills its hosts."""
        return self.lease.claims > statements.SUSPECT_CLAIMS and not self.progress

    @property
    def on_probation(self) -> bool:
        return self.suspect and time.monotonic() - self.taken < PROBATION_SECONDS


class Hands:
    """`free` is told of each run that is out of hand, with the seconds until it is due again if that is known;
    `innocent` when a suspect has turned out to be harmless."""

    def __init__(self, most: int, draining: asyncio.Event) -> None:
        self.most, self.driven = most, 0
        self.free: Callable[[float | None], None] = lambda seconds: None
        self.innocent: Callable[[], None] = lambda: None
        self._hands: dict[UUID, Hand] = {}
        self._draining = draining
        self._unattended: set[asyncio.Task[None]] = set()

    def use(self, tools: Tools) -> None:
        """Before the first is taken."""
        self._tools = tools

    def __len__(self) -> int:
        return len(self._hands)

    def __iter__(self) -> Iterator[UUID]:
        return iter(self._hands)

    @property
    def room(self) -> int:
        """How many more may be taken."""
        return self.most - len(self._hands)

    @property
    def at_work(self) -> bool:
        return any(len(hand.running) for hand in self._hands.values())

    @property
    def on_probation(self) -> bool:
        return any(hand.on_probation for hand in self._hands.values())

    # -- in and out ---------------------------------------------------------------------------------------------------

    def take(self, lease: Lease) -> None:
        older = self._hands.get(lease.run_id)
        if older is not None:
            older.task.cancel()  # its lease expired while this host hung; it has lost the run to itself
        running = Running()
        task = asyncio.create_task(self._drive(lease, running), name=f"run {lease.run_id}")
        self._hands[lease.run_id] = Hand(lease, running, task, signals_posted=lease.signals_posted)
        self.driven += 1

    async def _drive(self, lease: Lease, running: Running) -> None:
        due = None
        try:
            async with running:
                due = await drive(lease, running, self._tools)
        except (LeaseLost, StoreClosed):
            log.info("run lost", run=str(lease.run_id))
        except TooNew as error:
            log.warning("run left to hosts of a newer version", run=str(lease.run_id), what=error.what)
            await self._leave_to_newer(lease, error)
        except Exception as error:
            log.error("driver failed", run=str(lease.run_id), exc_info=error)
            await self._set_aside(lease, error)
        finally:
            self._tools.places.leave(running)
            hand = self._hands.get(lease.run_id)
            if hand is not None and hand.running is running and not self._draining.is_set():
                del self._hands[lease.run_id]
                self.free(None if due is None else max(0.0, self._tools.clock.seconds_until(due)))

    async def _leave_to_newer(self, lease: Lease, error: TooNew) -> None:
        try:
            await self._tools.desk.leave(lease, error.what)
            self._tools.live.changed(lease.run_id, lease.organisation_id)
        except psycopg.Error as trouble:  # the lease runs out by itself
            log.warning("run not given back", run=str(lease.run_id), error=str(trouble).strip())

    async def _set_aside(self, lease: Lease, error: Exception) -> None:
        message = f"The engine failed at this run: {type(error).__name__}: {error}"
        incident = redact({"code": "engine_bug", "message": message[:2000], "claims": lease.claims})
        try:
            if await self._tools.desk.set_aside(lease, incident):
                log.error("run quarantined: the engine fails at it", run=str(lease.run_id))
                self._tools.live.changed(lease.run_id, lease.organisation_id)
        except psycopg.Error as trouble:  # the lease runs out by itself
            log.warning("run not set aside", run=str(lease.run_id), error=str(trouble).strip())

    # -- what they are told -------------------------------------------------------------------------------------------

    def poke(self, run: UUID) -> bool:
        """Let its driver look at its signals. False if it is not in hand."""
        hand = self._hands.get(run)
        if hand is not None:
            hand.running.poke()
        return hand is not None

    def poke_unheard(self, signals_posted: dict[UUID, int]) -> None:
        """Those that have had more signals than anybody here has heard of."""
        for run, posted in signals_posted.items():
            hand = self._hands.get(run)
            if hand is not None and posted > hand.signals_posted:
                hand.signals_posted = posted
                hand.running.poke()

    def poke_all(self) -> None:
        for hand in self._hands.values():
            hand.running.poke()

    def committed(self, checkpoints: Sequence[Checkpoint]) -> None:
        for checkpoint in checkpoints:
            hand = self._hands.get(checkpoint.lease.run_id)
            if hand is not None and checkpoint.progress and not hand.progress:
                suspect, hand.progress = hand.suspect, True
                if suspect:
                    self.innocent()  # the next one

    # -- the end ------------------------------------------------------------------------------------------------------

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Let something of a run go on that nobody waits for."""
        task = asyncio.create_task(work)
        self._unattended.add(task)
        task.add_done_callback(self._unattended.discard)

    async def drain(self, seconds: float) -> None:
        """Give what is at work so long to end. Nothing new begins (`draining` is set)."""
        self.poke_all()
        if tasks := [hand.task for hand in self._hands.values()]:
            await asyncio.wait(tasks, timeout=seconds)

    async def drop(self) -> None:
        """Stop all that is left."""
        tasks = [hand.task for hand in self._hands.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._unattended:
            await asyncio.wait(self._unattended, timeout=1.0)
        self._hands.clear()
