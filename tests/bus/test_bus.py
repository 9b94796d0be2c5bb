"""Events of the bus: who waits is woken, once, whatever comes first."""

from __future__ import annotations

from typing import Any

import pytest

from orchestration.models import BusEvent, Definition, EventDelivery, EventSubscription, Run
from orchestration.services import clearing, events, routing
from orchestration.services import runs as run_service
from portal.core.actors import Actor
from portal.core.models import AuditEntry, Organisation
from tests.cast import Cast
from tests.engine_host import EngineHost, event_types, make_definition, start, wait_until

pytestmark = pytest.mark.django_db(transaction=True)


def waits(**settings: Any) -> Definition:
    """wait → noted; wait:timeout → late"""
    return make_definition(
        [
            {"id": "wait", "type": "wait_event", "settings": {"name": "order.paid", **settings}},
            {"id": "late", "type": "set", "settings": {"variables": {"late": True}}},
        ],
        ["wait:timeout -> late"],
        outputs={"event": "{{ wait.outputs.event }}", "late": "{{ late.status }}"},
    )


def publish(organisation: Organisation, name: str = "order.paid", **more: Any) -> BusEvent:
    given = {"actor": Actor.command(), "source": "api", **more}
    return events.publish(organisation=organisation, name=name, **given).event


def waiting(engine: EngineHost, run: Run) -> Run:
    engine.wait_for(run, "waiting")
    wait_until(lambda: EventSubscription.objects.filter(run=run, settled=True).exists(), 10, "the wait to be settled")
    return run


def test_an_event_wakes_the_run_that_waits_for_it(engine: EngineHost, cast: Cast) -> None:
    run = waiting(engine, start(cast.organisation, waits(key="{{ inputs.order }}"), {"order": 42}))
    other = waiting(engine, start(cast.organisation, waits(key="43")))
    event = publish(cast.organisation, key="42", data={"amount": 7})
    engine.wait_for(run)
    assert run.outputs["event"]["data"] == {"amount": 7}
    assert run.outputs["event"]["id"] == str(event.pk) and run.outputs["late"] == "skipped"
    assert list(EventDelivery.objects.values_list("event", "run", "node")) == [(event.pk, run.pk, "wait")]
    other.refresh_from_db()
    assert other.status == "waiting"
    assert not EventSubscription.objects.filter(run=run).exists()


def test_one_event_wakes_all_who_wait_and_only_in_its_organisation(engine: EngineHost, cast: Cast) -> None:
    mine = [waiting(engine, start(cast.organisation, waits())) for _ in range(3)]
    foreign = waiting(engine, start(cast.elsewhere, waits()))
    publish(cast.organisation, key="whatever")
    for run in mine:
        engine.wait_for(run)
    foreign.refresh_from_db()
    assert foreign.status == "waiting"


def test_nothing_before_the_wait_counts_unless_asked_for(engine: EngineHost, cast: Cast) -> None:
    publish(cast.organisation, data={"n": 1})
    late = waiting(engine, start(cast.organisation, waits()))
    since_start = waiting(engine, start(cast.organisation, waits(since="run_start")))
    back = start(cast.organisation, waits(since=3600))
    engine.wait_for(back)
    assert back.outputs["event"]["data"] == {"n": 1}
    for run in (late, since_start):
        run.refresh_from_db()
        assert run.status == "waiting"


def test_an_event_between_the_start_of_the_run_and_the_wait_counts_when_asked(engine: EngineHost, cast: Cast) -> None:
    definition = make_definition(
        [
            {"id": "first", "type": "wait_event", "settings": {"name": "go"}},
            {"id": "wait", "type": "wait_event", "settings": {"name": "order.paid", "since": "run_start"}},
        ],
        ["first -> wait"],
        outputs={"n": "{{ wait.outputs.event.data.n }}"},
    )
    run = waiting(engine, start(cast.organisation, definition))
    publish(cast.organisation, data={"n": 1})
    publish(cast.organisation, data={"n": 2})
    publish(cast.organisation, "go")
    engine.wait_for(run)
    assert run.outputs == {"n": 1}, "the first that counts"


def test_only_what_the_filter_lets_through_wakes(engine: EngineHost, cast: Cast) -> None:
    run = waiting(engine, start(cast.organisation, waits(filter="event.data.amount > 100")))
    publish(cast.organisation, data={"amount": 100})
    odd = publish(cast.organisation, data={})
    publish(cast.organisation, data={"amount": 101})
    engine.wait_for(run)
    assert run.outputs["event"]["data"] == {"amount": 101}
    assert "amount" in odd.faults[0]["message"], "that a filter failed is told at the event"


