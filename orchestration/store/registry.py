"""Hosts that live: a row each, and an advisory lock that PostgreSQL frees the moment the process is gone.

Whoever gets a host's lock knows that it is dead, and frees its runs in the same transaction (`bury`). A host whose own
connection broke tries to get its lock back (`Registration.renew`); if somebody was faster it is buried and must begin
anew.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg
import structlog

from agents.models import CHANNEL as AGENTS_CHANNEL
from orchestration.store.connecting import connect_async
from orchestration.store.desk import Desk
from orchestration.store.errors import StoreError
from orchestration.wakeups import BUS_CHANNEL, CHANNEL

log = structlog.get_logger(__name__)

LOCK_CLASS = 0x454E53  # "ENS"
RELOCK_SECONDS = 3
"""A server that was restarted knows no locks: so long hosts that live have to take their own again."""

_REGISTER = """
INSERT INTO orchestration_enginehost (hostname, pid, started_at, heartbeat_at, draining)
VALUES (%s, %s, clock_timestamp(), clock_timestamp(), false) RETURNING id, clock_timestamp()
"""
_STILL_MINE = "SELECT ended_at IS NULL FROM orchestration_enginehost WHERE id = %s FOR UPDATE"
_BEAT = """
UPDATE orchestration_enginehost SET heartbeat_at = clock_timestamp(), draining = draining OR %s
WHERE id = %s AND ended_at IS NULL RETURNING draining, clock_timestamp()
"""
_END = "UPDATE orchestration_enginehost SET ended_at = clock_timestamp() WHERE id = %s AND ended_at IS NULL"
_UNLOCKED = """
SELECT host.id FROM orchestration_enginehost AS host
WHERE host.ended_at IS NULL AND host.id <> %(own)s
  AND pg_postmaster_start_time() < clock_timestamp() - make_interval(secs => %(grace)s) AND NOT EXISTS (
    SELECT 1 FROM pg_locks AS lock
    WHERE lock.locktype = 'advisory' AND lock.classid = %(class)s::oid AND lock.objsubid = 2 AND lock.granted
      AND lock.objid::bigint = host.id
      AND lock.database = (SELECT oid FROM pg_database WHERE datname = current_database()))
"""
_FREE = """
UPDATE orchestration_run SET host_id = NULL, lease_expires_at = NULL, due_at = LEAST(due_at, clock_timestamp()),
    claims = CASE WHEN %(in_company)s THEN GREATEST(claims - 1, 0) ELSE claims END
WHERE id IN (SELECT id FROM orchestration_run WHERE host_id = %(host)s FOR UPDATE SKIP LOCKED)
RETURNING id
"""
_FREE_EXPIRED = """
UPDATE orchestration_run SET host_id = NULL, lease_expires_at = NULL, due_at = LEAST(due_at, clock_timestamp())
WHERE id IN (SELECT run.id FROM orchestration_run AS run JOIN orchestration_enginehost AS host ON host.id = run.host_id
             WHERE run.lease_expires_at < clock_timestamp() OR host.ended_at IS NOT NULL
             FOR UPDATE OF run SKIP LOCKED)
