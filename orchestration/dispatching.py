"""What hosts do besides driving runs: pass events on, settle waits for events, fire schedules that are due.

Each host looks when it hears the bus's bell, and each second: whatever one did not finish another does, so this goes on
as long as any host lives. Rows decide who does what (`orchestration.bus`), so hosts need not agree on anything.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog

from orchestration.services import routing, schedules
from orchestration.store import Desk
from portal.core.in_threads import in_database

log = structlog.get_logger(__name__)

LOOK_SECONDS = 1.0

_ANYTHING = """
SELECT EXISTS (SELECT 1 FROM orchestration_busevent WHERE route_at <= clock_timestamp())
    OR EXISTS (SELECT 1 FROM orchestration_eventsubscription WHERE NOT settled)
    OR EXISTS (SELECT 1 FROM orchestration_trigger WHERE enabled AND next_at <= clock_timestamp())
"""


class Dispatcher:
    """One of a host. `ring` in the host's loop when there may be something."""

    def __init__(self, desk: Desk, draining: asyncio.Event) -> None:
        self._desk, self._draining = desk, draining
        self._bell = asyncio.Event()

    def ring(self) -> None:
        self._bell.set()

    async def run(self) -> None:
        """For ever. Raises psycopg.Error and OSError when the database is away."""
        while True:
            await self._sleep()
            while not self._draining.is_set() and await self._anything():
                if not await self._look():
                    break

    async def _look(self) -> int:
        """Whatever goes wrong here must not end the host, which has runs in hand: it looks again a second later."""
        try:
            return await in_database(look)
        except Exception as error:
            log.error("the bus was not looked after", exc_info=error)
            return 0

    async def _sleep(self) -> None:
        try:
            async with asyncio.timeout(LOOK_SECONDS):
                await self._bell.wait()
        except TimeoutError:
            pass
        self._bell.clear()

    async def _anything(self) -> bool:
        """One query, on the host's own connection: mostly there is nothing."""
        rows = await self._desk.execute(_ANYTHING)
        return bool(rows and rows[0][0])


_DUTIES: tuple[Callable[[], int], ...] = (routing.settle_new, routing.route_due, schedules.fire_due)


def look() -> int:
    """Do what is due. Says how much it was."""
    return sum(duty() for duty in _DUTIES)
