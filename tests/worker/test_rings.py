"""Rings: what starts hosts, and what keeps workers busy."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.conf import settings
from django.db import OperationalError
from django.utils import timezone
from django_q.brokers import get_broker
from django_q.models import OrmQ, Schedule

from orchestration import tasks
from orchestration.hosting import cluster
from orchestration.models import EngineHost
from portal.core import queue

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def apart(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Queues of this process' own, as the main process of a cluster has."""
    names: dict[str, str] = {}
    monkeypatch.setattr(queue, "_apart", names)
    monkeypatch.setattr(queue, "sleep", lambda seconds: None)
    monkeypatch.setattr(tasks, "_sure_until", 0.0)
    return names


def set_clock(monkeypatch: pytest.MonkeyPatch, off: timedelta) -> None:
    """Of this machine; the database's is right."""

    def now() -> datetime:
        return real() + off

    real = timezone.now
    monkeypatch.setattr(timezone, "now", now)


def taken() -> list[int]:
    return [row for row, _ in get_broker(tasks.QUEUE).dequeue()]


def rings() -> int:
    return OrmQ.objects.filter(key=tasks.QUEUE).count()


def a_host(**fields: object) -> EngineHost:
    return EngineHost.objects.create(hostname="here", pid=1, **fields)


def test_a_cluster_begins_with_a_ring_for_each_worker_and_a_spare() -> None:
    tasks.ring(7)
    tasks.ring_anew()
    assert rings() == 0 and OrmQ.objects.count() == settings.ENGINE_WORKERS + 1
    assert all(taken() for _ in range(settings.ENGINE_WORKERS + 1)) and not taken()


def test_no_cluster_takes_the_rings_of_another(apart: dict[str, str]) -> None:
    tasks.ring_anew()
    apart.clear()  # as on another machine
    assert not taken(), "its pusher would keep them all as spares"
    tasks.ring()
    assert len(taken()) == 1, "what rings for whoever hears it is heard"


def test_rings_of_clusters_that_are_gone_go(apart: dict[str, str]) -> None:
    for key, minutes in (("engine@gone:1", -20), ("engine@fresh:1", -1), ("engine@taken:1", 20), ("jobs", -20)):
        OrmQ.objects.create(key=key, payload="", lock=timezone.now() + timedelta(minutes=minutes))
    tasks.ring_anew()
    left = set(OrmQ.objects.values_list("key", flat=True)) - set(apart.values())
    assert left == {"engine@fresh:1", "engine@taken:1", "jobs"}


@pytest.mark.parametrize("off", [timedelta(minutes=-10), timedelta(minutes=10)], ids=["slow", "fast"])
def test_a_machine_whose_clock_is_off_hears_and_is_heard(monkeypatch: pytest.MonkeyPatch, off: timedelta) -> None:
    tasks.ring()
    with monkeypatch.context() as there:
        set_clock(there, off)
        assert len(taken()) == 1 and not taken(), "what it has taken is not free for it again"
        tasks.ring()
    assert len(taken()) == 1 and not taken()


def test_a_machine_whose_clock_is_fast_takes_nothing_from_others(monkeypatch: pytest.MonkeyPatch) -> None:
    tasks.ring()
    assert len(taken()) == 1
    set_clock(monkeypatch, timedelta(days=1))
    assert not taken()


def test_a_pusher_outlives_the_database_being_away(monkeypatch: pytest.MonkeyPatch) -> None:
    def away(self: object) -> None:
        raise OperationalError("the server is starting up")

    tasks.ring()
    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(queue.Broker, "_take", away)
        meanwhile.setattr(queue.Broker, "_forget_connection", lambda self: None)
        assert not taken()
    assert len(taken()) == 1


def test_a_ring_names_a_task_that_exists_and_lasts_a_shift() -> None:
    tasks.ring()
    task = OrmQ.objects.get(key=tasks.QUEUE).task
    assert task["func"] == "orchestration.tasks.host_shift" and callable(tasks.host_shift)
    assert task["args"] == () and task["timeout"] > settings.ENGINE_SHIFT_SECONDS


def test_nobody_is_rung_for_while_a_host_lives() -> None:
    a_host()
    tasks.ring_if_nobody_listens()
    assert rings() == 0


@pytest.mark.parametrize(
    "fields", [{"ended_at": timezone.now()}, {"draining": True}, {"heartbeat_at": "2026-01-01T00:00Z"}]
)
def test_a_host_that_is_gone_or_going_does_not_count(fields: dict[str, object]) -> None:
    a_host(**fields)
    tasks.ring_if_nobody_listens()
    assert rings() == 1


def test_a_host_that_was_alive_is_not_asked_after_for_a_while(
    monkeypatch: pytest.MonkeyPatch, django_assert_num_queries: Any
) -> None:
    monkeypatch.setattr(tasks, "SURE_SECONDS", 3600.0)
    a_host()
    tasks.ring_if_nobody_listens()
    with django_assert_num_queries(0):
        tasks.ring_if_nobody_listens()
    EngineHost.objects.update(ended_at=timezone.now())
    monkeypatch.setattr(tasks, "_sure_until", tasks._sure_until - tasks.SURE_SECONDS)
    tasks.ring_if_nobody_listens()
    assert rings() == 1


def test_rings_do_not_pile_up() -> None:
    for _ in range(20):
        tasks.ring_if_nobody_listens()
    assert rings() <= settings.ENGINE_WORKERS + 1


def test_a_host_takes_its_ring_out_of_the_queue(monkeypatch: pytest.MonkeyPatch) -> None:
    tasks.ring(2)
    monkeypatch.setattr(cluster, "ring_taken", OrmQ.objects.first().pk)
    cluster.take_ring()
    cluster.take_ring()
    assert rings() == 1


def test_the_jobs_cluster_looks_each_minute() -> None:
    tasks.ensure_schedule()
    tasks.ensure_schedule()
    found = Schedule.objects.get(func="orchestration.tasks.ring_if_nobody_listens")
    assert found.minutes == 1 and found.cluster is None


def test_outside_of_a_worker_there_is_no_cluster() -> None:
    assert cluster.current() is None and not cluster.orphaned()
