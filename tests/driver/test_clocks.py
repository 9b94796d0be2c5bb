"""A machine whose clock is minutes off works like any other: time is the database's."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from orchestration.models import RunEvent
from portal.core import clock
from portal.core.models import Organisation
from tests.effects import Sink, effect, make_agent
from tests.engine_host import EngineHost, make_definition, start

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def sink(settings: Any, organisation: Organisation) -> Iterator[Sink]:
    settings.OUTGOING_ALLOW = ["127.0.0.1"]
    sink = Sink()
    make_agent(organisation, sink.address)
    yield sink
    sink.close()


@pytest.fixture(params=[-600, 600], ids=["slow", "fast"])
def clock_off(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    def now() -> datetime:
        return timezone.now() + timedelta(seconds=request.param)

    monkeypatch.setattr(clock, "now", now)


def http_node(sink: Sink, **more: Any) -> dict[str, Any]:
    settings = {"method": "POST", "url": sink.address, "body": {"seconds": 0.3}}
    return {"id": "call", "type": "http", "settings": settings, **more}


def test_an_attempt_has_the_time_that_its_node_gives_it(
    clock_off: None, engine: EngineHost, organisation: Organisation, sink: Sink
) -> None:
    nodes = [effect("a", 0.3, timeout_seconds=60), effect("b", 0.3, total_timeout_seconds=60)]
    run = start(organisation, make_definition([*nodes, http_node(sink, timeout_seconds=60)], ["a -> b", "b -> call"]))
    engine.wait_for(run)
    assert not RunEvent.objects.filter(run=run, type="AttemptFailed").exists()


def test_an_attempt_is_cut_off_when_its_time_is_up(
    clock_off: None, engine: EngineHost, organisation: Organisation, sink: Sink
) -> None:
    run = start(organisation, make_definition([effect("a", 600, timeout_seconds=0.5)]))
    engine.wait_for(run, "failed")
    assert run.error["code"] == "timeout"
    history = RunEvent.objects.filter(run=run).order_by("seq")
    began, ended = (history.filter(type=type)[0].at for type in ("NodeStarted", "AttemptFailed"))
    assert ended - began >= timedelta(seconds=0.5), "it has had its time"
