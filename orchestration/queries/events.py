"""What pages and API read of the event bus. Everything is within one organisation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db.models import Count, QuerySet

from orchestration.models import BusEvent, EventDelivery, EventSubscription, TriggerFire
from orchestration.monitoring.queries import PERIODS
from portal.core import clock
from portal.core.models import Organisation


@dataclass(frozen=True, slots=True)
class EventFilter:
    """As in the address. name: its beginning; key: all of it; period: a key of PERIODS or empty."""

    name: str = ""
    key: str = ""
    source: str = ""
    period: str = ""


def events(organisation: Organisation, chosen: EventFilter | None = None) -> QuerySet[BusEvent]:
    """Newest first, each with `woke` and `started` (numbers). One query."""
    chosen = chosen or EventFilter()
    found = BusEvent.objects.filter(organisation=organisation)
    if chosen.name:
        found = found.filter(name__istartswith=chosen.name)
    if chosen.key:
        found = found.filter(key=chosen.key)
    if chosen.source:
        found = found.filter(source=chosen.source)
    if chosen.period in PERIODS:
        found = found.filter(at__gte=clock.now() - PERIODS[chosen.period])
    return (
        found.select_related("published_by", "run")
        .defer("run__inputs", "run__outputs", "run__error")
        .annotate(woke=Count("deliveries", distinct=True), started=Count("fires__run", distinct=True))
        .order_by("-at", "-pk")
    )


def deliveries(event: BusEvent) -> list[EventDelivery]:
    """The node runs it woke, with their runs."""
    found = EventDelivery.objects.filter(event=event).select_related("run")
    return list(found.defer("run__inputs", "run__outputs").order_by("pk")[:500])


def fires(event: BusEvent) -> list[TriggerFire]:
    """What triggers made of it, with triggers, workflows and runs."""
    found = TriggerFire.objects.filter(event=event).select_related("trigger__workflow", "run")
    return list(found.defer("run__inputs", "run__outputs", "trigger__workflow__draft").order_by("pk")[:500])


def waits(organisation: Organisation, limit: int) -> list[EventSubscription]:
    """Node runs that wait for an event now, the latest first."""
    found = EventSubscription.objects.filter(organisation=organisation).select_related("run")
    return list(found.defer("run__inputs", "run__outputs").order_by("-pk")[:limit])


def outcome(event: BusEvent) -> dict[str, list[dict[str, Any]]]:
    """For the API: {"woke": [{"run", "node", "path"}], "started": [{"run", "trigger", "workflow"}]}."""
    return {
        "woke": [{"run": one.run_id, "node": one.node, "path": one.path} for one in deliveries(event)],
        "started": [
            {"run": one.run_id, "trigger": one.trigger_id, "workflow": one.trigger.workflow.slug}
            for one in fires(event)
            if one.run_id
        ],
    }
