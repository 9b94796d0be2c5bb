"""Clearing away what the bus has kept long enough. Run by the jobs cluster."""

from __future__ import annotations

import structlog
from django.conf import settings
from django.db import connection

log = structlog.get_logger(__name__)

_AT_ONCE = 5000
_REMOVE = """
    WITH old AS (
        SELECT id FROM orchestration_busevent
        WHERE at < clock_timestamp() - make_interval(days => %s) AND route_at IS NULL
        ORDER BY at LIMIT %s FOR UPDATE SKIP LOCKED
    ), deliveries AS (
        DELETE FROM orchestration_eventdelivery USING old WHERE event_id = old.id
    )
    DELETE FROM orchestration_busevent USING old WHERE orchestration_busevent.id = old.id
"""


def clear_bus() -> int:
    """Remove events older than `EVENT_RETENTION_DAYS` that have been passed on. Says how many."""
    total = 0
    while removed := _remove_events(settings.EVENT_RETENTION_DAYS):
        total += removed
    if total:
        log.info("old events removed", count=total)
    return total


def _remove_events(days: int) -> int:
    """One short transaction."""
    with connection.cursor() as cursor:
        cursor.execute(_REMOVE, [days, _AT_ONCE])
        return cursor.rowcount
