"""Looking after the others: burying dead hosts at once, freeing runs of hung ones, quarantining runs that kill."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog

from agents import snapshots
from orchestration.driving.places import HostPlaces
from orchestration.live import Live
from orchestration.store import Desk, places, registry

log = structlog.get_logger(__name__)

SWEEP_SECONDS = 0.25
EXPIRED_EVERY = 8  # sweeps


class Sweeping:
    """`freed` is called when runs are free that somebody else had in hand."""

    def __init__(self, desk: Desk, live: Live, host_places: HostPlaces, freed: Callable[[], None]) -> None:
        self._desk, self._live, self._places, self._freed = desk, live, host_places, freed

    async def forever(self) -> None:
        """Raises psycopg.Error while the database is away; call again."""
        turn = 0
        await registry.forget_old_hosts(self._desk)
        while True:
            await self._bury_the_dead()
            if turn % EXPIRED_EVERY == 0:
                await self._sweep_slowly()
            turn += 1
            await asyncio.sleep(SWEEP_SECONDS)

    async def _bury_the_dead(self) -> None:
        dead = await registry.dead_hosts(self._desk)
        for host in dead:
            freed = await registry.bury(self._desk, host, in_company=len(dead) > 1)
            if freed is None:
                continue
            log.warning("host died", host=host, runs=len(freed))
            if freed:
                await places.sweep(self._desk, snapshots.calls_at_once)
                self._freed()

    async def _sweep_slowly(self) -> None:
        expired = await registry.free_expired(self._desk)
        if expired:
            log.warning("leases expired", runs=[str(run) for run in expired])
            self._freed()
        self._places.learn(await places.steps_at_work(self._desk))
        await places.sweep(self._desk, snapshots.calls_at_once)
        for run, organisation in await self._desk.quarantine():
            log.error("run quarantined: it has cost several hosts their life", run=str(run))
            self._live.changed(run, organisation)
