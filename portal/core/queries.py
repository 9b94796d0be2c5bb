"""What the core's pages read."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from difflib import get_close_matches
from typing import Any

from django.contrib.sessions.models import Session
from django.db.models import Count, Exists, OuterRef, Q, QuerySet

from portal.core import access, clock
from portal.core.models import (
    ApiToken,
    AuditEntry,
    Membership,
    Notification,
    Organisation,
    Role,
    SignIn,
    User,
)
from portal.core.permissions import Permission
from portal.core.prepared import Prepared

AUDIT_PAGE = 50

# The first word of a verb is the app that wrote it.
AUDIT_AREAS = [
    ("core", "Access and secrets"),
    ("agents", "Agents"),
    ("orchestration", "Workflows and runs"),
    ("approvals", "Approvals"),
]
AUDIT_CHANNELS = [
    ("web", "Pages"),
    ("api", "API"),
    ("admin", "Administration"),
    ("cli", "Command line"),
    ("engine", "Engine"),
]


def live_sign_ins(user: User) -> QuerySet[SignIn]:
    """The user's sessions that would still be accepted, the latest first."""
    alive = Session.objects.filter(session_key=OuterRef("session_key"), expire_date__gt=clock.now())
    return SignIn.objects.filter(user=user).filter(Exists(alive))


def tokens_of(user: User) -> QuerySet[ApiToken]:
    return ApiToken.objects.filter(user=user).select_related("organisation")


def token_organisations(user: User) -> list[Organisation]:
    """Where the user may create tokens."""
    return [one for one in access.organisations_of(user) if access.can(user, one, Permission.TOKENS_MANAGE)]


@dataclass(frozen=True)
class AuditFilter:
    """What the filter row of the ledger says; unknown words are ignored by whoever makes it."""

    text: str = ""
    area: str = ""
    channel: str = ""
    since: date | None = None
    before: int | None = None


@dataclass(frozen=True)
class Change:
    """One field of an entry: `before` and `after` are None where the entry has no such side."""

    field: str
    before: Any
    after: Any


@dataclass(frozen=True)
class AuditRow:
    """One line of the ledger, ready for the page. `number` and `hash` are None until the entry is chained."""

    id: int
    at: datetime
    verb: str
    actor: str
    channel: str
    address: str
    request_id: str
    target_type: str
    target: str
    changes: list[Change]
    data: dict[str, Any] | None
    number: int | None
    hash: str | None


@dataclass(frozen=True)
class AuditPage:
    rows: list[AuditRow]
    older: int | None  # `before` of the next page


def audit_page(organisation: Organisation, wanted: AuditFilter) -> AuditPage:
    """The latest entries first, walked by id: a ledger of millions is as fast as a short one. One query."""
    entries = AuditEntry.objects.filter(organisation=organisation).select_related("link")
    if wanted.text:
        entries = entries.filter(
            Q(verb__icontains=wanted.text)
            | Q(actor_label__icontains=wanted.text)
            | Q(target_label__icontains=wanted.text)
            | Q(target_id=wanted.text)
            | Q(request_id=wanted.text)
        )
    if wanted.area:
        entries = entries.filter(verb__startswith=f"{wanted.area}.")
    if wanted.channel:
        entries = entries.filter(channel=wanted.channel)
    if wanted.since:
        entries = entries.filter(at__date__gte=wanted.since)
    if wanted.before:
        entries = entries.filter(pk__lt=wanted.before)
    found = list(entries.order_by("-id")[: AUDIT_PAGE + 1])
    rows = [audit_row(entry) for entry in found[:AUDIT_PAGE]]
    return AuditPage(rows, rows[-1].id if len(found) > AUDIT_PAGE else None)


def audit_row(entry: AuditEntry) -> AuditRow:
    """Asks nothing where `link` was selected along."""
    link = getattr(entry, "link", None)
    before, after = entry.before or {}, entry.after or {}
    return AuditRow(
        id=entry.pk,
        at=entry.at,
        verb=entry.verb,
        actor=entry.actor_label,
        channel=entry.channel,
        address=entry.address,
        request_id=entry.request_id,
        target_type=entry.target_type.rpartition(".")[2],
        target=entry.target_label or entry.target_id,
        changes=[Change(name, before.get(name), after.get(name)) for name in dict.fromkeys([*before, *after])],
        data=entry.data,
        number=link.number if link else None,
        hash=bytes(link.hash).hex() if link else None,
    )


# Notifications


def notifications(user: User, organisation: Organisation, *, unread: bool = False) -> QuerySet[Notification]:
    found = Notification.objects.filter(user=user, organisation=organisation)
    return (found.filter(read_at=None) if unread else found).order_by("-created_at", "-pk")


_UNREAD = Prepared(
    lambda user, organisation: (
        Notification.objects.filter(user=user, organisation=organisation, read_at=None)
        .order_by()
        .values("organisation")
        .annotate(count=Count("pk"))
        .values_list("count")
    )
)


def unread_notifications(user: User, organisation: Organisation) -> int:
    """One query; every page shows it."""
    found = _UNREAD.first(user.pk, organisation.pk)
    return found[0] if found else 0


def no_such_role(role: str, known: Collection[str]) -> str:
    """A sentence for whoever has named it; `known` are the slugs of the roles there are."""
    close = get_close_matches(role, known, n=1)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    return f"There is no role {role!r} in the organisation.{hint}"


@dataclass(frozen=True)
class Recipients:
    """people: addresses (perhaps empty) by user name. fault: why they cannot be told, in a sentence, or empty."""

    organisation: str
    people: dict[str, str]
    fault: str = ""


def recipients(organisation_id: int, users: Sequence[str], roles: Sequence[str]) -> Recipients:
    """The active members of these names or with one of these roles. Three queries at most."""
    slug = Organisation.objects.values_list("slug", flat=True).get(pk=organisation_id)
    members = Membership.objects.filter(organisation_id=organisation_id, user__is_active=True)
    wanted = members.filter(Q(user__username__in=users) | Q(roles__slug__in=roles)).distinct()
    people = dict(wanted.order_by("user__username").values_list("user__username", "user__email"))
    if unknown := [name for name in users if name not in people]:
        return Recipients(slug, people, f"No active member of the organisation is called {unknown[0]!r}.")
    if roles:
        known = set(Role.objects.filter(organisation_id=organisation_id).values_list("slug", flat=True))
        if strange := [role for role in roles if role not in known]:
            return Recipients(slug, people, no_such_role(strange[0], known))
    return Recipients(slug, people)
