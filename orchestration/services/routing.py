"""Passing events on to whoever waits for them. Why nothing is missed, and nobody woken twice: `orchestration.bus`.

Everything here may be done again, and by several at once: a wait's row is deleted by the one who wakes its node.
Lock order: the run's row first, then the wait's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar
from uuid import UUID

import structlog
from django.db import connection, transaction
from django.db.models import Q

from orchestration.bus import rules
from orchestration.expressions import ExpressionError
from orchestration.models import BusEvent, EventDelivery, EventSubscription, Run
from orchestration.services import listening, runs
from portal.core import live

log = structlog.get_logger(__name__)

T = TypeVar("T")

_MOST_FAULTS = 20
_AT_ONCE = 200
_CLAIM_AT_ONCE, _CLAIM_SECONDS = 20, 10.0


def route(event_id: UUID) -> None:
    """Wake who waits for the event, and fire the triggers that listen. Only of committed events; may be repeated."""
    event = BusEvent.objects.filter(pk=event_id).first()
    if event is None:
        return
    for wait in _waits_for(event):
        if _fits(event, wait):
            _deliver(event, wait)
    listening.fire_for(event)
    BusEvent.objects.filter(pk=event.pk).update(route_at=None)
    live.hint(event.organisation_id, "events")


def settle(wait: EventSubscription) -> None:
    """Look for what was published before the wait's row was there. Only of committed rows; may be repeated."""
    for event in _events_for(wait):
        if _fits(event, wait):
            _deliver(event, wait)
            return
    EventSubscription.objects.filter(pk=wait.pk, since=wait.since).update(settled=True)


_CLAIM = """
    UPDATE orchestration_busevent SET route_at = clock_timestamp() + make_interval(secs => %s)
    WHERE id IN (SELECT id FROM orchestration_busevent WHERE route_at <= clock_timestamp()
                 ORDER BY route_at LIMIT %s FOR UPDATE SKIP LOCKED)
    RETURNING id, at
"""


def route_due() -> int:
    """Pass on events that are due, the oldest first. Says how many.

    Whoever takes one has it to itself for some seconds; if it dies, or fails at it, the event is due again then.
    """
    with connection.cursor() as cursor:
        cursor.execute(_CLAIM, [_CLAIM_SECONDS, _CLAIM_AT_ONCE])
        due = sorted((at, event_id) for event_id, at in cursor.fetchall())
    return sum(_attempt(route, event_id) for _, event_id in due)


def settle_new() -> int:
    """Look after waits that are new. Says how many."""
    new = EventSubscription.objects.filter(settled=False).order_by("pk")[:_AT_ONCE]
    return sum(_attempt(settle, wait) for wait in list(new))


def _attempt(act: Callable[[T], None], what: T) -> bool:
    """One that fails must not keep the others waiting; it is due again by itself."""
    try:
        act(what)
    except Exception as error:
        log.error("the bus failed at one", act=act.__name__, what=str(what), exc_info=error)
        return False
    return True


def _waits_for(event: BusEvent) -> Iterator[EventSubscription]:
    """In the order of their runs, so that two who route at the same time do not lock crosswise."""
    named = EventSubscription.objects.filter(organisation=event.organisation_id, name=event.name, since__lte=event.at)
    return named.filter(Q(key="") | Q(key=event.key)).order_by("run_id", "pk").iterator(chunk_size=_AT_ONCE)


def _events_for(wait: EventSubscription) -> Iterator[BusEvent]:
    named = BusEvent.objects.filter(organisation=wait.organisation_id, name=wait.name, at__gte=wait.since)
    if wait.key:
        named = named.filter(key=wait.key)
    return named.order_by("at", "pk").iterator(chunk_size=_AT_ONCE)


def _fits(event: BusEvent, wait: EventSubscription) -> bool:
    """A filter that fails is not true; that it failed is told at the event."""
    try:
        return rules.lets_through(wait.filter, event.as_json())
    except ExpressionError as error:
        note_fault(event, of=f"{wait.node} of run {str(wait.run_id)[:8]}", message=error.message)
        return False


def note_fault(event: BusEvent, *, of: str, message: str) -> None:
    with transaction.atomic():
        locked = BusEvent.objects.select_for_update().get(pk=event.pk)
        fault = {"of": of, "message": message}
        if fault not in locked.faults and len(locked.faults) < _MOST_FAULTS:
            locked.faults = [*locked.faults, fault]
            locked.save(update_fields=["faults"])


@transaction.atomic
def _deliver(event: BusEvent, wait: EventSubscription) -> None:
    """Wake the node, unless somebody else has, or it waits no more."""
    run = Run.objects.select_for_update(of=("self",)).get(pk=wait.run_id)
    taken, _ = EventSubscription.objects.filter(pk=wait.pk, since=wait.since).delete()
    if not taken or run.ended:
        return
    runs.signal_node(
        run_id=run.pk, node=wait.node, path=wait.path, by=f"event {event.name}"[:200], data={"event": event.as_json()}
    )
    EventDelivery.objects.bulk_create(
        [EventDelivery(event=event, run=run, node=wait.node, path=wait.path)], ignore_conflicts=True
    )
