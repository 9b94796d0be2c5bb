"""Organisations, their roles and their members. Every change passes two rules:

- an organisation keeps at least one active member with the built-in administrator role;
- nobody hands out, or changes a role that carries, a permission they do not have themselves.
"""

from collections.abc import Collection, Iterable

from django.db import transaction

from portal.core import access, live
from portal.core.actors import Actor
from portal.core.errors import Conflict, NotAllowed, UserError
from portal.core.models import Membership, Organisation, Role, User
from portal.core.permissions import ADMIN_ROLE, ALL, BUILT_IN_ROLES
from portal.core.services import audit


class LastAdministrator(Conflict):
    def __init__(self, organisation: Organisation) -> None:
        super().__init__(
            f"{organisation} would be left without an administrator. Give somebody else the administrator role first.",
            "last_admin",
        )


class BeyondOwnRights(NotAllowed):
    """Raised when somebody hands out what they do not have."""

    def __init__(self, codes: Iterable[str]) -> None:
        super().__init__(
            f"You cannot hand out rights that you do not have yourself: {', '.join(sorted(codes))}.", "beyond_rights"
        )


@transaction.atomic
def create_organisation(*, slug: str, name: str, actor: Actor) -> Organisation:
    """With its built-in roles."""
    organisation = Organisation(slug=slug, name=name)
    organisation.full_clean()
    organisation.save()
    add_built_in_roles(organisation)
    audit.record(
        organisation=organisation,
        actor=actor,
        verb="core.organisation.created",
        target=organisation,
        after={"slug": slug, "name": name},
    )
    return organisation


def add_built_in_roles(organisation: Organisation) -> None:
    """Add those that are missing; existing ones keep what was edited."""
    Role.objects.bulk_create(
        [
            Role(
                organisation=organisation,
                slug=role.slug,
                name=role.name,
                description=role.description,
                permissions=sorted(role.permissions),
                built_in=True,
            )
            for role in BUILT_IN_ROLES
        ],
        ignore_conflicts=True,
    )


@transaction.atomic
def add_member(*, organisation: Organisation, user: User, roles: Collection[Role], actor: Actor) -> Membership:
    """Raises UserError when already a member, BeyondOwnRights."""
    if Membership.objects.filter(organisation=organisation, user=user).exists():
        raise UserError(f"{user} is already a member of {organisation}.", "already_member")
    membership = Membership.objects.create(organisation=organisation, user=user)
    set_roles(membership=membership, roles=roles, actor=actor)
    return membership


@transaction.atomic
def set_roles(*, membership: Membership, roles: Collection[Role], actor: Actor) -> None:
    """Replace the member's roles. Raises UserError (foreign role), BeyondOwnRights, LastAdministrator.

    Locks the organisation's row, so that two administrators cannot remove each other at once.
    """
    organisation = _lock(membership.organisation_id)
    if any(role.organisation_id != organisation.pk for role in roles):
        raise UserError("A role of another organisation cannot be given.", "foreign_role")
    before = list(membership.roles.all())
    added = [role for role in roles if role not in before]
    removed = [role for role in before if role not in roles]
    _within_own_rights(actor, organisation, {code for role in [*added, *removed] for code in role.permissions})
    membership.roles.set(roles)
    _keep_an_administrator(organisation)
    if added or removed:
        audit.record(
            organisation=organisation,
            actor=actor,
            verb="core.membership.changed",
            target=membership,
            before={"roles": sorted(role.slug for role in before)},
            after={"roles": sorted(role.slug for role in roles)},
        )
    rights_changed(membership.user)


@transaction.atomic
def remove_member(*, membership: Membership, actor: Actor) -> None:
    """Raises LastAdministrator, BeyondOwnRights (one cannot remove somebody with more rights)."""
    organisation = _lock(membership.organisation_id)
    roles = list(membership.roles.all())
    _within_own_rights(actor, organisation, {code for role in roles for code in role.permissions})
    audit.record(
        organisation=organisation,
        actor=actor,
        verb="core.membership.removed",
        target=membership,
        before={"roles": sorted(role.slug for role in roles)},
    )
    user = membership.user
    membership.delete()
    _keep_an_administrator(organisation)
    rights_changed(user)


