"""Taking due runs into hand: when the bell rings, when the next is due, and every few seconds in any case."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
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
GIVE_WAY_SECONDS = 0.02
"""So long a run that was rung for is left to the host whose turn it is."""


class Claiming:
    """`others`: hosts that hear the same bell. Each run has one of them, or this one, whose turn it is: so it is not
    fought for, and whoever begins it is not slowed down by those who come too late."""

    def __init__(self, desk: Desk, hands: Hands, draining: asyncio.Event) -> None:
        self._desk, self._hands, self._draining = desk, hands, draining
        self.others: Sequence[int] = ()
        self._bell = asyncio.Event()
        self._named: list[UUID] = []
        """Runs of this host's that were rung for since the last claim and are not in hand."""
        self._asked = False
        """Anything may be due."""
        self._next_look = 0.0
        self._left_due = False

    def ring(self, run: UUID | None = None) -> None:
        """Something may be due; this run, if it is known."""
        if run is not None and not self._is_mine(run):
            self._look_in(GIVE_WAY_SECONDS)
            return
        if run is not None:
            self._named.append(run)
        else:
            self._asked = True
        self._bell.set()

    def _is_mine(self, run: UUID) -> bool:
        hosts = sorted({*self.others, self._desk.host_id})
        return hosts[run.int % len(hosts)] == self._desk.host_id

    def free(self, seconds: float | None) -> None:
        """A run is out of hand, and due again in so many seconds (None: not known)."""
        if seconds is not None:
            self._look_in(seconds)
        if self._left_due or self._hands.room == 1:
            self.ring()  # there is room again

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
            if not self._asked and time.monotonic() < self._next_look:
                continue
            self._asked = False
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
        """What has just been rung for, by its name, if this host has room for whatever else there is.

        If that brings nothing (another host was first, or runs in hand are limited) all that is due is looked at.
        """
        named, self._named = self._named, []
        if not named:
            return
        leases = []
        if len(named) <= CLAIM_AT_ONCE <= self._hands.room and not self._left_due:
            leases = await self._desk.claim_named(named)
        for lease in leases:
            self._hands.take(lease)
        self._asked = self._asked or not leases

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
