"""Handing a signal to a run out of another run's commit: what `services.runs.post_signal` does, as plain SQL.

The run's row is locked first; counting the signal under that lock is what keeps a driver from letting go over it.
"""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

import psycopg

from orchestration.engine.signals import SignalKind
from orchestration.engine.statuses import RunStatus
from orchestration.wakeups import CHANNEL

JSON = Any
ENDED = [str(status) for status in RunStatus if status.ended]

_COUNT = """
UPDATE orchestration_run SET signals_posted = signals_posted + 1, due_at = LEAST(due_at, clock_timestamp()),
    claims = CASE WHEN %(frees)s THEN 0 ELSE claims END, incident = CASE WHEN %(frees)s THEN NULL ELSE incident END
WHERE id = %(run)s AND (%(ended_too)s OR NOT status = ANY(%(ended)s))
"""
_POST = """
INSERT INTO orchestration_runsignal (run_id, kind, node, path, by, reason, data)
VALUES (%s, %s, %s, %s, %s, %s, %s)
"""


def post(
    connection: psycopg.Connection[Any],
    run: UUID,
    kind: SignalKind,
    *,
    node: str = "",
    path: str = "",
    by: str = "",
    reason: str = "",
    data: JSON = None,
) -> bool:
    """False, and nothing is done, when the run has ended (a retry is for those that have) or is not there."""
    frees = kind is SignalKind.CANCEL  # as a person's: a run in quarantine ends, too
    arguments = {"run": run, "frees": frees, "ended_too": kind is SignalKind.RETRY, "ended": ENDED}
    if not connection.execute(_COUNT, arguments).rowcount:
        return False
    stored = None if data is None else json.dumps(data)
    connection.execute(_POST, (run, str(kind), node, path, by[:200], reason[:500], stored))
    ring(connection, run)
    return True


def ring(connection: psycopg.Connection[Any], run: UUID) -> None:
    connection.execute("SELECT pg_notify(%s, %s)", (CHANNEL, str(run)))