def test_the_time_limit_leads_on_by_its_port(engine: EngineHost, cast: Cast) -> None:
    run = start(cast.organisation, waits(timeout=0.05))
    engine.wait_for(run)
    assert run.outputs == {"event": None, "late": "succeeded"}
    assert not EventSubscription.objects.filter(run=run).exists()
    assert event_types(run).count("NodeWaiting wait") == 1


def test_a_wait_that_ends_otherwise_is_withdrawn(engine: EngineHost, cast: Cast) -> None:
    run = waiting(engine, start(cast.organisation, waits()))
    run_service.cancel_run(run=run, actor=Actor.command())
    engine.wait_for(run, "cancelled")
    assert not EventSubscription.objects.filter(run=run).exists()
    publish(cast.organisation)
    assert not EventDelivery.objects.exists()


def test_a_wait_survives_its_host(start_engine: Any, cast: Cast) -> None:
    first = start_engine()
    run = waiting(first, start(cast.organisation, waits()))
    assert run.host_id is None, "it holds no worker"
    first.stop()
    publish(cast.organisation, data={"n": 1})
    start_engine().wait_for(run)
    assert run.outputs["event"]["data"] == {"n": 1}


def test_a_run_publishes_exactly_once_and_another_waits_for_it(engine: EngineHost, cast: Cast) -> None:
    waiter = waiting(engine, start(cast.organisation, waits(key="7")))
    definition = make_definition(
        [
            {
                "id": "tell",
                "type": "publish_event",
                "settings": {"name": "order.paid", "key": "{{ inputs.n }}", "data": {"n": "{{ inputs.n }}"}},
            }
        ],
        outputs={"id": "{{ tell.outputs.event.id }}"},
    )
    run = start(cast.organisation, definition, {"n": 7})
    engine.wait_for(run)
    engine.wait_for(waiter)
    event = BusEvent.objects.get()
    assert (str(event.pk), event.run_id, event.node, event.source) == (run.outputs["id"], run.pk, "tell", "run")
    assert waiter.outputs["event"]["data"] == {"n": 7}


def test_what_is_no_event_is_refused_with_words(cast: Cast) -> None:
    for wrong in ({"name": "a b"}, {"key": "k" * 201}, {"data": "x" * 40_000}):
        with pytest.raises(events.InvalidEvent) as refused:
            publish(cast.organisation, **wrong)
        assert refused.value.status == 422 and len(refused.value.message) > 20
    assert not BusEvent.objects.exists()


def test_the_same_key_publishes_once(cast: Cast) -> None:
    first = publish(cast.organisation, idempotency_key="a", data={"n": 1})
    again = events.publish(
        organisation=cast.organisation,
        actor=Actor.command(),
        source="api",
        name="order.paid",
        data={"n": 1},
        idempotency_key="a",
    )
    assert again.event == first and not again.created
    with pytest.raises(events.EventKeyConflict):
        publish(cast.organisation, idempotency_key="a", data={"n": 2})
    assert BusEvent.objects.count() == 1
    assert AuditEntry.objects.filter(verb="orchestration.event.published").count() == 1


def test_a_flood_is_refused(cast: Cast, settings: Any) -> None:
    settings.EVENTS_PER_MINUTE = 3
    for _ in range(3):
        publish(cast.organisation)
    with pytest.raises(events.TooManyEvents):
        publish(cast.organisation)
    publish(cast.elsewhere)


def test_whoever_dies_before_passing_it_on_loses_nothing(
    engine: EngineHost, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The request dies after the commit of the event: a host does the rest."""
    run = waiting(engine, start(cast.organisation, waits()))

    class Killed(BaseException):
        pass

    def die(event_id: Any) -> None:
        raise Killed

    monkeypatch.setattr(events.routing, "route", die)
    with pytest.raises(Killed):
        publish(cast.organisation, data={"n": 1})
    monkeypatch.undo()
    BusEvent.objects.update(route_at="2020-01-01T00:00:00Z")  # the request's own time is over
    engine.wait_for(run)
    wait_until(lambda: BusEvent.objects.get().route_at is None, 10, "it to be passed on")


def test_passing_on_twice_wakes_once(engine: EngineHost, cast: Cast) -> None:
    run = waiting(engine, start(cast.organisation, waits()))
    event = publish(cast.organisation)
    routing.route(event.pk)
    engine.wait_for(run)
    assert event_types(run).count("NodeResumed wait") == 1
    assert EventDelivery.objects.count() == 1


def test_old_events_are_cleared_away(engine: EngineHost, cast: Cast) -> None:
    run = waiting(engine, start(cast.organisation, waits()))
    old, new = publish(cast.organisation), publish(cast.organisation)
    BusEvent.objects.filter(pk=old.pk).update(at="2020-01-01T00:00:00Z")
    assert clearing.clear_bus() == 1
    assert BusEvent.objects.get() == new
    engine.wait_for(run)
