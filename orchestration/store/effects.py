"""The ledger of outside calls (`models.Effect`): what a host hands to its writer before a call and after it.

**Before.** The entry is committed under the run's lease, whose row is locked meanwhile: a host that has lost the run
writes nothing, is told `LeaseLost`, and does not make the call. So whoever has the run next sees every call that was,
or may have been, made before it.

**After.** The end goes into the commit of the step that it ends (`Checkpoint.effects_ended`), else into an entry of its
own a moment later. A call whose host died keeps no end; the commit that says so of its attempt closes it as `unknown`
(`CUT_OFF`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from orchestration.store.values import for_statement

if TYPE_CHECKING:
    from orchestration.store.leases import Lease

JSON = Any
LATER = 1_000_000_000
"""Serials from here on are of calls that a step's commit orders and others make: mails, which the jobs cluster
sends. They do not end with the attempt that ordered them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EffectBegun:
    serial: int
    """Counts the calls made under one lease."""
    node: str
    path: str
    attempt: int
    number: int
    kind: str
    target: str
    idempotency_key: str
    request: JSON


@dataclass(frozen=True, slots=True, kw_only=True)
class EffectEnded:
    serial: int
    outcome: str
    response: JSON
    cost_usd: float | None
    ended_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What the writer commits at once, apart from any step."""

    lease: Lease
    begun: EffectBegun | None = None
    ended: Sequence[EffectEnded] = ()


_ENDED_COLUMNS = """
    run_id uuid, lease_token bigint, serial int, outcome text, response jsonb, cost_usd numeric, ended_at timestamptz"""

RECORD = f"""
WITH held AS MATERIALIZED (
    SELECT run.id, run.lease_token FROM orchestration_run AS run
    JOIN jsonb_to_recordset(%(leases)s::jsonb) AS lease(id uuid, token bigint) ON lease.id = run.id
    WHERE run.host_id + 0 = %(host)s AND run.lease_token = lease.token
    FOR NO KEY UPDATE OF run
), begun AS (
    INSERT INTO orchestration_effect (run_id, lease_token, serial, node, path, attempt, number, kind, target,
                                      idempotency_key, request, began_at, outcome)
    SELECT b.run_id, b.lease_token, b.serial, b.node, b.path, b.attempt, b.number, b.kind, b.target,
           b.idempotency_key, b.request, clock_timestamp(), ''
    FROM jsonb_to_recordset(%(begun)s::jsonb) AS b(
        run_id uuid, lease_token bigint, serial int, node text, path text, attempt int, number int, kind text,
        target text, idempotency_key text, request jsonb)
    JOIN held ON held.id = b.run_id AND held.lease_token = b.lease_token
    ON CONFLICT DO NOTHING
), ended AS (
    UPDATE orchestration_effect AS effect SET
        ended_at = e.ended_at, outcome = e.outcome, response = e.response, cost_usd = e.cost_usd
    FROM jsonb_to_recordset(%(ended)s::jsonb) AS e({_ENDED_COLUMNS})
    JOIN held ON held.id = e.run_id AND held.lease_token = e.lease_token
    WHERE effect.run_id = e.run_id AND effect.lease_token = e.lease_token AND effect.serial = e.serial
      AND effect.ended_at IS NULL
)
SELECT held.id, held.lease_token, clock_timestamp() FROM held
"""  # noqa: S608  columns of our own

ENDED = f"""
UPDATE orchestration_effect AS effect SET
    ended_at = e.ended_at, outcome = e.outcome, response = e.response, cost_usd = e.cost_usd
FROM jsonb_to_recordset(%(ended)s::jsonb) AS e({_ENDED_COLUMNS})
WHERE effect.run_id = e.run_id AND effect.lease_token = e.lease_token AND effect.serial = e.serial
  AND effect.ended_at IS NULL
"""  # noqa: S608
"""In the transaction of a checkpoint, for the runs that were still the host's."""

CUT_OFF = f"""
UPDATE orchestration_effect AS effect SET outcome = 'unknown', ended_at = clock_timestamp()
FROM jsonb_to_recordset(%(nodes)s::jsonb) AS n(node text, path text)
WHERE effect.run_id = %(run)s AND effect.node = n.node AND effect.path = n.path AND effect.ended_at IS NULL
  AND effect.serial < {LATER}
"""  # noqa: S608

ORDER = f"""
INSERT INTO orchestration_effect (run_id, lease_token, serial, node, path, attempt, number, kind, target,
                                  idempotency_key, request, began_at, outcome, response)
SELECT run.id, run.lease_token, {LATER} + ordered.number, %(node)s::text, %(path)s::text,
       coalesce((SELECT attempts FROM orchestration_noderun WHERE run_id = run.id AND node = %(node)s::text
                                                              AND path = %(path)s::text), 1),
       ordered.number, %(kind)s::text, %(target)s::text, %(key)s::text, %(request)s::jsonb, clock_timestamp(), '',
       %(response)s::jsonb
FROM orchestration_run AS run, LATERAL (
    SELECT count(*) + 1 AS number FROM orchestration_effect AS other
    WHERE other.run_id = run.id AND other.lease_token = run.lease_token AND other.serial >= {LATER}
) AS ordered
WHERE run.id = %(run)s::uuid
"""  # noqa: S608
"""In the commit of a step whose run's row is locked: what is to be done outside because of it, by others."""

SETTLE = f"""
UPDATE orchestration_effect SET outcome = %(outcome)s, ended_at = clock_timestamp(), response = %(response)s
WHERE run_id = %(run)s AND kind = %(kind)s AND target = %(target)s AND idempotency_key = %(key)s
  AND serial >= {LATER} AND ended_at IS NULL
"""  # noqa: S608

BEGUN_IN = """
SELECT DISTINCT effect.node, effect.path FROM orchestration_effect AS effect
JOIN jsonb_to_recordset(%(attempts)s::jsonb) AS a(node text, path text, attempt int)
  ON effect.node = a.node AND effect.path = a.path AND effect.attempt = a.attempt
WHERE effect.run_id = %(run)s
"""


def record_arguments(entries: Sequence[Entry], host_id: int) -> dict[str, Any]:
    leases = {(entry.lease.run_id, entry.lease.token) for entry in entries}
    return {
        "host": host_id,
        "leases": for_statement([{"id": str(run), "token": token} for run, token in sorted(leases)]),
        "begun": for_statement([_begun_record(entry.lease, entry.begun) for entry in entries if entry.begun]),
        "ended": for_statement([record for entry in entries for record in ended_records(entry.lease, entry.ended)]),
    }


def ended_records(lease: Lease, ended: Iterable[EffectEnded]) -> list[dict[str, JSON]]:
    return [
        {
            "run_id": str(lease.run_id),
            "lease_token": lease.token,
            "serial": one.serial,
            "outcome": one.outcome,
            "response": one.response,
            "cost_usd": one.cost_usd,
            "ended_at": one.ended_at.isoformat(),
        }
        for one in ended
    ]


def _begun_record(lease: Lease, begun: EffectBegun) -> dict[str, JSON]:
    return {
        "run_id": str(lease.run_id),
        "lease_token": lease.token,
        "serial": begun.serial,
        "node": begun.node,
        "path": begun.path,
        "attempt": begun.attempt,
        "number": begun.number,
        "kind": begun.kind,
        "target": begun.target[:300],
        "idempotency_key": begun.idempotency_key[:300],
        "request": begun.request,
    }
