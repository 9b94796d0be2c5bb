"""Firing cron triggers that are due. Hosts look each second (`orchestration.dispatching`), by the database's clock.

Whoever locks the trigger's row first does it; the others pass on. The due time is the key of the fire, so even a
second look at the same time starts nothing. While no engine lives nothing fires; the first host that is there again
does what the trigger says about missed fires. Those of an organisation that is switched off pass by in silence.
"""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID
from zoneinfo import ZoneInfo

import structlog
from django.db import transaction
from pydantic import ValidationError

from orchestration.models import Trigger, TriggerFire
from orchestration.services import firing
from orchestration.services.firing import Occasion, Outcome
from orchestration.triggers import schedule
from orchestration.triggers.settings import CronSettings
from portal.core import clock

log = structlog.get_logger(__name__)

_AT_ONCE = 100


def fire_due(now: datetime | None = None) -> int:
    """All that are due. Says how many triggers."""
    now = now or clock.database_now()
    due = Trigger.objects.filter(enabled=True, next_at__lte=now).order_by("next_at").values_list("pk", flat=True)
    return sum(_attempt(trigger_id, now) for trigger_id in list(due[:_AT_ONCE]))


def next_at(settings: CronSettings, after: datetime) -> datetime | None:
    found = schedule.following(settings.expression, settings.timezone, after, 1)
    return found[0].astimezone(UTC) if found else None


def occasion(settings: CronSettings, due: datetime, now: datetime) -> Occasion:
    local = due.astimezone(ZoneInfo(settings.timezone)).isoformat()
    return Occasion(key=f"cron:{due.astimezone(UTC).isoformat()}", at=now, due_at=due, names={"due_at": local})


def _attempt(trigger_id: UUID, now: datetime) -> bool:
    """One that fails must not keep the others from their time."""
    try:
        return _fire(trigger_id, now)
    except Exception as error:
        log.error("a schedule failed unexpectedly", trigger=str(trigger_id), exc_info=error)
        fault = error
    try:
        return _step_over(trigger_id, now, fault)
    except Exception as error:  # it is due again in a second
        log.error("a schedule was not stepped over", trigger=str(trigger_id), exc_info=error)
        return False


@transaction.atomic
def _fire(trigger_id: UUID, now: datetime) -> bool:
    trigger = _take(trigger_id, now)
    if trigger is None or trigger.next_at is None:
        return False
    try:
        settings = CronSettings.model_validate(trigger.settings)
    except ValidationError as error:  # such as a time zone that is no more
        firing.switch_off(trigger, f"Its settings cannot be read any more: {error.errors()[0]['msg']}")
        return True
    plan = schedule.plan(
        expression=settings.expression, zone=settings.timezone, missed=settings.missed, due=trigger.next_at, now=now
    )
    if not trigger.organisation.is_active:
        Trigger.objects.filter(pk=trigger.pk).update(next_at=plan.next_at)
        return True
    if plan.first_skipped:
        _note_skipped(trigger, plan.skipped, plan.first_skipped, now)
    for due in plan.fire:
        firing.fire(trigger.pk, occasion(settings, due, now))
    # not if it was switched off meanwhile, for failing too often
    Trigger.objects.filter(pk=trigger.pk, enabled=True).update(next_at=plan.next_at)
    return True


@transaction.atomic
def _step_over(trigger_id: UUID, now: datetime, error: Exception) -> bool:
    """A fault of ours must not come again each second: this fire failed, the next has its own chance."""
    trigger = _take(trigger_id, now)
    if trigger is None or trigger.next_at is None:
        return False
    settings = CronSettings.model_validate(trigger.settings)
    reason = f"It failed unexpectedly ({type(error).__name__}); the log tells more."
    firing.note(trigger.pk, occasion(settings, trigger.next_at, now), Outcome.FAILED, reason)
    Trigger.objects.filter(pk=trigger.pk, enabled=True).update(next_at=next_at(settings, now))
    return True


def _take(trigger_id: UUID, now: datetime) -> Trigger | None:
    """The trigger with its row locked; None if another process has it, or it is not due any more."""
    rows = Trigger.objects.select_for_update(of=("self",), skip_locked=True).select_related("organisation")
    return rows.filter(pk=trigger_id, enabled=True, next_at__lte=now).first()


def _note_skipped(trigger: Trigger, count: int, first: datetime, now: datetime) -> None:
    skipped = TriggerFire(
        trigger=trigger,
        key=f"missed:{first.isoformat()}",
        at=now,
        due_at=first,
        outcome=Outcome.SKIPPED,
        reason="No engine was alive at the time.",
        count=count,
    )
    TriggerFire.objects.bulk_create([skipped], ignore_conflicts=True)
