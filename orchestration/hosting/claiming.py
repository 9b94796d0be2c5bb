"""Taking due runs into hand: when the bell rings, when the next is due, and every few seconds in any case."""

from __future__ import annotations

import asyncio
import time
from uuid import UUID

import structlog

from orchestration.hosting.hands import Hands
from orchestration.store import Desk, claims

log = structlog.get_logger(__name__)

POLL_SECONDS = 5.0
LOOK_AGAIN_SECONDS = 0.1
CLAIM_AT_ONCE = 25
"""So that hosts who hear the same bell share a burst of runs."""
YIELD_SECONDS_A_RUN = 0.002
MOST_YIELD_SECONDS = 0.03


class Claiming:
    """`others`: there are other hosts that hear the same bell."""

    def __init__(self, desk: Desk, hands: Hands, draining: asyncio.Event) -> None:
        self._desk, self._hands, self._draining = desk, hands, draining
        self.others = False
        self._bell = asyncio.Event()
        self._named: list[UUID] = []
        """Runs that were rung for since the last claim and are not in hand."""
        self._next_look = 0.0
        self._left_due = False

    def ring(self, run: UUID | None = None) -> None:
        """Something may be due; this run, if it is known."""
        if run is not None:
            self._named.append(run)
        self._bell.set()

    def free(self, seconds: float | None) -> None:
        """A run is out of hand, and due again in so many seconds (None: not known)."""
        if seconds is not None:
            self._look_in(seconds)
        if self._left_due or self._hands.room == 1:
            self._bell.set()  # there is room again

    async def forever(self) -> None:
        """Raises psycopg.Error while the database is away; call again."""
        while True:
            await self._sleep_until_bell()
            if self._draining.is_set():
                await asyncio.sleep(POLL_SECONDS)
                continue
            if self.others:  # the one with less to do shall be the first
                await asyncio.sleep(min(len(self._hands) * YIELD_SECONDS_A_RUN, MOST_YIELD_SECONDS))
            await self._claim_named()
            while (room := self._hands.room) > 0:
                leases = await self._desk.claim(min(room, CLAIM_AT_ONCE))
                for lease in leases:
                    self._hands.take(lease)
                if len(leases) < claims.FEWEST:
                    break
                await asyncio.sleep(0)  # let the drivers begin, and other hosts have their share
            await self._claim_suspect()
            if time.monotonic() >= self._next_look:
                await self._look_ahead()

    async def _claim_named(self) -> None:
        """What has just been rung for, by its name, if this host has room for whatever else there is."""
        named, self._named = self._named, []
        if named and len(named) <= CLAIM_AT_ONCE <= self._hands.room and not self._left_due:
            for lease in await self._desk.claim_named(named):
                self._hands.take(lease)
            await asyncio.sleep(0)  # the drivers begin before it is asked what else there is

    async def _claim_suspect(self) -> None:
        """One at a time: if it kills this host too, it takes no other suspect along."""
        if self._hands.on_probation:
            self._look_in(1.0)
            return
        for lease in await self._desk.claim(1, suspect=True):
            log.warning("host takes a run that may kill it", run=str(lease.run_id), claims=lease.claims)
            self._hands.take(lease)

    async def _look_ahead(self) -> None:
        seconds = await self._desk.seconds_to_next()
        self._next_look = time.monotonic() + POLL_SECONDS
        if seconds is not None:
            self._look_in(max(seconds, LOOK_AGAIN_SECONDS if self._hands.room > 0 else POLL_SECONDS))
        # what is due and was not taken is another host's at this moment, or its organisation has enough in hand
        self._left_due = seconds is not None and seconds < 0

    def _look_in(self, seconds: float) -> None:
        look = time.monotonic() + seconds
        if look < self._next_look:
            self._next_look = look
            self._bell.set()

    async def _sleep_until_bell(self) -> None:
        try:
            async with asyncio.timeout(max(0.0, self._next_look - time.monotonic())):
                await self._bell.wait()
        except TimeoutError:
            pass
        self._bell.clear()
