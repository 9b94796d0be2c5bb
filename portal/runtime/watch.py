"""The watch over processes that live and do nothing.

django-q2 (1.11) can go deaf: a worker killed while it waits for work takes the lock of its cluster's queue with it, and
the cluster never works again, though all its processes live (django-q/django-q2#23, #339). So:

- engine: its hosts write heartbeats. No living one has shown any for a minute, while runs are due: that means deaf.
- jobs: the cluster says when a worker died, and that may have made it deaf. Besides, work that waits beyond the longest
  time a task may take, while none is taken, means deaf.
- web: it must answer.

The remedy is always to kill the session and start it anew: the database knows all that was under way.
"""

import asyncio
import os
import re
import socket
from collections import Counter
from contextlib import suppress
from typing import Any, LiteralString

import psutil
import psycopg

from portal.runtime import health
from portal.runtime.leftovers import members
from portal.runtime.service import Service

EVERY = 5.0  # seconds between looks
STALE = 20  # seconds that a run is due before anybody is blamed
# Seconds without a heartbeat after which a host whose process lives counts as hung. Not sooner: where a machine is busy
# with something else, killing hosts that are only slow would make more work of it, and never an end.
HUNG = 60
GRACE = 90.0  # seconds a fresh process gets before it is judged; a busy machine may need most of them to start one
JOBS_LONGEST = 360  # seconds: Q_CLUSTER's timeout of a job, and a minute
WEB_SILENT = 12  # looks without an answer: a minute
# Looks in a row that find a cluster deaf: when the database was away for long, the first may come before any host has
# shown that it lives.
DEAF = 2

# The only place where django-q2 tells of a worker's sudden death is its log.
SUDDEN_DEATH = re.compile(r"reincarnated (worker|monitor|pusher) \S+ after (sudden )?death")

# Hosts of this cluster only: one of another machine may be well while this one is deaf.
ENGINE_DEAF = """
    SELECT NOT EXISTS (SELECT 1 FROM orchestration_enginehost
                       WHERE hostname = %(hostname)s AND pid = ANY(%(pids)s) AND ended_at IS NULL
                         AND heartbeat_at > clock_timestamp() - make_interval(secs => %(hung)s))
           AND EXISTS (SELECT 1 FROM orchestration_run
                       WHERE due_at < clock_timestamp() - make_interval(secs => %(stale)s))
"""
# `lock` is when a waiting task was put in, or until when a taken one belongs to its taker.
JOBS_DEAF = """
    SELECT EXISTS (SELECT 1 FROM django_q_ormq
                   WHERE key = 'jobs' AND lock < clock_timestamp() - make_interval(secs => %(longest)s))
           AND NOT EXISTS (SELECT 1 FROM django_q_ormq WHERE key = 'jobs' AND lock > clock_timestamp())
"""


class Watch:
    """Looks every few seconds. What it cannot see, such as a database that is away, it does not judge."""

    jobs: Service

    def __init__(self, database_url: str, *, engine: Service, web: Service, address: str) -> None:
        self._database_url = database_url
        self._engine = engine
        self._web = web
        self._address = address
        self._silent = 0
        self._deaf: Counter[str] = Counter()

    async def run(self) -> None:
        while True:
            await asyncio.sleep(EVERY)
            _collect_orphans({self._engine.pid, self.jobs.pid, self._web.pid})
            await self._look_at_web()
            await self._look_at_clusters()

    def heard_from_jobs(self, line: str) -> None:
        if SUDDEN_DEATH.search(line):
            self.jobs.restart("lost a worker, which can make a cluster deaf, and was ended")

    async def _look_at_web(self) -> None:
        answered = await asyncio.to_thread(health.answers, self._address)
        self._silent = 0 if answered or self._web.age < GRACE else self._silent + 1
        if self._silent >= WEB_SILENT:
            self._silent = 0
            self._web.restart("gave no answer for a minute and was ended")

    async def _look_at_clusters(self) -> None:
        try:
            connection = await psycopg.AsyncConnection.connect(
                self._database_url, autocommit=True, connect_timeout=5, options="-c statement_timeout=5000"
            )
            async with connection:
                engine_deaf = self._engine.age > GRACE and await _holds(connection, ENGINE_DEAF, self._hosts())
                jobs_deaf = self.jobs.age > GRACE and await _holds(connection, JOBS_DEAF, {"longest": JOBS_LONGEST})
        except (psycopg.Error, OSError):
            self._deaf.clear()
            return
        self._judge(self._engine, engine_deaf, "was deaf (runs are due, and no host shows a heartbeat) and was ended")
        self._judge(self.jobs, jobs_deaf, "was deaf (work waits, and none is taken) and was ended")

    def _judge(self, cluster: Service, deaf: bool, reason: str) -> None:
        self._deaf[cluster.name] = self._deaf[cluster.name] + 1 if deaf else 0
        if self._deaf[cluster.name] >= DEAF:
            self._deaf[cluster.name] = 0
            cluster.restart(reason)

    def _hosts(self) -> dict[str, Any]:
        processes = members(self._engine.pid) if self._engine.pid else []
        return {"hostname": socket.gethostname(), "pids": [p.pid for p in processes], "stale": STALE, "hung": HUNG}


async def _holds(connection: psycopg.AsyncConnection[Any], question: LiteralString, facts: dict[str, Any]) -> bool:
    cursor = await connection.execute(question, facts)
    row = await cursor.fetchone()
    return bool(row and row[0])


def _collect_orphans(known: set[int | None]) -> None:
    """As process 1 of a container, `up` inherits dead descendants, and nobody else collects them."""
    for child in psutil.Process().children():
        with suppress(psutil.NoSuchProcess, ChildProcessError):
            if child.pid not in known and child.status() == psutil.STATUS_ZOMBIE and child.ppid() == os.getpid():
                os.waitpid(child.pid, os.WNOHANG)
