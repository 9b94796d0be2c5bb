"""Places: who may be at work where only so many may be at once, over all hosts.

A scope (`agent:<organisation>:<slug>`, `steps:<organisation>`, `workflow:<id>`) has as many places as its limit. A row
of `models.Place` either holds a place (`granted_at` is set) or waits for one. Whoever finds none leaves a row that
waits and holds nothing; the transaction that frees a place gives it to the row whose turn it is (priorities age as in
`claims.py`), counts that as a signal to the run, so that nobody can let the run go over it, and rings.

A limit may be changed while somebody waits: `sweep` looks every few seconds what it is today, for all who wait.

All that concerns one scope happens under its advisory lock, one after the other. A place is held as long as the lease
of the run that took it: `sweep` frees what dead hosts left behind, so a lost host costs no place for longer than it
takes to notice.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import psycopg

from orchestration.store.claims import AGEING_SECONDS
from orchestration.store.desk import Desk
from orchestration.store.leases import Lease
from orchestration.wakeups import CHANNEL

LOCK_CLASS = 0x504C43  # "PLC"
RUN = "*"
"""Instead of a node: the place is the run's own, from its beginning to its end."""
UNLIMITED = 1_000_000
CallsAtOnce = Callable[[int, str], Awaitable[int | None]]
"""The limit of an organisation's agent, by its slug."""
UNUSED_SECONDS = 10
"""A place given to a run that does not come for it (it was paused, or cancelled) is taken back."""


@dataclass(frozen=True, slots=True)
class Scope:
    """`name` as above; `limit` places."""

    name: str
    limit: int


_LOCK = "SELECT pg_advisory_xact_lock(%s, hashtext(%s))"

_ASK = f"""
INSERT INTO orchestration_place (scope, run_id, node, path, lease_token, allowed, turn, since)
SELECT %(scope)s::text, run.id, '', '', run.lease_token, %(limit)s::int,
       clock_timestamp() - run.priority * interval '{AGEING_SECONDS} seconds', clock_timestamp()
FROM orchestration_run AS run
WHERE run.id = %(run)s AND run.host_id = %(host)s AND run.lease_token = %(token)s
  AND NOT EXISTS (SELECT 1 FROM orchestration_place WHERE scope = %(scope)s::text AND run_id = %(run)s AND node = '')
"""  # noqa: S608
"""One row a run waits, or has been granted and is not used yet, whatever number of its nodes want one."""

_MINE = """
UPDATE orchestration_place SET lease_token = %(token)s
WHERE scope = %(scope)s::text AND run_id = %(run)s AND node = %(node)s AND path = %(path)s RETURNING id
"""
"""Taken by a host that died before it could begin."""

_GRANT = """
WITH open AS (
    SELECT (SELECT allowed FROM orchestration_place WHERE scope = %(scope)s::text ORDER BY id DESC LIMIT 1)
         - (SELECT count(*) FROM orchestration_place WHERE scope = %(scope)s::text AND granted_at IS NOT NULL) AS places
), next AS (
    SELECT id FROM orchestration_place WHERE scope = %(scope)s::text AND granted_at IS NULL
    ORDER BY turn, id LIMIT (SELECT GREATEST(places, 0) FROM open)
)
UPDATE orchestration_place AS place SET granted_at = clock_timestamp() FROM next WHERE place.id = next.id
RETURNING place.run_id
"""

_USE = """
UPDATE orchestration_place SET node = %(node)s, path = %(path)s, lease_token = %(token)s
WHERE id = (SELECT id FROM orchestration_place
            WHERE scope = %(scope)s::text AND run_id = %(run)s AND node = '' AND granted_at IS NOT NULL)
RETURNING id
"""

_WAKE = """
UPDATE orchestration_run SET signals_posted = signals_posted + 1, due_at = LEAST(due_at, clock_timestamp())
WHERE id = ANY(%(runs)s) AND ended_at IS NULL RETURNING pg_notify(%(channel)s, id::text)
"""

_RELEASE = """
DELETE FROM orchestration_place
WHERE scope = %(scope)s::text AND run_id = %(run)s AND node = %(node)s AND path = %(path)s
"""

