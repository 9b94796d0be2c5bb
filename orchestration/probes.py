"""What `/health/ready` says of the engine."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import connection

from portal.core.health import Unhealthy

_HOSTS = """
SELECT count(*) FILTER (WHERE fresh), count(*) FILTER (WHERE fresh AND draining),
       (SELECT count(*) FROM orchestration_run WHERE host_id IS NOT NULL),
       (SELECT count(*) FROM orchestration_run
        WHERE due_at < clock_timestamp() AND host_id IS NULL AND incident IS NULL),
       (SELECT count(*) FROM orchestration_run
        WHERE due_at < clock_timestamp() AND host_id IS NULL AND incident IS NULL AND too_new IS NOT NULL),
       (SELECT EXTRACT(EPOCH FROM clock_timestamp() - min(due_at))::float FROM orchestration_run
        WHERE due_at < clock_timestamp() AND host_id IS NULL AND incident IS NULL)
FROM (SELECT draining, heartbeat_at > clock_timestamp() - make_interval(secs => %s) AS fresh
      FROM orchestration_enginehost WHERE ended_at IS NULL) AS host
"""


def engine() -> dict[str, Any]:
    """Hosts that live and what waits for them. Raises Unhealthy when no host shows a sign of life."""
    with connection.cursor() as cursor:
        cursor.execute(_HOSTS, [settings.ENGINE_HEARTBEAT_STALE_SECONDS])
        alive, draining, in_hand, due, too_new, oldest = cursor.fetchone()
    if not alive:
        raise Unhealthy("No engine host is alive: runs wait until one is.")
    waits = round(oldest, 1) if oldest else 0.0
    return {
        "hosts": alive,
        "draining": draining,
        "in_hand": in_hand,
        "due": due,
        "need_newer_hosts": too_new,
        "oldest_due_seconds": waits,
    }
