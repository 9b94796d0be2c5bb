"""One occasion of a trigger: a row of its history and, if all is well, a run, in one transaction.

The trigger's row is locked meanwhile, so occasions of one trigger come one after the other: its limits are exact, and
an occasion that two processes come upon is found by the second. Lock order: the trigger first, then whatever else.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction

from orchestration.bus import rules
from orchestration.expressions import ExpressionError
from orchestration.models import BusEvent, Run, Trigger, TriggerFire
from orchestration.services import limits, new_runs, starting
from orchestration.store.values import NotStorable, storable
from orchestration.triggers import templates
from portal.core.actors import Actor
from portal.core.errors import UserError
from portal.core.redaction import redact
from portal.core.services import audit

JSON = Any
Outcome = TriggerFire.Outcome

_LARGEST_SHOWN = 32 * 1024
DISABLE_AFTER = {Trigger.Kind.CRON.value: 10, Trigger.Kind.WEBHOOK.value: 100, Trigger.Kind.EVENT.value: 100}
"""Fires in a row that could start nothing: then the portal switches the trigger off, and says so on its page. A
schedule's failures are its own; those of the others may be the mistakes of one sender among several."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Occasion:
    """Why a trigger fires. `key` is unique for the occasion; `names` are those of its kind (`triggers.templates`)."""

    key: str
    at: datetime
    names: dict[str, JSON] = field(default_factory=dict)
    due_at: datetime | None = None
    event: BusEvent | None = None
    address: str = ""
    said: str = ""
    """Digest of what a call said, so that the same key with something else is noticed."""
    test: bool = False


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What a fire would come to. `inputs` is None when they cannot even be resolved."""

    inputs: dict[str, JSON] | None
    problems: Sequence[Mapping[str, str]]
    kept_out: str = ""
    """Why such an event would not set the trigger off; empty if it would."""


@transaction.atomic
def fire(trigger_id: UUID, occasion: Occasion, *, actor: Actor | None = None) -> TriggerFire:
    """Start the workflow for this occasion, or write down why not. An occasion that is known changes nothing.

    `actor` is whoever presses the test button; without one it is the trigger itself that acts.
    """
    trigger = _locked(trigger_id)
    known = TriggerFire.objects.filter(trigger=trigger, key=occasion.key).first()
    if known is not None:
        return known
    fired = _row(trigger, occasion)
    _act(trigger, occasion, fired, actor or _itself(trigger, occasion))
    fired.save(force_insert=True)
    if not occasion.test:
        _count(trigger, fired)
    return fired


@transaction.atomic
def note(trigger_id: UUID, occasion: Occasion, outcome: str, reason: str) -> TriggerFire:
    """Write down an occasion that starts nothing, for a reason that was found before."""
    trigger = _locked(trigger_id)
    known = TriggerFire.objects.filter(trigger=trigger, key=occasion.key).first()
    if known is not None:
        return known
    fired = _row(trigger, occasion)
    _end(fired, outcome, reason)
    fired.save(force_insert=True)
    _count(trigger, fired)
    return fired


def rehearse(trigger: Trigger, occasion: Occasion) -> Rehearsal:
    """What the inputs would be. Changes nothing."""
    return replace(_rehearsed(trigger, occasion), kept_out=_kept_out(trigger, occasion))


def _kept_out(trigger: Trigger, occasion: Occasion) -> str:
    if trigger.kind != Trigger.Kind.EVENT:
        return ""
    event, wanted = occasion.names["event"], trigger.settings
    if wanted["key"] and event["key"] != wanted["key"]:
        return f"It waits for events with the key “{wanted['key']}”."
    try:
        return "" if rules.lets_through(wanted["filter"], event) else "The filter is not true of this event."
    except ExpressionError as error:
        return f"The filter fails on this event: {error.message}"


def _rehearsed(trigger: Trigger, occasion: Occasion) -> Rehearsal:
    try:
        inputs = templates.resolved(trigger.inputs, scope(trigger, occasion))
    except templates.Unresolvable as error:
        return Rehearsal(None, [{"path": error.path, "message": error.message}])
    try:
        version = starting.chosen_version(trigger.workflow, trigger.version.number if trigger.version else None)
        return Rehearsal(new_runs.check_inputs(version.body, inputs), [])
    except new_runs.InvalidInputs as error:
        return Rehearsal(inputs, error.problems)
    except UserError as error:
        return Rehearsal(inputs, [{"path": "", "message": error.message}])


def scope(trigger: Trigger, occasion: Occasion) -> dict[str, JSON]:
    itself = {"id": str(trigger.pk), "name": trigger.name, "kind": trigger.kind}
    return {"fired_at": occasion.at.isoformat(), "trigger": itself, **occasion.names}


def _locked(trigger_id: UUID) -> Trigger:
    found = Trigger.objects.select_for_update(of=("self",)).select_related("organisation", "workflow", "version")
    return found.get(pk=trigger_id)


def _row(trigger: Trigger, occasion: Occasion) -> TriggerFire:
    return TriggerFire(
        trigger=trigger,
        key=occasion.key,
        at=occasion.at,
        due_at=occasion.due_at,
        event=occasion.event,
        address=occasion.address,
        said=occasion.said,
        test=occasion.test,
    )


def _act(trigger: Trigger, occasion: Occasion, fired: TriggerFire, actor: Actor) -> None:
    """Fill in what came of it."""
    if trigger.workflow.archived_at:
        _end(fired, Outcome.FAILED, f"“{trigger.workflow.name}” is archived.")
        return
    under_way = Run.objects.filter(trigger=trigger).unfinished()[: trigger.most_unfinished].count()
    if under_way >= trigger.most_unfinished:
        runs_are = "One of its runs is" if under_way == 1 else f"{under_way} of its runs are"
        _end(fired, Outcome.SKIPPED, f"{runs_are} still under way, and no more may be at once.")
        return
    try:
        inputs = templates.resolved(trigger.inputs, scope(trigger, occasion))
        fired.inputs = _shown(inputs)
        fired.run, _ = starting.start_workflow(
            workflow=trigger.workflow,
            version=trigger.version.number if trigger.version else None,
            inputs=inputs,
            actor=actor,
            source=trigger.kind,
            priority=trigger.priority,
            trigger=trigger,
        )
    except templates.Unresolvable as error:
        _end(fired, Outcome.FAILED, str(error), [{"path": error.path, "message": error.message}])
    except new_runs.InvalidInputs as error:
        _end(fired, Outcome.FAILED, error.message, error.problems)
    except limits.TooManyRuns as error:
        _end(fired, Outcome.SKIPPED, error.message)
    except UserError as error:
        _end(fired, Outcome.FAILED, error.message)
    else:
        _end(fired, Outcome.STARTED, "")


def _shown(inputs: dict[str, JSON]) -> JSON:
    """For the history: without secrets, and not if they are large (the run has them) or no JSON."""
    shown = redact(inputs)
    try:
        return storable(shown) if len(json.dumps(shown)) <= _LARGEST_SHOWN else None
    except NotStorable:
        return None


def _end(fired: TriggerFire, outcome: str, reason: str, problems: Sequence[Mapping[str, str]] = ()) -> None:
    fired.outcome, fired.reason, fired.problems = outcome, reason[:500], list(problems)


def _count(trigger: Trigger, fired: TriggerFire) -> None:
    """Failures in a row; too many switch the trigger off."""
    if fired.outcome == Outcome.STARTED and trigger.failures:
        Trigger.objects.filter(pk=trigger.pk).update(failures=0)
    if fired.outcome != Outcome.FAILED:
        return
    trigger.failures += 1
    Trigger.objects.filter(pk=trigger.pk).update(failures=trigger.failures)
    if trigger.failures >= DISABLE_AFTER[trigger.kind] and trigger.enabled:
        switch_off(trigger, f"It failed {trigger.failures} times in a row. The last time: {fired.reason}")


def switch_off(trigger: Trigger, why: str) -> None:
    """The portal's own doing, said on the trigger's page. Call with the row locked."""
    Trigger.objects.filter(pk=trigger.pk).update(enabled=False, disabled_because=why[:300], next_at=None)
    audit.record(
        organisation=trigger.organisation,
        actor=Actor.engine(),
        verb="orchestration.trigger.disabled",
        target=trigger,
        before={"enabled": True},
        after={"enabled": False},
        data={"reason": why[:300]},
    )


def _itself(trigger: Trigger, occasion: Occasion) -> Actor:
    kind = trigger.get_kind_display().lower()
    return Actor(user=None, label=f"{kind} {trigger.name}", channel="engine", address=occasion.address or None)
