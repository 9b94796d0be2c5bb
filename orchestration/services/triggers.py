"""All that changes triggers: create, change, switch on and off, a new secret, delete, try.

Who may publish workflows may have them started by themselves. Lock → check → write → audit.
"""

from __future__ import annotations

import secrets as random_text
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from django.db import IntegrityError, transaction

from agents.contracts import Fault
from orchestration.models import BusEvent, Trigger, TriggerFire, Workflow, WorkflowVersion
from orchestration.queries import workflows as queries
from orchestration.services import firing, schedules
from orchestration.services.firing import Occasion, Rehearsal
from orchestration.triggers import settings as trigger_settings
from orchestration.triggers import templates
from orchestration.triggers.settings import CronSettings
from portal.core import clock
from portal.core.actors import Actor
from portal.core.errors import Conflict, UserError
from portal.core.models import Secret
from portal.core.services import audit, secrets

JSON = Any
MOST_TRIGGERS = 50
_KEPT = ("name", "settings", "inputs", "priority", "most_unfinished", "enabled")


class InvalidTrigger(UserError):
    """`problems`: [{"path": "$.settings.expression", "message"}], all of them. Inputs' paths begin at `$.inputs`."""

    status = 422

    def __init__(self, faults: list[Fault]) -> None:
        more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
        super().__init__(f"The trigger is not right: {faults[0]}{more}", code="invalid_trigger")
        self.faults = faults
        self.problems = [fault.as_json() for fault in faults]


class TriggerNameTaken(Conflict):
    def __init__(self, name: str) -> None:
        super().__init__(f"This workflow has a trigger “{name}” already.", code="trigger_name_taken")


class TooManyTriggers(Conflict):
    def __init__(self) -> None:
        super().__init__(f"A workflow may have {MOST_TRIGGERS} triggers. Delete one first.", code="too_many_triggers")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a trigger is to be. `settings` by its kind, `version` None: the published one of the day."""

    name: str
    settings: dict[str, JSON]
    inputs: dict[str, JSON]
    version: WorkflowVersion | None = None
    priority: int = 5
    most_unfinished: int = 100


@dataclass(frozen=True, slots=True)
class NewTrigger:
    """`secret` signs a webhook's requests. It is shown now and never again."""

    trigger: Trigger
    secret: str = ""


@transaction.atomic
def create_trigger(
    *, workflow: Workflow, kind: str, wanted: Wanted, actor: Actor, enabled: bool = True, secret: str = ""
) -> NewTrigger:
    """`secret`: one that the sender has already, for webhooks; else it is made. Raises InvalidTrigger,
    TriggerNameTaken, TooManyTriggers.
    """
    Workflow.objects.select_for_update(of=("self",)).get(pk=workflow.pk)
    if Trigger.objects.filter(workflow=workflow).count() >= MOST_TRIGGERS:
        raise TooManyTriggers
    trigger = Trigger(
        organisation=workflow.organisation, workflow=workflow, kind=kind, enabled=enabled, created_by=actor.user
    )
    _apply(trigger, wanted)
    if kind == Trigger.Kind.WEBHOOK:
        trigger.path = random_text.token_urlsafe(24)
    trigger.save(force_insert=True)
    _record(trigger, actor, "created", after=_facts(trigger))
    if kind != Trigger.Kind.WEBHOOK:
        return NewTrigger(trigger)
    return NewTrigger(trigger, _set_secret(trigger, actor, secret))


@transaction.atomic
def change_trigger(*, trigger: Trigger, wanted: Wanted, actor: Actor) -> Trigger:
    """Raises InvalidTrigger, TriggerNameTaken."""
    locked = _locked(trigger)
    before = _facts(locked)
    _apply(locked, wanted)
    try:
        with transaction.atomic():
            locked.save()
    except IntegrityError:  # somebody else has given another the name in this moment
        raise TriggerNameTaken(locked.name) from None
    changed = audit.changes(before, _facts(locked))
    if changed[1]:
        _record(locked, actor, "changed", *changed)
    return locked


@transaction.atomic
def set_enabled(*, trigger: Trigger, enabled: bool, actor: Actor) -> Trigger:
    """Switched on again a schedule goes on from now: what was due meanwhile was not missed."""
    locked = _locked(trigger)
    if locked.enabled == enabled:
        return locked
    locked.enabled, locked.disabled_because, locked.failures = enabled, "", 0
    _schedule(locked)
    locked.save()
    verb = "enabled" if enabled else "disabled"
    _record(locked, actor, verb, {"enabled": not enabled}, {"enabled": enabled})
    return locked


@transaction.atomic
def rotate_secret(*, trigger: Trigger, actor: Actor, secret: str = "", seen: str = "") -> NewTrigger:
    """The old one is worth nothing from now on.

    seen: `secret_mark` of the secret that is to be replaced, so that a page sent twice, or two people at once, do not
    make worthless what somebody has just copied. Raises UserError for what is no webhook, Conflict.
    """
    locked = _locked(trigger)
    if locked.kind != Trigger.Kind.WEBHOOK:
        raise UserError("Only webhooks have a secret.", code="no_secret")
    if seen and seen != secret_mark(locked):
        raise Conflict(
            "The secret has been renewed since you opened the page, and stays as it is. Whoever has copied it can use"
            " it; to make another, choose “New secret” again.",
            code="renewed_already",
        )
    _record(locked, actor, "secret_rotated")
    return NewTrigger(locked, _set_secret(locked, actor, secret))


@transaction.atomic
def delete_trigger(*, trigger: Trigger, actor: Actor) -> None:
    """Its history goes with it; its runs stay."""
    locked = _locked(trigger)
    _record(locked, actor, "deleted", before=_facts(locked))
    for secret in Secret.objects.filter(organisation=locked.organisation, name=secret_name(locked)):
        secrets.delete_secret(secret=secret, actor=actor)
    locked.delete()


