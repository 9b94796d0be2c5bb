"""When a node that asks the database finds it away: that is not the node's fault, so it is waited for."""

from __future__ import annotations

import asyncio

import psycopg
import structlog
from django import db

from portal.core.in_threads import in_database

log = structlog.get_logger(__name__)

PAUSE_SECONDS = 0.3
AWAY = (db.OperationalError, db.InterfaceError, psycopg.OperationalError, psycopg.InterfaceError)
"""What a query raises whose connection breaks, or cannot be made."""


async def database_back(error: Exception) -> None:
    """Return when the database answers."""
    log.warning("a node waits for the database", error=str(error).strip())
    while True:
        await asyncio.sleep(PAUSE_SECONDS)
        try:
            await in_database(_ask)
            return
        except AWAY as still:
            log.info("the database is still away", error=str(still).strip())


def _ask() -> None:
    with db.connection.cursor() as cursor:
        cursor.execute("SELECT 1")
