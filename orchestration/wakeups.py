"""The doorbell: whatever makes a run due rings in its own transaction, and hosts that listen look at once.

A notification names the run, so that the host that has it in hand reads its signals and the others may take it. It is
only a hint: hosts also look by themselves (`orchestration.host`), so a lost one costs seconds and nothing else.
"""

from __future__ import annotations

from uuid import UUID

from django.db import connection

CHANNEL = "ensemble_runs"
BUS_CHANNEL = "ensemble_bus"
"""Of what is not a run's: events to pass on, waits to settle. A channel of its own, because hosts take a payload of the
other for a run."""


def ring(run_id: UUID) -> None:
    """Wake the hosts when the caller's transaction commits. One tiny query."""
    _notify(CHANNEL, str(run_id))


def ring_for_any() -> None:
    """Hosts look for whatever is due: for many runs at once."""
    _notify(CHANNEL, "")


def _notify(channel: str, payload: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_notify(%s, %s)", [channel, payload])
