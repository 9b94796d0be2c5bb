"""Deciding. The first decision wins; everything else is refused, told, and written down."""

from __future__ import annotations

from typing import Any

from django.db import transaction

from agents import contracts
from approvals import escalations, queries
from approvals.models import ApprovalRequest, Decision
from orchestration.models import Run
from orchestration.services import escalations as step_failures
from orchestration.services import runs
from portal.core import clock
from portal.core.actors import Actor
from portal.core.errors import Conflict, NotAllowed, UserError
from portal.core.models import User
from portal.core.services import audit


class AlreadyClosed(Conflict):
    """Somebody was first, or the run no longer waits. `request` is fresh, with its decision if there is one."""

    def __init__(self, request: ApprovalRequest) -> None:
        decision = getattr(request, "decision", None)
        if decision is not None:
            message = f"Already decided: {decision.label} by {decision.decided_by_label}."
        else:
            message = f"No longer open: {request.closed_because or 'the run does not wait for it any more'}."
        super().__init__(message, code="already_decided" if decision is not None else "withdrawn")
        self.request = request


class NotAnApprover(NotAllowed):
    def __init__(self, reason: str) -> None:
        super().__init__(reason, code="not_an_approver")


class Changed(Conflict):
    def __init__(self) -> None:
        super().__init__("What you saw is not what is asked now. Read it again, then decide.", code="changed")


class InvalidDecision(UserError):
    """`problems` are [{path, message}] for the fields; empty when the option or the comment is wrong."""

    def __init__(self, message: str, problems: list[dict[str, str]] | None = None) -> None:
        super().__init__(message, code="invalid_decision")
        self.problems = problems or []


def decide(
    *,
    request: ApprovalRequest,
    user: User,
    actor: Actor,
    option: str,
    comment: str = "",
    values: dict[str, Any] | None = None,
    shown_digest: str | None = None,
) -> Decision:
    """Record a person's decision and wake the run. Two row locks: the run, then the request.

    shown_digest: of the page the person saw (`queries.shown_digest`); None when the caller shows nothing (API).
    Raises AlreadyClosed, NotAnApprover, Changed, InvalidDecision; each refusal is in the audit ledger.
    """
    try:
        with transaction.atomic():
            return _decide(request, user, actor, option, comment.strip(), values, shown_digest)
    except (AlreadyClosed, NotAnApprover, Changed) as refusal:
        audit.record(
            organisation=request.organisation,
            actor=actor,
            verb="approvals.request.refused",
            target=request,
            data={"option": option, "code": refusal.code, "reason": refusal.message, "run": str(request.run_id)},
        )
        raise


def _decide(
    request: ApprovalRequest,
    user: User,
    actor: Actor,
    option: str,
    comment: str,
    values: dict[str, Any] | None,
    shown_digest: str | None,
) -> Decision:
    Run.objects.select_for_update().only("pk").get(pk=request.run_id)
    locked = ApprovalRequest.objects.select_for_update(of=("self",)).select_related("organisation").get(pk=request.pk)
    if not locked.open:
        raise AlreadyClosed(locked)
    right = queries.eligibility_of(user, locked)
    if not right.allowed:
        raise NotAnApprover(right.reason)
    digest = queries.shown_digest(locked)
    if shown_digest is not None and shown_digest != digest:
        raise Changed
    chosen = _check(locked, option, comment, values)
    decision = Decision.objects.create(
        request=locked,
        option=option,
        label=chosen["label"],
        comment=comment,
        values=values,
        decided_by=user,
        decided_by_label=str(user),
        right=right.reason,
        channel=actor.channel,
        shown_digest=digest,
    )
    decision.refresh_from_db(fields=["decided_at"])
    locked.status, locked.closed_at = ApprovalRequest.Status.DECIDED, clock.now()
    locked.save(update_fields=["status", "closed_at"])
    audit.record(
        organisation=locked.organisation,
        actor=actor,
        verb="approvals.request.decided",
        target=locked,
        before={"status": "open"},
        after={"status": "decided", "option": option, "comment": comment, "values": values},
        data={"run": str(locked.run_id), "node": locked.node, "right": right.reason, "shown_digest": digest},
    )
    runs.signal_node(
        run_id=locked.run_id,
        node=locked.node,
        path=locked.path,
        by=str(user),
        data=_answer(locked, decision),
    )
    return decision


def _answer(request: ApprovalRequest, decision: Decision) -> dict[str, Any]:
    """What the waiting step is told."""
    by = decision.decided_by.get_username() if decision.decided_by else ""
    if request.kind == ApprovalRequest.Kind.ESCALATION:
        return escalations.answer(decision.option, decision.values, decision.comment, by)
    return {
        "option": decision.option,
        "label": decision.label,
        "comment": decision.comment,
        "values": decision.values,
        "decided_by": by,
        "decided_at": decision.decided_at.isoformat(),
    }


def _check(request: ApprovalRequest, option: str, comment: str, values: dict[str, Any] | None) -> dict[str, Any]:
    """The chosen option. Raises InvalidDecision."""
    chosen = request.option(option)
    if chosen is None:
        known = ", ".join(known["port"] for known in request.options)
        raise InvalidDecision(f"There is no option {option!r}. Choose one of: {known}.")
    if chosen.get("comment_required") and not comment:
        raise InvalidDecision(f"“{chosen['label']}” needs a comment: say why.")
    if request.fields_schema:
        faults = contracts.data_faults(request.fields_schema, values or {})
        if faults:
            raise InvalidDecision(f"Some fields are not right: {faults[0]}.", [fault.as_json() for fault in faults])
    elif values:
        raise InvalidDecision("This request has no fields to fill in.")
    if request.kind == ApprovalRequest.Kind.ESCALATION:
        wrong = step_failures.faults(run=request.run, node=request.node, action=option, fields=values or {})
        if wrong:
            more = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
            raise InvalidDecision(f"That does not fit: {wrong[0]}{more}.", [fault.as_json() for fault in wrong])
    return chosen
