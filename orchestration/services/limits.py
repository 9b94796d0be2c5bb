"""Saying no at the door: an organisation may have so many open runs, and no more are taken in."""

from __future__ import annotations

from collections.abc import Callable

from django.conf import settings
from django.db import connection

from portal.core.errors import UserError
from portal.core.models import Organisation

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
    """429. `retry_after`: seconds after which it is worth asking again."""

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

    Open runs are counted by an index of their own. Callers at the same time may together exceed the limit by as many as
    they are: it keeps queues from growing without bound, and nobody waits for a lock because of it.
    """
    cursor = connection.cursor()
    cursor.execute(_ROOM, {"organisation": organisation.pk, "otherwise": settings.ENGINE_OPEN_RUNS})

    def check() -> None:
        with cursor:
            limit, there = cursor.fetchone()
        if there + wanted > limit:
            raise TooManyRuns(limit)

    return check