RETURNING id
"""
_OTHERS = """
SELECT id FROM orchestration_enginehost
WHERE id <> %s AND ended_at IS NULL AND NOT draining AND heartbeat_at > clock_timestamp() - interval '15 seconds'
"""
_FORGET = "DELETE FROM orchestration_enginehost WHERE ended_at < clock_timestamp() - interval '1 day'"


async def _listen(connection: psycopg.AsyncConnection[Any]) -> None:
    for channel in (CHANNEL, BUS_CHANNEL, AGENTS_CHANNEL):
        await connection.execute(f"LISTEN {channel}")


class Buried(StoreError):
    """Others hold this host for dead and have its runs."""


class Registration:
    """This host's row, lock and ear. The connection does nothing but hold the lock and listen."""

    def __init__(self, host_id: int, at: datetime, connection: psycopg.AsyncConnection[Any]) -> None:
        self.host_id, self.at = host_id, at
        self._connection = connection

    @classmethod
    async def begin(cls) -> Registration:
        connection = await connect_async("host")
        async with connection.transaction():
            cursor = await connection.execute(_REGISTER, [socket.gethostname(), os.getpid()])
            host_id, at = await _one(cursor)
            # before the commit: nobody ever sees the row without its lock
            await connection.execute("SELECT pg_advisory_lock(%s, %s::int)", [LOCK_CLASS, host_id])
        await _listen(connection)
        return cls(host_id, at, connection)

    async def heard(self) -> AsyncIterator[tuple[str, str]]:
        """(channel, payload) of each ring. Raises psycopg.Error when the connection is gone: then `renew`."""
        async for notification in self._connection.notifies():
            yield notification.channel, notification.payload
        raise psycopg.OperationalError("the connection that listens has ended")

    async def renew(self) -> None:
        """Get the lock back after the connection broke. Raises Buried, or psycopg.Error while the server is away."""
        with suppress(psycopg.Error):
            await self._connection.close()
        connection = await connect_async("host")
        try:
            await self._relock(connection)
            await _listen(connection)
        except BaseException:
            await connection.close()
            raise
        self._connection = connection

    async def _relock(self, connection: psycopg.AsyncConnection[Any]) -> None:
        while True:
            async with connection.transaction():
                cursor = await connection.execute(_STILL_MINE, [self.host_id])
                row = await cursor.fetchone()
                if row is None or not row[0]:
                    raise Buried(f"Host {self.host_id} was held for dead.")
                cursor = await connection.execute(
                    "SELECT pg_try_advisory_lock(%s, %s::int)", [LOCK_CLASS, self.host_id]
                )
                if (await _one(cursor))[0]:
                    return
            await asyncio.sleep(
                0.1
            )  # the server has not noticed the end of the old connection yet, which holds the lock

    async def close(self) -> None:
        await self._connection.close()


async def beat(desk: Desk, *, draining: bool) -> tuple[bool, datetime]:
    """A sign of life. Says whether somebody wants the host to drain, and the database's time. Raises Buried."""
    rows = await desk.execute(_BEAT, [draining, desk.host_id])
    if not rows:
        raise Buried(f"Host {desk.host_id} was held for dead.")
    return rows[0]


async def end(desk: Desk) -> None:
    """The host has given everything back. Others look for what is due."""
    await desk.execute(_END, [desk.host_id])
    await desk.execute("SELECT pg_notify(%s, '')", [CHANNEL])


async def dead_hosts(desk: Desk) -> list[int]:
    """Hosts whose lock is free; cheap enough to ask several times a second."""
    return [
        row[0]
        for row in await desk.execute(_UNLOCKED, {"own": desk.host_id, "class": LOCK_CLASS, "grace": RELOCK_SECONDS})
    ]


async def bury(desk: Desk, host_id: int, *, in_company: bool = False) -> list[UUID] | None:
    """End a dead host and free its runs, but for those whose row somebody holds at this moment: `free_expired`
    comes to them. None if it turns out to live, or another host buries it at this moment.

    in_company: several hosts died at once, so no run of theirs is to blame.
    """
    async with desk.transaction() as connection:
        cursor = await connection.execute("SELECT pg_try_advisory_xact_lock(%s, %s::int)", [LOCK_CLASS, host_id])
        if not (await _one(cursor))[0]:
            return None
        ended = await connection.execute(_END, [host_id])
        if not ended.rowcount:
            return None
        freed = await (await connection.execute(_FREE, {"host": host_id, "in_company": in_company})).fetchall()
        if freed:
            await connection.execute("SELECT pg_notify(%s, '')", [CHANNEL])
        return [row[0] for row in freed]


async def free_expired(desk: Desk) -> list[UUID]:
    """Runs whose holder hangs, is cut off, or has ended. It may still think that it holds them; its token says that it
    does not."""
    return [row[0] for row in await desk.execute(_FREE_EXPIRED)]


async def other_hosts(desk: Desk) -> list[int]:
    """That take new runs and have shown a sign of life lately."""
    return [row[0] for row in await desk.execute(_OTHERS, [desk.host_id])]


async def forget_old_hosts(desk: Desk) -> None:
    await desk.execute(_FORGET)


async def _one(cursor: psycopg.AsyncCursor[Any]) -> Any:
    row = await cursor.fetchone()
    if row is None:
        raise psycopg.DataError("a query that always has one row had none")
    return row
