"""An event and a wait that are made at the same moment meet exactly once, on connections of their own."""

from __future__ import annotations

import json
import random
import threading
import time
import uuid
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import connections

from orchestration.engine.events import NodeSucceeded, NodeWaiting
from orchestration.models import BusEvent, EventDelivery, EventSubscription, Run, RunSignal, TriggerFire
from orchestration.nodes.base import RunFacts, node_type
from orchestration.services import routing
from tests.cast import Cast
from tests.engine_host import make_definition, raw_connection, start
from tests.triggers.factories import trigger, workflow

pytestmark = pytest.mark.django_db(transaction=True)

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


@pytest.fixture
def run(cast: Cast) -> Run:
    definition = make_definition([{"id": "wait", "type": "wait_event", "settings": {"name": "go"}}])
    return start(cast.organisation, definition)


def facts(run: Run) -> RunFacts:
    return RunFacts(
        id=run.pk, organisation_id=run.organisation_id, workflow_slug="", started_by_id=None, priority=run.priority
    )


def subscribe(connection: Any, run: Run) -> None:
    """What the commit of a wait does."""
    data = {"name": "go", "key": "", "filter": "", "since": LONG_AGO.isoformat()}
    event = NodeWaiting(at=datetime.now(UTC), node="wait", reason="event", data=data)
    node_type("wait_event").in_commit(connection, facts(run), [event])


def publish(connection: Any, run: Run) -> uuid.UUID:
    """What the commit of a publishing node does."""
    event_id = uuid.uuid4()
    outputs = {"event": {"id": str(event_id), "name": "go", "key": "", "data": {}}}
    succeeded = NodeSucceeded(at=datetime.now(UTC), node="tell", outputs=outputs)
    node_type("publish_event").in_commit(connection, facts(run), [succeeded])
    return event_id


def met(run: Run) -> bool:
    signals = RunSignal.objects.filter(run=run, kind="node").count()
    assert signals == EventDelivery.objects.filter(run=run).count() <= 1
    assert EventSubscription.objects.filter(run=run).exists() is (signals == 0)
    return signals == 1


def test_the_event_is_routed_before_the_wait_is_committed(run: Run) -> None:
    with raw_connection() as waiter, raw_connection() as publisher:
        with waiter.transaction():
            subscribe(waiter, run)
            with publisher.transaction():
                publish(publisher, run)
            routing.route_due()
            assert not RunSignal.objects.exists()
        routing.settle_new()
    assert met(run)


def test_the_wait_is_settled_before_the_event_is_committed(run: Run) -> None:
    with raw_connection() as waiter, raw_connection() as publisher:
        with publisher.transaction():
            publish(publisher, run)
            with waiter.transaction():
                subscribe(waiter, run)
            routing.settle_new()
            assert not RunSignal.objects.exists()
        routing.route_due()
    assert met(run)


def test_any_order_meets_once(cast: Cast, run: Run) -> None:
    """Forty races: both commit when they like, and both look after themselves at once."""
    definition = run.definition
    chance = random.Random(7)
    for _ in range(40):
        raced = start(cast.organisation, definition)
        BusEvent.objects.all().delete()
        _race(raced, [chance.uniform(0, 0.004) for _ in range(4)])
        while routing.settle_new() + routing.route_due():
            pass
        assert met(raced)


def _race(run: Run, pauses: list[float]) -> None:
    begin, errors = threading.Barrier(2), list[BaseException]()

    def side(act: Any, look: Any, before: float, within: float) -> None:
        try:
            with raw_connection() as connection:
                begin.wait()
                time.sleep(before)
                with connection.transaction():
                    act(connection, run)
                    time.sleep(within)
            look()
        except BaseException as error:
            errors.append(error)
        finally:
            connections.close_all()

    sides = [
        threading.Thread(target=side, args=(subscribe, routing.settle_new, pauses[0], pauses[1])),
        threading.Thread(target=side, args=(publish, routing.route_due, pauses[2], pauses[3])),
    ]
    for thread in sides:
        thread.start()
    for thread in sides:
        thread.join()
    assert not errors


def test_an_event_of_a_child_run_knows_how_many_led_to_it(run: Run, cast: Cast) -> None:
    """Or a circle through child runs would not be seen."""
    led = BusEvent.objects.create(organisation=cast.organisation, name="go", source="api", hops=3)
    listening = trigger(workflow(cast.organisation), "event")
    TriggerFire.objects.create(trigger=listening, key="1", outcome="started", run=run, event=led)
    child = start(cast.organisation, run.definition)
    Run.objects.filter(pk=child.pk).update(parent=run)
    with raw_connection() as connection:
        event_id = publish(connection, child)
    assert BusEvent.objects.get(pk=event_id).hops == 4


def test_writing_the_commit_again_publishes_once(run: Run) -> None:
    """The store writes a batch again when its answer got lost."""
    outputs = {"event": {"id": str(uuid.uuid4()), "name": "go", "key": "", "data": {"a": [1]}}}
    succeeded = NodeSucceeded(at=datetime.now(UTC), node="tell", outputs=outputs)
    with raw_connection() as connection:
        for _ in range(2):
            node_type("publish_event").in_commit(connection, facts(run), [succeeded])
    event = BusEvent.objects.get()
    assert json.dumps(event.data) == '{"a": [1]}' and event.hops == 0