def rehearse(trigger: Trigger, sample: dict[str, JSON]) -> Rehearsal:
    """What the inputs would be, given `sample` names (`triggers.templates`). Changes nothing."""
    return firing.rehearse(trigger, _test(trigger, sample))


def test_run(*, trigger: Trigger, sample: dict[str, JSON], actor: Actor) -> TriggerFire:
    """A real run, marked as a test in the trigger's history. Works on triggers that are switched off."""
    fired = firing.fire(trigger.pk, _test(trigger, sample), actor=actor)
    _record(trigger, actor, "tested", data={"outcome": fired.outcome, "run": str(fired.run_id or "")})
    return fired


def secret_mark(trigger: Trigger) -> str:
    """Which secret it has now, without telling it. One query."""
    found = Secret.objects.filter(organisation_id=trigger.organisation_id, name=secret_name(trigger)).first()
    return found.set_at.isoformat() if found else "none"


def secret_name(trigger: Trigger) -> str:
    return f"webhook.{trigger.pk.hex}"


def schema_of(workflow: Workflow, version: WorkflowVersion | None) -> dict[str, JSON]:
    """Of the inputs a trigger gives: the pinned version's, else the published one's, else the draft's."""
    chosen = version or queries.newest(workflow)
    body = chosen.body if chosen else workflow.draft
    schema = body.get("inputs")
    return schema if isinstance(schema, dict) else {"type": "object"}


def _apply(trigger: Trigger, wanted: Wanted) -> None:
    faults: list[Fault] = []
    name = wanted.name.strip()
    if not name or len(name) > 120:
        faults.append(Fault("$.name", "must have between 1 and 120 characters"))
    try:
        trigger.settings = trigger_settings.read(trigger.kind, wanted.settings).model_dump(mode="json")
    except trigger_settings.InvalidSettings as error:
        faults.extend(error.faults)
    if wanted.version is not None and wanted.version.workflow_id != trigger.workflow_id:
        faults.append(Fault("$.version", "is of another workflow"))
    schema = schema_of(trigger.workflow, wanted.version)
    found = templates.faults(trigger.kind, wanted.inputs, schema)
    faults.extend(Fault("$.inputs" + fault.path.removeprefix("$"), fault.message) for fault in found)
    if not 1 <= wanted.priority <= 10:
        faults.append(Fault("$.priority", "must be between 1 and 10"))
    if not 1 <= wanted.most_unfinished <= 10_000:
        faults.append(Fault("$.most_unfinished", "must be between 1 and 10,000"))
    if faults:
        raise InvalidTrigger(faults)
    if Trigger.objects.filter(workflow=trigger.workflow_id, name=name).exclude(pk=trigger.pk).exists():
        raise TriggerNameTaken(name)
    trigger.name, trigger.inputs, trigger.version = name, wanted.inputs, wanted.version
    trigger.priority, trigger.most_unfinished = wanted.priority, wanted.most_unfinished
    _schedule(trigger)


def _schedule(trigger: Trigger) -> None:
    if trigger.kind == Trigger.Kind.CRON and trigger.enabled:
        settings = CronSettings.model_validate(trigger.settings)
        trigger.next_at = schedules.next_at(settings, clock.database_now())
    else:
        trigger.next_at = None


def _set_secret(trigger: Trigger, actor: Actor, given: str) -> str:
    value = given or random_text.token_urlsafe(32)
    if len(value) < 16:
        raise InvalidTrigger([Fault("$.secret", "must have at least 16 characters")])
    secrets.set_secret(
        organisation=trigger.organisation,
        name=secret_name(trigger),
        value=value,
        actor=actor,
        description=f"Signs the webhook {trigger.name} of {trigger.workflow.name}"[:200],
    )
    return value


def _test(trigger: Trigger, sample: dict[str, JSON]) -> Occasion:
    now = clock.database_now()
    key, event = f"test:{uuid4().hex}", sample.get("event")
    if trigger.kind == Trigger.Kind.CRON:
        settings = CronSettings.model_validate(trigger.settings)
        due = schedules.next_at(settings, now) or now
        return Occasion(key=key, at=now, names=schedules.occasion(settings, due, now).names, test=True)
    if trigger.kind == Trigger.Kind.EVENT:
        given = event if isinstance(event, dict) else {}
        name = str(trigger.settings["event"])
        made = BusEvent(name=name, key=str(given.get("key", "")), data=given.get("data", {}), source="person", at=now)
        return Occasion(key=key, at=now, names={"event": made.as_json()}, test=True)
    names = {"body": sample.get("body"), "query": sample.get("query") or {}, "headers": sample.get("headers") or {}}
    return Occasion(key=key, at=now, names=names, test=True)


def _locked(trigger: Trigger) -> Trigger:
    found = Trigger.objects.select_for_update(of=("self",)).select_related("organisation", "workflow", "version")
    return found.get(pk=trigger.pk)


def _facts(trigger: Trigger) -> dict[str, JSON]:
    version = trigger.version.number if trigger.version else None
    return {**{name: getattr(trigger, name) for name in _KEPT}, "kind": trigger.kind, "version": version}


def _record(
    trigger: Trigger,
    actor: Actor,
    verb: str,
    before: dict[str, JSON] | None = None,
    after: dict[str, JSON] | None = None,
    data: dict[str, JSON] | None = None,
) -> None:
    audit.record(
        organisation=trigger.organisation,
        actor=actor,
        verb=f"orchestration.trigger.{verb}",
        target=trigger,
        before=before,
        after=after,
        data={"workflow": trigger.workflow.slug, **(data or {})},
    )