_FREE_DEAD = f"""
DELETE FROM orchestration_place AS place USING orchestration_run AS run
WHERE run.id = place.run_id AND (
    run.ended_at IS NOT NULL
    OR (place.node NOT IN ('', '{RUN}') AND (run.host_id IS NULL OR run.lease_token <> place.lease_token))
    OR (place.node = '' AND place.granted_at < clock_timestamp() - interval '{UNUSED_SECONDS} seconds'))
"""  # noqa: S608

_ALLOW = "UPDATE orchestration_place SET allowed = %(limit)s WHERE scope = %(scope)s::text AND allowed <> %(limit)s"

_ALL_STEPS = (
    "SELECT organisation_id, steps_at_work FROM orchestration_organisationlimits WHERE steps_at_work IS NOT NULL"
)

_STEPS_OF = "SELECT steps_at_work FROM orchestration_organisationlimits WHERE organisation_id = %(id)s::bigint"

_RUNS_OF = """
SELECT (definition.body #>> '{settings,limits,runs}')::int
FROM orchestration_workflow AS workflow
JOIN orchestration_workflowversion AS version ON version.id = workflow.published_id
JOIN orchestration_definition AS definition ON definition.digest = version.definition_id
WHERE workflow.id = %(id)s::uuid
"""

_WAITED_FOR = "SELECT DISTINCT scope FROM orchestration_place WHERE granted_at IS NULL"


async def take(desk: Desk, lease: Lease, scope: Scope, node: str, path: str) -> bool:
    """A place for a node run, or `RUN`. False: the run is now in the queue, and is told when its turn has come."""
    about = {"scope": scope.name, "limit": scope.limit, "run": lease.run_id, "host": desk.host_id}
    about |= {"token": lease.token, "node": node, "path": path}
    async with desk.transaction() as connection:
        await connection.execute(_LOCK, [LOCK_CLASS, scope.name])
        if await (await connection.execute(_MINE, about)).fetchone():
            return True
        await connection.execute(_ASK, about)
        await _grant(connection, scope.name, but=lease.run_id)
        return await (await connection.execute(_USE, about)).fetchone() is not None


async def release(desk: Desk, run: UUID, scope: str, node: str, path: str) -> None:
    """Give a place back; the next in the queue gets it in the same transaction."""
    async with desk.transaction() as connection:
        await connection.execute(_LOCK, [LOCK_CLASS, scope])
        await connection.execute(_RELEASE, {"scope": scope, "run": run, "node": node, "path": path})
        await _grant(connection, scope)


async def sweep(desk: Desk, calls_at_once: CallsAtOnce) -> None:
    """Free what nobody holds any more, and give away what is free by today's limits. A query while nobody waits."""
    await desk.execute(_FREE_DEAD)
    for (scope,) in await desk.execute(_WAITED_FOR):
        limit = await today(desk, scope, calls_at_once)
        async with desk.transaction() as connection:
            await connection.execute(_LOCK, [LOCK_CLASS, scope])
            await connection.execute(_ALLOW, {"scope": scope, "limit": UNLIMITED if limit is None else limit})
            await _grant(connection, scope)


async def today(desk: Desk, scope: str, calls_at_once: CallsAtOnce) -> int | None:
    """The scope's limit as it is now; None where it was taken away."""
    kind, _, name = scope.partition(":")
    if kind == "agent":
        organisation, _, slug = name.partition(":")
        return await calls_at_once(int(organisation), slug)
    rows = await desk.execute(_STEPS_OF if kind == "steps" else _RUNS_OF, {"id": name})
    limit: int | None = rows[0][0] if rows else None
    return limit


async def steps_at_work(desk: Desk) -> dict[int, int]:
    """The limits of organisations that have one, by organisation."""
    return dict(await desk.execute(_ALL_STEPS))


async def _grant(connection: psycopg.AsyncConnection[Any], scope: str, *, but: UUID | None = None) -> None:
    """Places to whoever is next; all but the asking run are woken."""
    granted = await (await connection.execute(_GRANT, {"scope": scope})).fetchall()
    await _wake(connection, [run for (run,) in granted if run != but])


async def _wake(connection: psycopg.AsyncConnection[Any], runs: Sequence[UUID]) -> None:
    if runs:
        await connection.execute(_WAKE, {"runs": list(runs), "channel": CHANNEL})
