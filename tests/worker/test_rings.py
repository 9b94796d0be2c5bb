"""Rings: what starts hosts, and what keeps workers busy."""

import pytest
from django.conf import settings
from django.utils import timezone
from django_q.models import OrmQ, Schedule

from orchestration import tasks
from orchestration.hosting import cluster
from orchestration.models import EngineHost

pytestmark = pytest.mark.django_db


def rings() -> int:
    return OrmQ.objects.filter(key=tasks.QUEUE).count()


def a_host(**fields: object) -> EngineHost:
    return EngineHost.objects.create(hostname="here", pid=1, **fields)


def test_a_cluster_begins_with_a_ring_for_each_worker_and_a_spare() -> None:
    tasks.ring(7)
    tasks.ring_anew()
    assert rings() == settings.ENGINE_WORKERS + 1


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
