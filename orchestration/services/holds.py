"""Legal holds: while one stands, nothing of the run, or of the workflow's runs, is archived or deleted by a policy."""

from __future__ import annotations

from django.db import transaction
from django.db.models.functions import Now

from orchestration.models import LegalHold, Run, Workflow
from orchestration.retention import gate
from portal.core.actors import Actor
from portal.core.errors import Conflict, UserError
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


@transaction.atomic
def hold(target: Run | Workflow, *, actor: Actor, reason: str) -> LegalHold:
    """Keep the run, or all runs of the workflow, those to come too. One advisory lock (the organisation's `gate`).

    When it returns, no batch at work can still take them. Raises AlreadyHeld, NoReason, Gone.
    """
    said = _checked(reason)
    gate.take(target.organisation_id)
    if not type(target)._default_manager.filter(pk=target.pk).exists():
        raise Gone
    standing = target.holds.filter(lifted_at=None).first()
    if standing is not None:
        raise AlreadyHeld(standing)
    made = target.holds.create(
        organisation=target.organisation, reason=said, set_by=actor.label[:200], set_by_user=actor.user
    )
    audit.record(
        organisation=target.organisation,
        actor=actor,
        verb=f"orchestration.{target._meta.model_name}.held",
        target=target,
        data={"reason": said, "hold": str(made.pk)},
    )
    made.refresh_from_db(fields=["set_at"])
    return made


@transaction.atomic
def lift(target: Run | Workflow, *, actor: Actor, reason: str) -> LegalHold:
    """Lift the hold on this run or workflow itself; what another hold covers stays held. Raises NotHeld, NoReason."""
    said = _checked(reason)
    gate.take(target.organisation_id)
    standing = target.holds.filter(lifted_at=None).first()
    if standing is None:
        raise NotHeld
    audit.record(
        organisation=target.organisation,
        actor=actor,
        verb=f"orchestration.{target._meta.model_name}.hold_lifted",
        target=target,
        before={"reason": standing.reason, "set_by": standing.set_by, "set_at": standing.set_at.isoformat()},
        data={"reason": said, "hold": str(standing.pk)},
    )
    LegalHold.objects.filter(pk=standing.pk).update(lifted_at=Now(), lifted_by=actor.label[:200], lifted_because=said)
    standing.refresh_from_db()
    return standing


def _checked(reason: str) -> str:
    """Raises NoReason."""
    if not reason.strip():
        raise NoReason
    return reason.strip()[:LONGEST_REASON]
