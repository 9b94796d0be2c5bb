"""The gate: strangers learn nothing, members are told what they lack, and roles mean what their table says."""

import pytest
from django.contrib.auth.models import AnonymousUser
from django.http import Http404

from portal.core import access
from portal.core.models import Role
from portal.core.permissions import ALL, BUILT_IN_ROLES, Permission
from tests.cast import Cast
from tests.factories import make_organisation


@pytest.mark.parametrize("role", BUILT_IN_ROLES, ids=lambda role: role.slug)
@pytest.mark.parametrize("permission", list(Permission))
def test_each_built_in_role_may_exactly_what_its_table_says(cast: Cast, role, permission):
    user = cast.by_role[role.slug]
    assert access.can(user, cast.organisation, permission) == (permission in role.permissions)


def test_strangers_get_404_and_members_403_with_the_name_of_the_right(cast: Cast):
    with pytest.raises(Http404):
        access.organisation_for(cast.stranger, "acme")
    with pytest.raises(Http404):
        access.organisation_for(AnonymousUser(), "acme")
    assert access.organisation_for(cast.viewer, "acme") == cast.organisation
    with pytest.raises(access.MissingPermission) as refused:
        access.require(cast.viewer, cast.organisation, Permission.RUNS_START)
    assert refused.value.permission == Permission.RUNS_START
    assert "Start runs" in str(refused.value)


def test_an_unknown_organisation_and_a_foreign_one_look_the_same(cast: Cast):
    with pytest.raises(Http404) as unknown:
        access.organisation_for(cast.stranger, "no-such")
    with pytest.raises(Http404) as foreign:
        access.organisation_for(cast.stranger, "acme")
    assert str(unknown.value) == str(foreign.value)


def test_a_superuser_enters_everywhere_with_every_right(cast: Cast):
    assert access.organisation_for(cast.superuser, "acme") == cast.organisation
    assert access.permissions_of(cast.superuser, cast.organisation) == ALL


def test_an_inactive_user_has_no_rights(cast: Cast):
    cast.admin.is_active = False
    assert access.permissions_of(cast.admin, cast.organisation) == frozenset()
    with pytest.raises(Http404):
        access.organisation_for(cast.admin, "acme")


def test_an_organisation_that_is_switched_off_is_gone_for_its_members(cast: Cast):
    cast.organisation.is_active = False
    cast.organisation.save()
    with pytest.raises(Http404):
        access.organisation_for(cast.admin, "acme")
    assert access.organisations_of(cast.admin) == []
    assert access.permissions_of(cast.admin, cast.organisation) == frozenset()


def test_rights_are_the_union_of_roles_and_cost_one_query(cast: Cast, django_assert_num_queries):
    user = cast.by_role["operator"]
    user.memberships.get().roles.add(Role.objects.get(organisation=cast.organisation, slug="approver"))
    with django_assert_num_queries(1):
        for permission in Permission:
            access.can(user, cast.organisation, permission)
    assert access.can(user, cast.organisation, Permission.RUNS_START)
    assert access.can(user, cast.organisation, Permission.APPROVALS_DECIDE)


def test_rights_of_one_organisation_say_nothing_in_another(cast: Cast):
    other = make_organisation()
    cast.admin.memberships.create(organisation=other)
    assert access.permissions_of(cast.admin, other) == frozenset()


def test_a_permission_that_no_longer_exists_is_ignored(cast: Cast):
    role = Role.objects.get(organisation=cast.organisation, slug="viewer")
    role.permissions = [*role.permissions, "moon.fly"]
    role.save()
    assert "moon.fly" not in access.permissions_of(cast.viewer, cast.organisation)
