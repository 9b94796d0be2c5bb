"""Which clusters count as deaf."""

import inspect
from datetime import timedelta
from typing import Any

import django_q.cluster
import pytest
from django.db import connection
from django.utils import timezone
from django_q.models import OrmQ

from orchestration.models import Definition, EngineHost, Run
from portal.runtime import watch
from tests.factories import make_organisation

pytestmark = pytest.mark.django_db

MACHINE, PIDS = "here", [101, 102]


def engine_is_deaf() -> bool:
    with connection.cursor() as cursor:
        cursor.execute(watch.ENGINE_DEAF, {"hostname": MACHINE, "pids": PIDS, "stale": watch.STALE, "hung": watch.HUNG})
        return bool(cursor.fetchone()[0])


def jobs_are_deaf() -> bool:
    with connection.cursor() as cursor:
        cursor.execute(watch.JOBS_DEAF, {"longest": watch.JOBS_LONGEST})
        return bool(cursor.fetchone()[0])


@pytest.fixture
def due_run() -> Run:
    definition = Definition.objects.create(digest="0" * 64, body={})
    due = timezone.now() - timedelta(minutes=1)
    return Run.objects.create(organisation=make_organisation(), definition=definition, name="waits", due_at=due)


def host(*, seconds_ago: float, **fields: Any) -> EngineHost:
    beat = timezone.now() - timedelta(seconds=seconds_ago)
    return EngineHost.objects.create(**{"hostname": MACHINE, "pid": 101, "heartbeat_at": beat, **fields})


def test_an_engine_without_work_is_not_deaf() -> None:
    assert not engine_is_deaf()


def test_an_engine_without_a_heartbeat_is_deaf_when_a_run_is_due(due_run: Run) -> None:
    assert engine_is_deaf()
    host(seconds_ago=90)
    assert engine_is_deaf()


def test_a_host_that_is_only_slow_is_not_killed(due_run: Run) -> None:
    host(seconds_ago=40)
    assert not engine_is_deaf()
    host(seconds_ago=40, pid=999)  # its process is gone
    EngineHost.objects.filter(pid=101).delete()
    assert engine_is_deaf()


def test_a_fresh_heartbeat_of_its_own_hosts_only_clears_it(due_run: Run) -> None:
    host(seconds_ago=1, hostname="elsewhere")
    host(seconds_ago=1, pid=999)
    host(seconds_ago=1, ended_at=timezone.now())
    assert engine_is_deaf()
    host(seconds_ago=1, pid=102)
    assert not engine_is_deaf()


def test_jobs_are_deaf_when_work_waits_too_long_and_none_is_taken() -> None:
    def task(lock: timedelta, key: str = "jobs") -> None:
        OrmQ.objects.create(key=key, payload="", lock=timezone.now() + lock)

    task(-timedelta(minutes=1))
    task(-timedelta(hours=1), key="engine")
    assert not jobs_are_deaf()
    task(-timedelta(minutes=10))
    assert jobs_are_deaf()
    task(timedelta(minutes=3))  # taken, and its time is not up
    assert not jobs_are_deaf()


class Cluster:
    """Stands for a service."""

    def __init__(self, name: str) -> None:
        self.name, self.restarts = name, 0

    def restart(self, reason: str) -> None:
        self.restarts += 1


def test_one_look_is_not_enough() -> None:
    engine, jobs = Cluster("engine"), Cluster("jobs")
    watched = watch.Watch("", engine=engine, web=engine, address="")  # type: ignore[arg-type]
    for deaf in (True, False, True):  # as after a database that was away for long
        watched._judge(engine, deaf, "deaf")  # type: ignore[arg-type]
        watched._judge(jobs, not deaf, "deaf")  # type: ignore[arg-type]
    assert engine.restarts == jobs.restarts == 0
    watched._judge(engine, True, "deaf")  # type: ignore[arg-type]
    assert engine.restarts == 1
    watched._judge(engine, True, "deaf")  # type: ignore[arg-type]
    assert engine.restarts == 1, "the one that was started anew is judged anew"


@pytest.mark.parametrize(
    ("line", "died"),
    [
        ("[critical ] reincarnated worker Process-1 after death [django-q]", True),
        ("reincarnated monitor Process-1 after sudden death", True),
        ("recycled worker Process-1", False),
        ("reincarnated worker Process-1 after timeout", False),
    ],
)
def test_django_q2_tells_of_a_sudden_death_in_these_words(line: str, died: bool) -> None:
    assert bool(watch.SUDDEN_DEATH.search(line)) is died


def test_those_are_still_its_words() -> None:
    source = inspect.getsource(django_q.cluster)
    for words in ("reincarnated worker %(name)s after death", "reincarnated monitor %(name)s after sudden death"):
        assert words in source
        assert watch.SUDDEN_DEATH.search(words.replace("%(name)s", "Process-1"))
