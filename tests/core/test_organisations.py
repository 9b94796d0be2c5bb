"""Roles and members: the last administrator stays, and nobody hands out more than they have."""

import threading

import pytest
from django.db import connection

from portal.core.actors import Actor
from portal.core.errors import Conflict, UserError
from portal.core.models import AuditEntry, Membership, Organisation, Role, User
from portal.core.permissions import ALL, BUILT_IN_ROLES, Permission
from portal.core.services import organisations
from portal.core.services.organisations import BeyondOwnRights, LastAdministrator
from tests.cast import Cast
from tests.factories import make_member, make_organisation, make_user, role_of


def web(user: User) -> Actor:
    return Actor(user=user, label=user.username, channel="web")


def membership_of(user: User, organisation: Organisation) -> Membership:
    return Membership.objects.get(user=user, organisation=organisation)


def test_a_new_organisation_gets_the_built_in_roles(db):
    organisation = organisations.create_organisation(slug="acme", name="Acme", actor=Actor.command())
    rows = {role.slug: set(role.permissions) for role in organisation.roles.all()}
    assert rows == {role.slug: {str(code) for code in role.permissions} for role in BUILT_IN_ROLES}
    assert all(role.built_in for role in organisation.roles.all())


def test_the_last_administrator_cannot_lose_the_role(cast: Cast):
    membership = membership_of(cast.admin, cast.organisation)
    with pytest.raises(LastAdministrator):
        organisations.set_roles(
            membership=membership, roles=[role_of(cast.organisation, "viewer")], actor=web(cast.admin)
        )
    assert membership.roles.get().slug == "admin"


def test_the_last_administrator_cannot_leave_or_be_deactivated(cast: Cast):
    with pytest.raises(LastAdministrator):
        organisations.remove_member(membership=membership_of(cast.admin, cast.organisation), actor=web(cast.admin))
    cast.admin.is_active = False
    with pytest.raises(LastAdministrator):
        organisations.save_user(user=cast.admin, actor=web(cast.superuser))
    assert User.objects.get(pk=cast.admin.pk).is_active


def test_an_inactive_administrator_does_not_count(cast: Cast):
    make_member(cast.organisation, "admin", user=make_user(is_active=False))
    with pytest.raises(LastAdministrator):
        organisations.remove_member(membership=membership_of(cast.admin, cast.organisation), actor=web(cast.admin))


def test_with_a_second_administrator_the_first_may_go(cast: Cast):
    make_member(cast.organisation, "admin")
    organisations.remove_member(membership=membership_of(cast.admin, cast.organisation), actor=web(cast.admin))
    assert not Membership.objects.filter(user=cast.admin).exists()


@pytest.mark.django_db(transaction=True)
def test_two_administrators_cannot_remove_each_other_at_once():
    organisation = make_organisation()
    one, two = make_member(organisation, "admin"), make_member(organisation, "admin")
    together, refused = threading.Barrier(2), []

    def remove(victim: User, by: User) -> None:
        try:
            membership = membership_of(victim, organisation)
            together.wait(timeout=60)
            organisations.remove_member(membership=membership, actor=web(by))
        except UserError as error:
            refused.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=remove, args=pair) for pair in ((one, two), (two, one))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(refused) == 1
    assert Membership.objects.filter(organisation=organisation).count() == 1


def test_nobody_promotes_themselves_or_others_beyond_their_own_rights(cast: Cast):
    manager_role = organisations.save_role(
        role=Role(
            organisation=cast.organisation,
            slug="hr",
            name="HR",
            permissions=["members.view", "members.manage", "runs.view"],
        ),
        actor=web(cast.admin),
    )
    manager = make_member(cast.organisation, username="manager")
    organisations.set_roles(
        membership=membership_of(manager, cast.organisation), roles=[manager_role], actor=web(cast.admin)
    )
    by = web(User.objects.get(pk=manager.pk))
    for victim in (manager, cast.viewer):
        with pytest.raises(BeyondOwnRights):
            organisations.set_roles(
                membership=membership_of(victim, cast.organisation),
                roles=[role_of(cast.organisation, "admin")],
                actor=by,
            )
    with pytest.raises(BeyondOwnRights):
        manager_role.permissions = [*manager_role.permissions, "secrets.manage"]
        organisations.save_role(role=manager_role, actor=by)
    with pytest.raises(BeyondOwnRights):  # nor is somebody with more rights theirs to remove
        organisations.remove_member(membership=membership_of(cast.admin, cast.organisation), actor=by)


def test_a_role_of_another_organisation_cannot_be_given(cast: Cast):
    with pytest.raises(UserError, match="another organisation"):
        organisations.set_roles(
            membership=membership_of(cast.viewer, cast.organisation),
            roles=[role_of(cast.elsewhere, "admin")],
            actor=web(cast.superuser),
        )


def test_the_administrator_role_keeps_every_permission(cast: Cast):
    role = role_of(cast.organisation, "admin")
    role.permissions = ["runs.view"]
    with pytest.raises(Conflict):
        organisations.save_role(role=role, actor=web(cast.superuser))
    assert set(role_of(cast.organisation, "admin").permissions) == ALL


def test_built_in_roles_stay_but_may_change(cast: Cast):
    role = role_of(cast.organisation, "viewer")
    with pytest.raises(Conflict):
        organisations.delete_role(role=role, actor=web(cast.admin))
    role.permissions = ["runs.view"]
    organisations.save_role(role=role, actor=web(cast.admin))
    assert role_of(cast.organisation, "viewer").permissions == ["runs.view"]
    organisations.add_built_in_roles(cast.organisation)
    assert role_of(cast.organisation, "viewer").permissions == ["runs.view"]


def test_an_unknown_permission_is_refused(cast: Cast):
    with pytest.raises(UserError, match=r"moon\.fly"):
        organisations.save_role(
            role=Role(organisation=cast.organisation, slug="x", name="X", permissions=["moon.fly"]),
            actor=web(cast.superuser),
        )


def test_each_change_is_in_the_ledger_with_before_and_after(cast: Cast):
    organisations.set_roles(
        membership=membership_of(cast.viewer, cast.organisation),
        roles=[role_of(cast.organisation, "operator")],
        actor=web(cast.admin),
    )
    entry = AuditEntry.objects.filter(verb="core.membership.changed").latest("id")
    assert (entry.actor_label, entry.before, entry.after) == ("admin", {"roles": ["viewer"]}, {"roles": ["operator"]})


def test_rights_change_at_once_for_the_same_user_object(cast: Cast):
    from portal.core import access

    assert not access.can(cast.viewer, cast.organisation, Permission.RUNS_START)
    membership = membership_of(cast.viewer, cast.organisation)
    membership.user = cast.viewer
    organisations.set_roles(
        membership=membership, roles=[role_of(cast.organisation, "operator")], actor=web(cast.admin)
    )
    assert access.can(cast.viewer, cast.organisation, Permission.RUNS_START)
