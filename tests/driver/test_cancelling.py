"""A run never stays "running" after a cancel, whatever has become of its host; and each step of the way is told."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from orchestration.models import EngineHost, NodeRun, Run, RunEvent, RunSignal
from orchestration.monitoring.control import control
from orchestration.nodes import base
from orchestration.nodes.base import Context, Done, NodeType, Result
from orchestration.queries.replay import replay
from orchestration.services import ending, runs
from portal.core import clock
from portal.core.actors import Actor
from portal.core.models import Organisation
from tests.driver.scripted import Scripted
from tests.driver.test_runs import scripted, statuses
from tests.engine_host import EngineHost as Engine
from tests.engine_host import make_definition, start

pytestmark = pytest.mark.django_db(transaction=True)
ADA = Actor(user=None, label="ada", channel="cli")
LET_GO = threading.Event()


class Deaf(NodeType):
    """Blocks a thread and does not hear that it is to stop, as a Python agent may."""

    kind, label, icon, category = "deaf", "Deaf", "x", "data"
    description = "For tests."
    Settings = Scripted.Settings

    async def execute(self, ctx: Context) -> Result:
        import asyncio

        await asyncio.to_thread(LET_GO.wait, 600)
        return Done(outputs={"late": True})


@pytest.fixture
def deaf() -> Iterator[None]:
    LET_GO.clear()
    base.register(Deaf)
    yield
    LET_GO.set()
    base._TYPES.pop(Deaf.kind)


def test_a_step_that_ignores_it_does_not_keep_the_run(deaf: None, engine: Engine, organisation: Organisation) -> None:
    run = start(organisation, make_definition([{"id": "a", "type": "deaf"}]))
    engine.wait_for_node(run, "a", "running")
    runs.cancel_run(run=run, actor=ADA, reason="enough")
    engine.wait_for(run, "cancelled")
    LET_GO.set()
    told = control(run).cancellation
    assert told and (told.by, told.reason, told.stopped) == ("ada", "enough", ("a",))
    assert told.asked_at and told.reached_at and told.ended_at
    assert told.asked_at <= told.reached_at <= told.ended_at


def test_a_queued_run_without_any_engine_ends_at_once(organisation: Organisation) -> None:
    run = start(organisation, make_definition([scripted("a")]))
    cancelled = runs.cancel_run(run=run, actor=ADA)
    assert cancelled.status == "cancelled" and cancelled.ended_at and cancelled.host_id is None
    assert [event.type for event in RunEvent.objects.filter(run=run).order_by("seq")] == [
        "RunStarted",
        "RunCancelRequested",
        "RunCancelled",
    ]
    assert not RunSignal.objects.filter(run=run, applied_at=None).exists()
    found = replay(cancelled)
    assert found.same, found.differences


def test_such_a_run_can_be_retried_from_its_beginning(start_engine: Any, organisation: Organisation) -> None:
    run = start(organisation, make_definition([scripted("a", outputs={"n": 1})], outputs={"n": "{{ a.outputs.n }}"}))
    runs.cancel_run(run=run, actor=ADA)
    runs.retry_run(run=run, actor=ADA)
    start_engine().wait_for(run)
    assert run.outputs == {"n": 1}


@pytest.mark.parametrize("paused", [False, True])
def test_a_waiting_run_whose_engine_is_gone_ends_with_its_request(
    start_engine: Any, organisation: Organisation, paused: bool
) -> None:
    engine = start_engine()
    run = start(organisation, make_definition([{"id": "sign", "type": "approval"}, scripted("b", waits=True)]))
    engine.wait_for(run, "waiting")
    if paused:
        runs.pause_run(run=run, actor=ADA)
        engine.wait_for(run, "paused")
    engine.stop()
    assert runs.cancel_run(run=run, actor=ADA).status == "cancelled"
    assert statuses(run) == {"sign": "cancelled", "b": "cancelled"}
    from approvals.models import ApprovalRequest

    assert ApprovalRequest.objects.get(run=run).status == "withdrawn"


def test_a_hung_host_loses_the_run_and_may_write_nothing(organisation: Organisation) -> None:
    run = start(organisation, make_definition([scripted("a")]))
    hung = EngineHost.objects.create(hostname="hung", pid=1)
    EngineHost.objects.filter(pk=hung.pk).update(heartbeat_at="2020-01-01T00:00:00Z")
    Run.objects.filter(pk=run.pk).update(host=hung, lease_token=7, lease_expires_at="2020-01-01T00:00:00Z")
    assert runs.cancel_run(run=run, actor=ADA).status == "cancelled"
    run.refresh_from_db()
    assert run.lease_token > 7 and run.host_id is None


def test_a_run_in_quarantine_ends(engine: Engine, organisation: Organisation) -> None:
    run = start(organisation, make_definition([scripted("a", waits=True)]))
    engine.wait_for(run, "waiting")
    Run.objects.filter(pk=run.pk).update(incident={"code": "engine_bug", "message": "It fails."})
    cancelled = runs.cancel_run(run=run, actor=ADA)
    assert cancelled.status == "cancelled" and cancelled.incident is None


def test_a_run_that_cannot_even_be_folded_ends(engine: Engine, organisation: Organisation) -> None:
    run = start(organisation, make_definition([scripted("a", waits=True)]))
    engine.wait_for(run, "waiting")
    RunEvent.objects.filter(run=run, type="NodeStarted").update(type="NodeResumed", data={})
    Run.objects.filter(pk=run.pk).update(incident={"code": "engine_bug", "message": "It cannot be folded."})
    cancelled = runs.cancel_run(run=run, actor=ADA, reason="hopeless")
    assert cancelled.status == "cancelled"
    assert NodeRun.objects.get(run=run).status == "cancelled"
    last = RunEvent.objects.filter(run=run).order_by("seq").last()
    assert last and (last.type, last.data, last.seq) == ("RunCancelled", {"reason": "hopeless"}, cancelled.last_seq)


def test_a_run_that_only_newer_hosts_know_ends_when_none_comes(organisation: Organisation) -> None:
    """As after an update of the hosts that was taken back."""
    run = start(organisation, make_definition([scripted("a")]))
    EngineHost.objects.create(hostname="older", pid=1)
    RunEvent.objects.create(run=run, seq=1, at=run.created_at, type="OfTheFuture", data={})
    told = {"versions": ["1"], "what": "an event OfTheFuture"}
    Run.objects.filter(pk=run.pk).update(last_seq=1, too_new={**told, "at": clock.now().isoformat()})
    assert runs.cancel_run(run=run, actor=ADA).status == "queued", "the update may be under way"
    assert ending.end_cancelled() == 0
    long_ago = clock.now() - timedelta(minutes=11)
    Run.objects.filter(pk=run.pk).update(too_new={**told, "at": long_ago.isoformat()})
    assert ending.end_cancelled() == 1
    assert Run.objects.get(pk=run.pk).status == "cancelled"


def test_the_job_ends_what_nobody_ends(organisation: Organisation) -> None:
    run = start(organisation, make_definition([scripted("a")]))
    host = EngineHost.objects.create(hostname="busy", pid=1)
    Run.objects.filter(pk=run.pk).update(host=host, lease_token=1, lease_expires_at="2999-01-01T00:00:00Z")
    assert runs.cancel_run(run=run, actor=ADA).status == "queued", "it is in the hands of a living host"
    assert ending.end_cancelled() == 0
    asked = control(Run.objects.get(pk=run.pk)).cancellation
    assert asked and asked.asked_at and asked.reached_at is None
    EngineHost.objects.filter(pk=host.pk).update(heartbeat_at="2020-01-01T00:00:00Z")
    assert ending.end_cancelled() == 1
    assert Run.objects.get(pk=run.pk).status == "cancelled"
