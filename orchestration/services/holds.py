"""Legal holds: while one stands, nothing of the run, or of the workflow's runs, is archived or deleted by a policy."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.db.models.functions import Now

from orchestration.models import LegalHold, Run, Workflow
from orchestration.retention import gate
from portal.core.actors import Actor
from portal.core.errors import Conflict, UserError
from portal.core.models import Organisation
from portal.core.services import audit

LONGEST_REASON = 500


class AlreadyHeld(Conflict):
    def __init__(self, hold: LegalHold) -> None:
        super().__init__(f"{hold.set_by} has put it on hold already: {hold.reason}", code="already_held")
        self.hold = hold


class NotHeld(Conflict):
    def __init__(self) -> None:
        super().__init__("There is no hold on it.", code="not_held")


class NoReason(UserError):
    status = 422

    def __init__(self) -> None:
        super().__init__("Say why: the reason is kept in the audit ledger.", code="no_reason")


class Gone(UserError):
    status = 404

    def __init__(self) -> None:
        super().__init__("It has been deleted in the meantime.", code="gone")


def hold_run(*, run: Run, actor: Actor, reason: str) -> LegalHold:
    """Raises AlreadyHeld, NoReason, Gone. When it returns, no batch at work can still take the run."""
    return _hold(run, run.organisation, actor, reason, run=run)


def hold_workflow(*, workflow: Workflow, actor: Actor, reason: str) -> LegalHold:
    """All its runs, those to come too. Raises AlreadyHeld, NoReason, Gone."""
    return _hold(workflow, workflow.organisation, actor, reason, workflow=workflow)


def lift_run(*, run: Run, actor: Actor, reason: str) -> LegalHold:
    """Raises NotHeld, NoReason. What another hold covers stays held."""
    return _lift(run, run.organisation, actor, reason, run=run)


def lift_workflow(*, workflow: Workflow, actor: Actor, reason: str) -> LegalHold:
    """Raises NotHeld, NoReason."""
    return _lift(workflow, workflow.organisation, actor, reason, workflow=workflow)


@transaction.atomic
def _hold(target: Run | Workflow, organisation: Organisation, actor: Actor, reason: str, **which: Any) -> LegalHold:
    said = _checked(reason)
    gate.take(organisation.pk)
    if not type(target)._default_manager.filter(pk=target.pk).exists():
        raise Gone
    standing = LegalHold.objects.filter(lifted_at=None, **which).first()
    if standing is not None:
        raise AlreadyHeld(standing)
    hold = LegalHold.objects.create(
        organisation=organisation, reason=said, set_by=actor.label[:200], set_by_user=actor.user, **which
    )
    audit.record(
        organisation=organisation,
        actor=actor,
        verb=f"orchestration.{target._meta.model_name}.held",
        target=target,
        data={"reason": said, "hold": str(hold.pk)},
    )
    hold.refresh_from_db(fields=["set_at"])
    return hold


@transaction.atomic
def _lift(target: Run | Workflow, organisation: Organisation, actor: Actor, reason: str, **which: Any) -> LegalHold:
    said = _checked(reason)
    gate.take(organisation.pk)
    hold = LegalHold.objects.filter(lifted_at=None, **which).first()
    if hold is None:
        raise NotHeld
    audit.record(
        organisation=organisation,
        actor=actor,
        verb=f"orchestration.{target._meta.model_name}.hold_lifted",
        target=target,
        before={"reason": hold.reason, "set_by": hold.set_by, "set_at": hold.set_at.isoformat()},
        data={"reason": said, "hold": str(hold.pk)},
    )
    LegalHold.objects.filter(pk=hold.pk).update(lifted_at=Now(), lifted_by=actor.label[:200], lifted_because=said)
    hold.refresh_from_db()
    return hold


def _checked(reason: str) -> str:
    """Raises NoReason."""
    if not reason.strip():
        raise NoReason
    return reason.strip()[:LONGEST_REASON]
