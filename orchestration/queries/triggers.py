"""What pages and API read of triggers. Everything is within one organisation."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, OuterRef, QuerySet, Subquery

from orchestration.models import Run, Trigger, TriggerFire, Workflow
from orchestration.triggers import schedule
from orchestration.triggers.settings import CronSettings
from portal.core import clock
from portal.core.models import Organisation

SOURCES = {
    "web": "By hand",
    "api": "API",
    "cli": "Command line",
    "cron": "Schedule",
    "webhook": "Webhook",
    "event": "Event",
}
_DAYS = 30


@dataclass(frozen=True, slots=True)
class SourceCount:
    source: str
    label: str
    count: int


def triggers(organisation: Organisation, workflow: Workflow | None = None) -> QuerySet[Trigger]:
    """By name, each with `last_outcome`, `last_at` and `last_run_id` of its newest fire. One query.

    Tests do not count, nor what was refused: strangers may have sent it.
    """
    found = Trigger.objects.filter(organisation=organisation)
    if workflow is not None:
        found = found.filter(workflow=workflow)
    fires = TriggerFire.objects.filter(trigger=OuterRef("pk"), test=False)
    newest = fires.exclude(outcome=TriggerFire.Outcome.REFUSED).order_by("-at")
    return (
        found.select_related("workflow", "version", "created_by")
        .defer("workflow__draft")
        .annotate(
            last_outcome=Subquery(newest.values("outcome")[:1]),
            last_at=Subquery(newest.values("at")[:1]),
            last_run_id=Subquery(newest.values("run")[:1]),
        )
        .order_by("workflow__name", "name")
    )


def fires(trigger: Trigger, outcome: str = "") -> QuerySet[TriggerFire]:
    """Newest first, with their runs and events. One query."""
    found = TriggerFire.objects.filter(trigger=trigger).select_related("run", "event")
    if outcome:
        found = found.filter(outcome=outcome)
    return found.defer("run__inputs", "run__outputs").order_by("-at", "-pk")


@dataclass(frozen=True, slots=True)
class NextTime:
    at: datetime
    text: str
    """`Mon 4 May 2026, 09:00 CEST`, in the trigger's zone"""


def next_times(trigger: Trigger, count: int = 5) -> list[NextTime]:
    """Of a schedule; none while it is switched off."""
    if trigger.kind != Trigger.Kind.CRON or not trigger.enabled:
        return []
    settings = CronSettings.model_validate(trigger.settings)
    found = schedule.following(settings.expression, settings.timezone, clock.now(), count)
    return [NextTime(moment, f"{moment:%a} {moment.day} {moment:%b %Y, %H:%M %Z}") for moment in found]


def notice(workflow: Workflow) -> dict[str, Any]:
    """For the workflow's page: `trigger_count`, and `broken_triggers`, which the portal has switched off."""
    found = list(Trigger.objects.filter(workflow=workflow).only("name", "disabled_because").order_by("name"))
    return {"trigger_count": len(found), "broken_triggers": [one for one in found if one.disabled_because]}


def sources(workflow: Workflow) -> list[SourceCount]:
    """How the workflow's runs of the last 30 days were started, the commonest first. One query."""
    since = clock.now() - timedelta(days=_DAYS)
    rows = Run.objects.filter(workflow=workflow, kind="workflow", created_at__gte=since)
    counted = rows.values_list("source").annotate(n=Count("id")).order_by("-n")
    return [SourceCount(source, SOURCES.get(source, source), count) for source, count in counted]


def is_test(run: Run) -> bool:
    """Whether a trigger's test button has started the run. No query for runs of no trigger."""
    return run.trigger_id is not None and TriggerFire.objects.filter(run=run, test=True).exists()
