"""Events that start workflows."""

from __future__ import annotations

from typing import Any

import pytest

from orchestration.bus import rules
from orchestration.models import BusEvent, Run, TriggerFire
from orchestration.services import events, routing
from portal.core.actors import Actor
from portal.core.models import Organisation
from tests.cast import Cast
from tests.engine_host import EngineHost, wait_until
from tests.triggers.factories import INPUTS, new, trigger, workflow
from tests.workflows import factories as make

pytestmark = pytest.mark.django_db(transaction=True)


def publish(organisation: Organisation, name: str = "order.paid", **more: Any) -> BusEvent:
    given = {"actor": Actor.command(), "source": "api", "data": {"order": "7", "amount": 5}, **more}
    return events.publish(organisation=organisation, name=name, **given).event


def test_an_event_starts_the_workflow_once(cast: Cast) -> None:
    listening = trigger(workflow(cast.organisation), "event")
    event = publish(cast.organisation)
    run = Run.objects.get()
    assert (run.source, run.trigger, run.inputs) == ("event", listening, {"order": "7"})
    fired = TriggerFire.objects.get()
    assert (fired.event, fired.run, fired.outcome) == (event, run, "started")
    routing.route(event.pk)
    assert Run.objects.count() == 1, "passing it on twice starts nothing again"


def test_name_key_filter_and_organisation_decide(cast: Cast) -> None:
    flow = workflow(cast.organisation)
    trigger(flow, "event", name="a", settings={"key": "42"})
    trigger(flow, "event", name="b", settings={"filter": "event.data.amount > 100"})
    trigger(flow, "event", name="c", settings={"event": "order.sent"})
    trigger(flow, "event", name="d", enabled=False)
    trigger(workflow(cast.elsewhere), "event", name="e")
    publish(cast.organisation, key="41")
    assert not Run.objects.exists() and not TriggerFire.objects.exists()
    publish(cast.organisation, key="42", data={"order": "7", "amount": 101})
    assert sorted(Run.objects.values_list("trigger__name", flat=True)) == ["a", "b"]


def test_a_filter_that_fails_is_told_in_the_history(cast: Cast) -> None:
    trigger(workflow(cast.organisation), "event", settings={"filter": "event.data.total > 100"})
    publish(cast.organisation)
    fired = TriggerFire.objects.get()
    assert fired.outcome == "failed" and "total" in fired.reason


def test_an_event_before_the_trigger_does_not_start_it(cast: Cast) -> None:
    event = publish(cast.organisation)
    trigger(workflow(cast.organisation), "event")
    routing.route(event.pk)
    assert not Run.objects.exists()


def test_a_run_that_publishes_starts_another(engine: EngineHost, cast: Cast) -> None:
    trigger(workflow(cast.organisation), "event")
    tells = make.node("tell", "publish_event", settings={"name": "order.paid", "data": {"order": "from a run"}})
    first = new(make.published(cast.organisation, make.definition(tells, name="Tells")).workflow, "cron", inputs={})
    from orchestration.services import triggers

    fired = triggers.test_run(trigger=first.trigger, sample={}, actor=Actor.command())
    assert fired.run is not None, fired.reason
    run = wait_until(lambda: Run.objects.filter(source="event").first(), 10, "the second run")
    engine.wait_for(run)
    assert run.inputs == {"order": "from a run"}


def test_a_circle_of_events_ends(engine: EngineHost, cast: Cast) -> None:
    tells = make.node("tell", "publish_event", settings={"name": "order.paid", "data": "{{ inputs }}"})
    body = make.definition(tells, name="Circle", inputs=INPUTS)
    trigger(make.published(cast.organisation, body).workflow, "event")
    publish(cast.organisation)
    refused = wait_until(lambda: TriggerFire.objects.filter(outcome="refused").first(), 60, "the end of the circle")
    assert "a circle" in refused.reason
    assert Run.objects.count() == rules.MOST_HOPS


def test_in_an_organisation_that_is_switched_off_events_start_nothing(cast: Cast) -> None:
    trigger(workflow(cast.organisation), "event")
    Organisation.objects.filter(pk=cast.organisation.pk).update(is_active=False)
    publish(cast.organisation)
    assert not Run.objects.exists() and not TriggerFire.objects.exists()