@transaction.atomic
def save_role(*, role: Role, actor: Actor) -> Role:
    """Create or change a role. Raises UserError (unknown permission), BeyondOwnRights, LastAdministrator.

    The administrator role always carries every permission: without that, nobody could mend a mistake.
    """
    organisation = _lock(role.organisation_id)
    unknown = set(role.permissions) - ALL
    if unknown:
        raise UserError(f"Unknown permission: {', '.join(sorted(unknown))}.", "unknown_permission")
    stored = Role.objects.filter(pk=role.pk).first() if role.pk else None
    if stored is not None and stored.is_admin and set(role.permissions) != ALL:
        raise Conflict("The administrator role keeps every permission.", "admin_role_fixed")
    if stored is not None and stored.built_in and stored.slug != role.slug:
        raise Conflict("A built-in role keeps its short name.", "built_in_role")
    old = set(stored.permissions) if stored else set()
    _within_own_rights(actor, organisation, old ^ set(role.permissions))
    role.permissions = sorted(set(role.permissions))
    role.save()
    before, after = audit.changes(_role_facts(stored), _role_facts(role))
    audit.record(
        organisation=organisation,
        actor=actor,
        verb="core.role.changed" if stored else "core.role.created",
        target=role,
        before=before if stored else None,
        after=after,
    )
    for user in User.objects.filter(memberships__roles=role):
        rights_changed(user)
    return role


@transaction.atomic
def delete_role(*, role: Role, actor: Actor) -> None:
    """Raises Conflict for a built-in role, BeyondOwnRights."""
    organisation = _lock(role.organisation_id)
    if role.built_in:
        raise Conflict("A built-in role cannot be deleted; take its permissions away instead.", "built_in_role")
    _within_own_rights(actor, organisation, set(role.permissions))
    users = list(User.objects.filter(memberships__roles=role))
    audit.record(
        organisation=organisation, actor=actor, verb="core.role.deleted", target=role, before=_role_facts(role)
    )
    role.delete()
    for user in users:
        rights_changed(user)


@transaction.atomic
def save_user(*, user: User, actor: Actor) -> User:
    """Save a person's own fields. Raises LastAdministrator when deactivating the last one of any organisation."""
    stored = User.objects.filter(pk=user.pk).first() if user.pk else None
    affected = Organisation.objects.filter(memberships__user=user).order_by("pk") if stored else []
    locked = [_lock(organisation.pk) for organisation in affected]
    user.save()
    for organisation in locked:
        _keep_an_administrator(organisation)
    before, after = audit.changes(_user_facts(stored), _user_facts(user))
    if before or after:
        audit.record(
            organisation=None,
            actor=actor,
            verb="core.user.changed" if stored else "core.user.created",
            target=user,
            before=before if stored else None,
            after=after,
        )
    rights_changed(user)
    return user


@transaction.atomic
def save_organisation(*, organisation: Organisation, actor: Actor) -> Organisation:
    """Change name, address or state; a new one gets its built-in roles. Audited."""
    stored = Organisation.objects.filter(pk=organisation.pk).first() if organisation.pk else None
    organisation.save()
    if stored is None:
        add_built_in_roles(organisation)
    before, after = audit.changes(_organisation_facts(stored), _organisation_facts(organisation))
    audit.record(
        organisation=organisation,
        actor=actor,
        verb="core.organisation.changed" if stored else "core.organisation.created",
        target=organisation,
        before=before if stored else None,
        after=after,
    )
    return organisation


def rights_changed(user: User) -> None:
    """Open sockets of the user look again, and this user object forgets what it knew."""
    access.forget(user)
    live.publish(live.user_group(user.pk), {"type": "recheck"})


def _lock(organisation_id: int) -> Organisation:
    return Organisation.objects.select_for_update().get(pk=organisation_id)


def _within_own_rights(actor: Actor, organisation: Organisation, codes: Collection[str]) -> None:
    """The command line and the portal itself act without a user and are not held to anybody's rights."""
    if actor.user is None:
        return
    beyond = set(codes) - access.permissions_of(actor.user, organisation)
    if beyond:
        raise BeyondOwnRights(beyond)


def _keep_an_administrator(organisation: Organisation) -> None:
    """Only asked of organisations that have had one: a new one may be filled step by step."""
    administrators = Membership.objects.filter(
        organisation=organisation, roles__slug=ADMIN_ROLE, roles__built_in=True, user__is_active=True
    )
    if not administrators.exists() and Membership.objects.filter(organisation=organisation).exists():
        raise LastAdministrator(organisation)


def _role_facts(role: Role | None) -> dict[str, object]:
    return (
        {}
        if role is None
        else {"name": role.name, "slug": role.slug, "description": role.description, "permissions": role.permissions}
    )


def _user_facts(user: User | None) -> dict[str, object]:
    names = ("username", "first_name", "last_name", "email", "is_active", "is_superuser")
    return {} if user is None else {name: getattr(user, name) for name in names}


def _organisation_facts(organisation: Organisation | None) -> dict[str, object]:
    return {} if organisation is None else {name: getattr(organisation, name) for name in ("slug", "name", "is_active")}
