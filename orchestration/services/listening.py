"""Firing the triggers that listen for an event. Part of passing it on (`services.routing`), so it may be repeated."""

from __future__ import annotations

import structlog
from django.db.models import Q

from orchestration.bus import rules
from orchestration.expressions import ExpressionError
from orchestration.models import BusEvent, Trigger
from orchestration.services import firing
from orchestration.services.firing import Occasion, Outcome
from orchestration.triggers.settings import EventSettings
from portal.core import clock

log = structlog.get_logger(__name__)


def fire_for(event: BusEvent) -> None:
    """Every trigger that was there and switched on when the event came; the event's id is the key of the fire.

    In an organisation that is switched off runs that are under way go on, and may publish; they start no others.
    """
    listening = Trigger.objects.filter(
        organisation=event.organisation_id,
        organisation__is_active=True,
        kind=Trigger.Kind.EVENT,
        enabled=True,
        created_at__lte=event.at,
    ).filter(Q(settings__event=event.name), Q(settings__key="") | Q(settings__key=event.key))
    for trigger in listening.order_by("created_at"):
        try:
            _fire(trigger, event)
        except Exception as error:  # a fault of ours with one must not keep the event from the others
            log.error("a trigger failed unexpectedly", trigger=str(trigger.pk), exc_info=error)
            reason = f"It failed unexpectedly ({type(error).__name__}); the log tells more."
            firing.note(trigger.pk, occasion(event), Outcome.FAILED, reason)


def occasion(event: BusEvent) -> Occasion:
    return Occasion(key=f"event:{event.pk}", at=clock.database_now(), event=event, names={"event": event.as_json()})


def _fire(trigger: Trigger, event: BusEvent) -> None:
    settings = EventSettings.model_validate(trigger.settings)
    try:
        if not rules.lets_through(settings.filter, event.as_json()):
            return
    except ExpressionError as error:
        firing.note(trigger.pk, occasion(event), Outcome.FAILED, f"The filter failed: {error.message}")
        return
    if event.hops >= rules.MOST_HOPS:
        firing.note(
            trigger.pk,
            occasion(event),
            Outcome.REFUSED,
            f"{event.hops} events have led to this one, each by the run that the one before started: a circle.",
        )
        return
    firing.fire(trigger.pk, occasion(event))
