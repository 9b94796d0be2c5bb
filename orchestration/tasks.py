"""What django-q2 runs for the engine: shifts of hosts, started by rings.

A ring is a task in the queue `engine` without arguments: "here is work for one idle worker". Every worker of the
engine's clusters that takes one hosts a shift (`orchestration.host`), so losing a ring costs time only, and a needless
one makes a host or waits as a spare. A host takes its own ring out of the queue when its shift begins: what is left
there are spares, and a ring is never delivered twice because its shift was long. Each host keeps a spare in its
cluster, for two reasons: the successor of a killed worker begins at once, and no worker ever waits for work (killing
one that does can freeze its cluster for good, django-q2/django-q2#23).

A cluster keeps its rings in a queue of its own, `engine@machine:process`: from a common one whoever looks first would
take them all as its spares, and a second machine would never begin. In the common queue `engine` are the rings of those
who find that no host is alive, for whichever cluster hears them.
"""

from __future__ import annotations

import os
import socket
import time

import structlog
from django.conf import settings
from django.db import connection
from django_q.models import OrmQ
from django_q.tasks import async_task

from portal.core import queue

log = structlog.get_logger(__name__)

QUEUE = "engine"
SHIFT = "orchestration.tasks.host_shift"
_JOBS = {
    "Ring for the engine when no host is alive": ("orchestration.tasks.ring_if_nobody_listens", 1),
    "End cancelled runs that no engine will end": ("orchestration.tasks.end_cancelled", 1),
    "Archive and delete runs by policy": ("orchestration.tasks.keep_by_policy", 15),
    "Remove large values that no run names any more": ("orchestration.tasks.collect_values", 60),
    "Clear away old events of the bus": ("orchestration.services.clearing.clear_bus", 60),
}
"""What the jobs cluster does for the engine: by name the function, and every how many minutes."""

SURE_SECONDS = 1.0
"""So long a host that was alive is taken to be: a dead one is noticed after many times that at best."""
_CLEAR = """
    DELETE FROM django_q_ormq WHERE key IN (%(common)s, %(own)s)
       OR (key LIKE %(common)s || '@%%' AND lock < clock_timestamp() - interval '10 minutes')
"""
_LISTENED = """
    SELECT EXISTS (SELECT 1 FROM orchestration_enginehost
                   WHERE ended_at IS NULL AND NOT draining
                     AND heartbeat_at > clock_timestamp() - make_interval(secs => %s))
"""


def ring(count: int = 1) -> None:
    """Put rings into the engine's queue, in the caller's transaction."""
    for _ in range(count):
        # the cluster's own timeout is a job's; a shift may take as long as it may
        async_task(SHIFT, cluster=QUEUE, timeout=settings.ENGINE_SHIFT_LIMIT_SECONDS, task_name="engine shift")


def ring_anew() -> None:
    """For the main process of a cluster, before it forks: a queue of its own, with one ring a worker and a spare.

    Whatever earlier lives left behind goes: in the common queue, and in the queues of clusters that take nothing.
    """
    own = f"{QUEUE}@{socket.gethostname()[:60]}:{os.getpid()}"
    queue.keep_apart(QUEUE, own)
    with connection.cursor() as cursor:
        cursor.execute(_CLEAR, {"common": QUEUE, "own": own})
    ring(settings.ENGINE_WORKERS + 1)


def ring_if_nobody_listens() -> None:
    """Ring unless a host is alive, or rings already wait to be taken. One query a second when all is well."""
    global _sure_until  # of this process; until when the last answer counts
    if time.monotonic() < _sure_until:
        return
    if _somebody_listens():
        _sure_until = time.monotonic() + SURE_SECONDS
    elif OrmQ.objects.filter(key=QUEUE).count() <= settings.ENGINE_WORKERS:
        ring()


_sure_until = 0.0


def _somebody_listens() -> bool:
    with connection.cursor() as cursor:
        cursor.execute(_LISTENED, [settings.ENGINE_HEARTBEAT_STALE_SECONDS])
        (listened,) = cursor.fetchone()
    return bool(listened)


def host_shift() -> str:
    """The task: drive runs until the shift ends. Says what it did."""
    from orchestration.hosting import shift  # only the engine's processes pay for this import

    return shift.work()


def collect_values() -> None:
    """Remove large values that no run names any more."""
    from orchestration.services import values

    collected = values.collect()
    if collected.values:
        log.info("large values removed", count=collected.values, bytes=collected.bytes)


def keep_by_policy() -> None:
    """Archive and delete runs whose time has come, some minutes' worth; the next job goes on."""
    from orchestration.retention import passes

    for _ in passes.carry_out():
        pass  # it says in the log what it has done


def end_cancelled() -> int:
    """A job: a run whose cancel nobody carries out (its host hangs, and there is no other) ends all the same."""
    from orchestration.services import ending

    return ending.end_cancelled()


def ensure_schedule() -> None:
    """Have the jobs cluster do `_JOBS`. Called after `migrate`."""
    for name, (function, minutes) in _JOBS.items():
        queue.repeat(name, function, minutes=minutes)
