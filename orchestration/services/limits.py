"""Saying no at the door: an organisation may have so many open runs, and no more are taken in."""

from __future__ import annotations

import time
from collections.abc import Callable

from django.conf import settings
from django.db import connection

from portal.core.errors import UserError
from portal.core.models import Organisation

COUNT_AGAIN_SECONDS = 2.0
LEAST_MARGIN = 100
_RETRY_SECONDS = 30
_ROOM = """
WITH most AS (
    SELECT COALESCE(
        (SELECT open_runs FROM orchestration_organisationlimits WHERE organisation_id = %(organisation)s),
        %(otherwise)s) AS runs
)
SELECT most.runs, (
    SELECT count(*) FROM (
        SELECT 1 FROM orchestration_run
        WHERE organisation_id = %(organisation)s AND NOT (status IN ('completed', 'failed', 'cancelled'))
        LIMIT (SELECT runs + 1 FROM most)) AS run)
FROM most
"""
"""The limit, and how many open runs there are, counted no further than it needs. The condition is the index's."""


class TooManyRuns(UserError):
    """429: the organisation has as many open runs as it may."""

    status = 429
    retry_after = _RETRY_SECONDS

    def __init__(self, limit: int) -> None:
        super().__init__(
            f"This organisation has {limit:,} runs that have not ended, which is its limit. "
            "Wait for some to end, cancel what is not needed, or have an administrator raise the limit.",
            code="too_many_runs",
            limit=str(limit),
        )


def make_room(organisation: Organisation, wanted: int = 1) -> None:
    """Raises TooManyRuns when so many more runs are too many."""
    room(organisation, wanted)()


def room(organisation: Organisation, wanted: int = 1) -> Callable[[], None]:
    """Ask whether there is room for so many more; calling the answer waits for it and raises TooManyRuns if not.

    Open runs are counted by an index of their own. Where there was plenty of room a moment ago they are not counted
    again: counting 10,000 takes longer than all the rest of a start. Callers at the same time may together exceed the
    limit by as many as they are: it keeps queues from growing without bound, and nobody waits for a lock because of it.
    """
    known = (organisation.pk, organisation.slug)
    plenty = _plenty.get(known)
    if plenty is not None and plenty.take(wanted):
        return lambda: None
    cursor = connection.cursor()
    cursor.execute(_ROOM, {"organisation": organisation.pk, "otherwise": settings.ENGINE_OPEN_RUNS})

    def check() -> None:
        with cursor:
            limit, there = cursor.fetchone()
        if there + wanted > limit:
            raise TooManyRuns(limit)
        _plenty[known] = _Plenty(limit - there - wanted - max(LEAST_MARGIN, limit // 10))

    return check


class _Plenty:
    """Room for so many that was there at a count, apart from a margin for what other processes start meanwhile."""

    def __init__(self, runs: int) -> None:
        self.runs, self.until = runs, time.monotonic() + COUNT_AGAIN_SECONDS

    def take(self, wanted: int) -> bool:
        if self.runs < wanted or time.monotonic() > self.until:
            return False
        self.runs -= wanted
        return True


_plenty: dict[tuple[int, str], _Plenty] = {}
