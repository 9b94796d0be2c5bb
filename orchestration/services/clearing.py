"""Clearing away what the bus and the triggers have kept long enough. Run by the jobs cluster."""

from __future__ import annotations

import structlog
from django.conf import settings
from django.db import connection

log = structlog.get_logger(__name__)

_AT_ONCE = 5000
SIGNATURES_KEPT_DAYS = 30
"""So long a signature that GitHub's scheme made (which covers no time) counts once."""
_EVENTS = """
    WITH old AS (
        SELECT id FROM orchestration_busevent
        WHERE at < clock_timestamp() - make_interval(days => %s) AND route_at IS NULL
        ORDER BY at LIMIT %s FOR UPDATE SKIP LOCKED
    ), deliveries AS (
        DELETE FROM orchestration_eventdelivery USING old WHERE event_id = old.id
    )
    DELETE FROM orchestration_busevent USING old WHERE orchestration_busevent.id = old.id
"""
_FIRES = """
    DELETE FROM orchestration_triggerfire WHERE id IN (
        SELECT id FROM orchestration_triggerfire
        WHERE at < clock_timestamp() - make_interval(days => %s) ORDER BY at LIMIT %s)
"""
_SEEN = """
    DELETE FROM orchestration_webhookseen WHERE id IN (
        SELECT id FROM orchestration_webhookseen
        WHERE at < clock_timestamp() - make_interval(days => %s) ORDER BY at LIMIT %s)
"""


def clear_bus() -> int:
    """Remove what is too old: events that have been passed on, fires of triggers, signatures. Says how many rows."""
    total = (
        _remove(_EVENTS, settings.EVENT_RETENTION_DAYS)
        + _remove(_FIRES, settings.TRIGGER_RETENTION_DAYS)
        + _remove(_SEEN, SIGNATURES_KEPT_DAYS)
    )
    if total:
        log.info("old events and fires removed", count=total)
    return total


def _remove(statement: str, days: int) -> int:
    """In short transactions."""
    total = 0
    with connection.cursor() as cursor:
        while True:
            cursor.execute(statement, [days, _AT_ONCE])
            total += cursor.rowcount
            if cursor.rowcount < _AT_ONCE:
                return total
