"""What the desk reads. QuerySets within one organisation, or frozen rows ready for a page."""

from __future__ import annotations

import functools
import hashlib
import json
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, Q, QuerySet

from approvals.eligibility import Eligibility, eligibility
from approvals.models import ApprovalRequest
from orchestration.models import Run
from portal.core import access
from portal.core.models import Organisation, Role, User
from portal.core.permissions import Permission
from portal.core.prepared import Prepared

VIEWS = ("mine", "open", "decided", "withdrawn")


@dataclass(frozen=True, slots=True)
class InboxFilter:
    """What the address says: view (mine, open, decided, withdrawn), q (words in title or workflow), workflow (slug)."""

    view: str = "mine"
    q: str = ""
    workflow: str = ""


def role_slugs(user: User, organisation: Organisation) -> frozenset[str]:
    """One query, kept on the user object for the request."""
    known: dict[int, frozenset[str]] = user.__dict__.setdefault("_role_slugs", {})
    if organisation.pk not in known:
        held = Role.objects.filter(organisation=organisation, memberships__user=user)
        known[organisation.pk] = frozenset(held.values_list("slug", flat=True))
    return known[organisation.pk]


def may_decide(user: User, organisation: Organisation, kind: str) -> bool:
    """What is to become of a failed step is for those who keep runs going, too."""
    if access.can(user, organisation, Permission.APPROVALS_DECIDE):
        return True
    return kind == ApprovalRequest.Kind.ESCALATION and access.can(user, organisation, Permission.RUNS_CONTROL)


def eligibility_of(user: User, request: ApprovalRequest) -> Eligibility:
    """By the user's roles and permissions in the request's organisation. Two queries at most, kept on the user
    object.
    """
    return eligibility(
        user_id=user.pk,
        roles=role_slugs(user, request.organisation),
        may_decide=may_decide(user, request.organisation, request.kind),
        assignee_user_id=request.assignee_user_id,
        assignee_role=request.assignee_role,
    )


def _decided_by(user: Any, roles: Any) -> Q:
    """The same rule as `eligibility`, as SQL. user: one, or its id; roles: their slugs, or a query for them."""
    return (
        Q(assignee_user=user) | Q(assignee_user=None, assignee_role__in=roles) | Q(assignee_user=None, assignee_role="")
    )


def _decidable(user: User, organisation: Organisation) -> tuple[str, ...]:
    """Kinds of requests."""
    return tuple(kind for kind in ApprovalRequest.Kind.values if may_decide(user, organisation, kind))


def waiting_for(user: User, organisation: Organisation) -> QuerySet[ApprovalRequest]:
    """Open requests this user may decide, oldest first."""
    requests = ApprovalRequest.objects.filter(organisation=organisation, status=ApprovalRequest.Status.OPEN)
    kinds = _decidable(user, organisation)
    if len(kinds) < len(ApprovalRequest.Kind.values):
        requests = requests.filter(kind__in=kinds)
    return requests.filter(_decided_by(user, role_slugs(user, organisation))).order_by("opened_at", "id")


def count_waiting_for(user: User, organisation: Organisation) -> int:
    """How many `waiting_for` has. One query; every page shows it."""
    found = _waiting(_decidable(user, organisation)).first(organisation.pk, user.pk)
    return found[0] if found else 0


@functools.cache
def _waiting(kinds: tuple[str, ...]) -> Prepared[tuple[int]]:
    """[(count,)] of an organisation and a user, by their ids."""

    def query(organisation: int, user: int) -> QuerySet[ApprovalRequest, tuple[int]]:
        roles = Role.objects.filter(organisation=organisation, memberships__user=user).values("slug")
        return (
            ApprovalRequest.objects.filter(organisation=organisation, status=ApprovalRequest.Status.OPEN)
            .filter(_decided_by(user, roles), kind__in=kinds)
            .order_by()
            .values("organisation")
            .annotate(count=Count("pk"))
            .values_list("count")
        )

    return Prepared(query)


def inbox(user: User, organisation: Organisation, chosen: InboxFilter) -> QuerySet[ApprovalRequest]:
    """The list of a view. `mine` and `open` begin with the oldest, the others with the newest."""
    if chosen.view == "mine":
        found = waiting_for(user, organisation)
    else:
        status = {"open": "open", "decided": "decided", "withdrawn": "withdrawn"}[chosen.view]
        order = ("opened_at", "id") if chosen.view == "open" else ("-closed_at", "id")
        found = ApprovalRequest.objects.filter(organisation=organisation, status=status).order_by(*order)
    if chosen.q:
        found = found.filter(
            Q(title__icontains=chosen.q) | Q(run__name__icontains=chosen.q) | Q(message__icontains=chosen.q)
        )
    if chosen.workflow:
        found = found.filter(run__workflow__slug=chosen.workflow)
    return found.select_related("run", "run__started_by", "run__workflow", "assignee_user", "decision")


def counts(user: User, organisation: Organisation) -> dict[str, int]:
    """Numbers on the tabs; one query each for mine and for all open ones."""
    everything = ApprovalRequest.objects.filter(organisation=organisation)
    return {
        "mine": count_waiting_for(user, organisation),
        "open": everything.filter(status=ApprovalRequest.Status.OPEN).count(),
    }


def of_run(run: Run) -> QuerySet[ApprovalRequest]:
    return ApprovalRequest.objects.filter(run=run).select_related("decision", "assignee_user").order_by("opened_at")


def next_after(user: User, request: ApprovalRequest) -> ApprovalRequest | None:
    """The request to show once this one is decided: the next older-first one that waits for the user."""
    waiting = waiting_for(user, request.organisation).exclude(pk=request.pk)
    return waiting.filter(opened_at__gte=request.opened_at).first() or waiting.first()


def shown_digest(request: ApprovalRequest) -> str:
    """SHA-256 of what a person decides upon. The page carries it; a decision on something else is refused."""
    shown: dict[str, Any] = {
        "request": str(request.pk),
        "title": request.title,
        "message": request.message,
        "context": request.context,
        "options": request.options,
        "fields": request.fields_schema,
    }
    text = json.dumps(shown, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()
