"""Publishing events by people and programs. What a run publishes is written by its node (`nodes.publish_event`)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import DateTimeField
from django.db.models.expressions import RawSQL

from orchestration.bus import rules
from orchestration.models import BusEvent
from orchestration.services import routing
from orchestration.store.values import storable
from portal.core.actors import Actor
from portal.core.errors import Conflict, UserError
from portal.core.models import Organisation
from portal.core.services import audit

JSON = Any
_WINDOW_SECONDS = 60
_INLINE_SECONDS = 5.0
"""So long the request that published an event has it to itself, before a host passes it on in its place."""


class InvalidEvent(UserError):
    status = 422

    def __init__(self, fault: str) -> None:
        super().__init__(fault, code="invalid_event")


class TooManyEvents(UserError):
    """429: the organisation has published as many as it may within a minute."""

    status = 429
    retry_after: int = _WINDOW_SECONDS

    def __init__(self, limit: int) -> None:
        super().__init__(
            f"More than {limit} events were published in this organisation within a minute. Wait, or let one event "
            "carry more.",
            code="too_many_events",
        )


class EventKeyConflict(Conflict):
    def __init__(self, key: str, event: BusEvent) -> None:
        super().__init__(
            f"The idempotency key {key!r} belongs to another event ({event.pk}). Use a new key.",
            code="idempotency_conflict",
        )
        self.event = event


@dataclass(frozen=True, slots=True)
class Published:
    event: BusEvent
    created: bool
    """False when the idempotency key was used before: nothing was published again."""


def publish(
    *,
    organisation: Organisation,
    actor: Actor,
    source: str,
    name: str,
    data: JSON = None,
    key: str = "",
    idempotency_key: str | None = None,
) -> Published:
    """Write the event down, then pass it on; what it woke and started is known when this returns.

    If this process dies in between, a host passes it on. Raises InvalidEvent, TooManyEvents, EventKeyConflict.
    """
    data = {} if data is None else data
    if fault := rules.fault(name, key, data):
        raise InvalidEvent(fault)
    event = BusEvent(
        organisation=organisation,
        name=name,
        key=key,
        data=storable(data),
        source=source,
        published_by=actor.user,
        idempotency_key=idempotency_key or None,
        route_at=_later(_INLINE_SECONDS),
    )
    if known := _by_key(event):
        return Published(known, created=False)
    check_rate(organisation.pk)
    try:
        with transaction.atomic():
            event.save(force_insert=True)
            audit.record(
                organisation=organisation,
                actor=actor,
                verb="orchestration.event.published",
                target=event,
                data={"name": name, "key": key, "source": source},
            )
    except IntegrityError:
        known = _by_key(event)  # another caller with the same key was first
        if known is None:
            raise
        return Published(known, created=False)
    routing.route(event.pk)
    event.refresh_from_db()
    return Published(event, created=True)


def check_rate(organisation_id: int) -> None:
    """Raises TooManyEvents. Approximate: callers at the same moment do not see each other."""
    limit = settings.EVENTS_PER_MINUTE
    since = _later(-_WINDOW_SECONDS)
    # counting stops at the limit, however many there are
    recent = BusEvent.objects.filter(organisation=organisation_id, at__gt=since).values("pk")[:limit]
    if recent.count() >= limit:
        raise TooManyEvents(limit)


def _later(seconds: float) -> RawSQL:
    """A moment by the database's clock."""
    return RawSQL("clock_timestamp() + %s", [timedelta(seconds=seconds)], output_field=DateTimeField())


def _by_key(wanted: BusEvent) -> BusEvent | None:
    if wanted.idempotency_key is None:
        return None
    known = BusEvent.objects.filter(
        organisation=wanted.organisation, source=wanted.source, idempotency_key=wanted.idempotency_key
    ).first()
    if known is not None and (known.name, known.key, known.data) != (wanted.name, wanted.key, wanted.data):
        raise EventKeyConflict(wanted.idempotency_key, known)
    return known
