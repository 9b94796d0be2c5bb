"""The admin site: opened by the gate, scoped to one's organisations, and bound by the same rules as the services."""

import pytest
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.test import Client

from portal.core.actors import Actor
from portal.core.models import ApiToken, AuditEntry, Membership, Organisation, Role, Secret, User
from portal.core.services import secrets
from tests.cast import Cast
from tests.factories import make_member, make_organisation, make_token, role_of

MODELS = ["organisation", "user", "role", "membership", "apitoken", "secret"]


def listed(client: Client, model: str) -> set[int]:
    response = client.get(f"/admin/core/{model}/")
    return {row.pk for row in response.context["cl"].result_list} if response.status_code == 200 else set()


@pytest.mark.parametrize(
    ("role", "status"),
    [("viewer", 302), ("approver", 302), ("designer", 302), ("compliance-officer", 200), ("admin", 200)],
)
def test_only_who_manages_something_enters(cast: Cast, client: Client, role: str, status: int):
    client.force_login(cast.by_role[role])
    response = client.get("/admin/")
    assert response.status_code == status
    if status == 302:
        assert client.get("/admin/", follow=True).status_code == 403


def test_visitors_are_taken_to_the_one_login_page(client: Client, db):
    response = client.get("/admin/core/role/", follow=True)
    assert response.redirect_chain[-1][0] == "/login/?next=/admin/core/role/"
    assert client.get("/admin/login/?next=https://evil.example/").url == "/login/?next=/admin/"


def test_who_comes_to_the_admins_own_login_signed_in_goes_on(cast: Cast, client: Client):
    client.force_login(cast.admin)
    assert client.get("/admin/login/?next=/admin/core/role/").url == "/admin/core/role/"
    assert client.get("/admin/login/?next=https://evil.example/").url == "/admin/"
    assert client.post("/admin/logout/").url == "/logout/"


@pytest.mark.parametrize("model", MODELS)
def test_an_administrator_sees_their_organisation_only(cast: Cast, client: Client, model: str):
    for organisation, owner in ((cast.organisation, cast.admin), (cast.elsewhere, cast.stranger)):
        make_token(organisation, owner)
        secrets.set_secret(organisation=organisation, name="S", value="value-of-it", actor=Actor.command())
    mine, theirs = {
        "organisation": ({cast.organisation.pk}, {cast.elsewhere.pk}),
        "user": ({user.pk for user in cast.by_role.values()}, {cast.stranger.pk, cast.superuser.pk, cast.homeless.pk}),
        "role": (_ids(Role, cast.organisation), _ids(Role, cast.elsewhere)),
        "membership": (_ids(Membership, cast.organisation), _ids(Membership, cast.elsewhere)),
        "apitoken": (_ids(ApiToken, cast.organisation), _ids(ApiToken, cast.elsewhere)),
        "secret": (_ids(Secret, cast.organisation), _ids(Secret, cast.elsewhere)),
    }[model]
    client.force_login(cast.admin)
    assert listed(client, model) == mine
    for pk in theirs:
        assert client.get(f"/admin/core/{model}/{pk}/change/").status_code == 302  # "does not exist", to the index
        assert client.post(f"/admin/core/{model}/{pk}/delete/", {"post": "yes"}).status_code in {302, 403}
        assert client.get(f"/admin/core/{model}/{pk}/history/").status_code in {302, 404}
    client.force_login(cast.superuser)
    assert listed(client, model) >= mine | theirs


def _ids(model, organisation: Organisation) -> set:
    return set(model.objects.filter(organisation=organisation).values_list("pk", flat=True))


@pytest.mark.parametrize("model", MODELS)
def test_every_page_renders_for_its_administrator(cast: Cast, client: Client, model: str):
    make_token(cast.organisation, cast.admin)
    secrets.set_secret(organisation=cast.organisation, name="S", value="value-of-it", actor=Actor.command())
    for user in (cast.admin, cast.superuser):
        client.force_login(user)
        assert client.get(f"/admin/core/{model}/?q=a").status_code == 200
        row = next(iter(listed(client, model)))
        assert client.get(f"/admin/core/{model}/{row}/change/").status_code == 200
        added = client.get(f"/admin/core/{model}/add/").status_code
        assert added == (403 if model == "apitoken" or (model == "organisation" and user == cast.admin) else 200)


def test_a_compliance_officer_reads_members_and_roles_and_changes_nothing(cast: Cast, client: Client):
    client.force_login(cast.by_role["compliance-officer"])
    role = role_of(cast.organisation, "viewer")
    assert client.get(f"/admin/core/role/{role.pk}/change/").status_code == 200
    data = {"name": "Hacked", "permissions": ["runs.view"]}
    assert client.post(f"/admin/core/role/{role.pk}/change/", data).status_code == 403
    assert client.get("/admin/core/secret/").status_code == 403
    role.refresh_from_db()
    assert role.name == "Viewer"


def test_roles_are_edited_by_ticking_permissions_and_the_ledger_says_so(cast: Cast, client: Client):
    client.force_login(cast.admin)
    made = client.post(
        "/admin/core/role/add/",
        {
            "organisation": cast.organisation.pk,
            "name": "Tester",
            "slug": "tester",
            "permissions": ["runs.view", "runs.start"],
        },
    )
    assert made.status_code == 302, made.context["adminform"].form.errors
    role = role_of(cast.organisation, "tester")
    assert role.permissions == ["runs.start", "runs.view"]
    page = client.get(f"/admin/core/role/{role.pk}/change/").text
    assert "Start runs" in page and 'type="checkbox"' in page
    client.post(
        f"/admin/core/role/{role.pk}/change/", {"name": "Tester", "slug": "tester", "permissions": ["runs.view"]}
    )
    entry = AuditEntry.objects.filter(verb="core.role.changed").latest("id")
    assert (entry.channel, entry.after) == ("admin", {"permissions": ["runs.view"]})
    client.post(f"/admin/core/role/{role.pk}/delete/", {"post": "yes"})
    assert AuditEntry.objects.filter(verb="core.role.deleted").exists()


def test_a_rule_of_the_services_comes_back_as_an_error_of_the_form(cast: Cast, client: Client):
    client.force_login(cast.admin)
    membership = Membership.objects.get(user=cast.admin)
    page = client.post(f"/admin/core/membership/{membership.pk}/change/", {"roles": []})
    assert page.status_code == 200
    assert "left without an administrator" in page.text
    assert membership.roles.get().slug == "admin"
    gone = client.post(f"/admin/core/membership/{membership.pk}/delete/", {"post": "yes"}, follow=True)
    assert "left without an administrator" in gone.text
    chosen = {"action": "delete_selected", "_selected_action": [membership.pk], "post": "yes"}
    assert "left without an administrator" in client.post("/admin/core/membership/", chosen, follow=True).text
    assert Membership.objects.filter(pk=membership.pk).exists()


def test_members_are_added_with_roles_of_their_organisation_only(cast: Cast, client: Client):
    client.force_login(cast.superuser)
    data = {"organisation": cast.organisation.pk, "user": cast.homeless.pk}
    mixed = client.post("/admin/core/membership/add/", {**data, "roles": [role_of(cast.elsewhere, "viewer").pk]})
    assert mixed.status_code == 200 and "belongs to another organisation" in mixed.text
    made = client.post("/admin/core/membership/add/", {**data, "roles": [role_of(cast.organisation, "viewer").pk]})
    assert made.status_code == 302
    assert Membership.objects.get(user=cast.homeless).roles.get().slug == "viewer"


def test_an_administrator_cannot_reach_into_another_organisation_by_a_forged_form(cast: Cast, client: Client):
    client.force_login(cast.admin)
    forged = client.post(
        "/admin/core/role/add/",
        {"organisation": cast.elsewhere.pk, "name": "Trojan", "slug": "trojan", "permissions": ["runs.view"]},
    )
    assert forged.status_code == 200
    forged = client.post(
        "/admin/core/secret/add/", {"organisation": cast.elsewhere.pk, "name": "X", "value": "value-of-it"}
    )
    assert forged.status_code == 200
    forged = client.post(
        "/admin/core/membership/add/",
        {
            "organisation": cast.organisation.pk,
            "user": cast.stranger.pk,
            "roles": [role_of(cast.organisation, "viewer").pk],
        },
    )
    assert forged.status_code == 200
    assert not Role.objects.filter(slug="trojan").exists() and not Secret.objects.exists()
    assert not Membership.objects.filter(user=cast.stranger, organisation=cast.organisation).exists()


# -- people -----------------------------------------------------------------------------------------------------------


def new_user(client: Client, **more):
    return client.post(
        "/admin/core/user/add/",
        {
            "username": "newcomer",
            "usable_password": "true",
            "password1": "a long enough phrase",
            "password2": "a long enough phrase",
            **more,
        },
    )


def test_an_administrator_adds_people_to_their_own_organisation(cast: Cast, client: Client):
    client.force_login(cast.admin)
    assert new_user(client).status_code == 200  # without a role the person would be nobody's
    assert new_user(client, roles=[role_of(cast.elsewhere, "viewer").pk]).status_code == 200
    made = new_user(client, roles=[role_of(cast.organisation, "operator").pk], is_superuser="on")
    assert made.status_code == 302
    user = User.objects.get(username="newcomer")
    assert not user.is_superuser and user.check_password("a long enough phrase")
    assert Membership.objects.get(user=user).roles.get().slug == "operator"
    assert "a long enough phrase" not in str(list(AuditEntry.objects.values()) + list(LogEntry.objects.values()))


def test_nobody_makes_themselves_superuser(cast: Cast, client: Client):
    client.force_login(cast.admin)
    client.post(
        f"/admin/core/user/{cast.admin.pk}/change/", {"username": "admin", "is_active": "on", "is_superuser": "on"}
    )
    cast.admin.refresh_from_db()
    assert not cast.admin.is_superuser


def test_a_password_is_set_only_for_people_with_no_more_rights(cast: Cast, client: Client):
    hr = Role.objects.create(
        organisation=cast.organisation,
        slug="hr",
        name="HR",
        permissions=["members.view", "members.manage", "runs.view"],
    )
    manager = make_member(cast.organisation, username="manager")
    manager.memberships.get().roles.add(hr)
    weak = make_member(cast.organisation, username="weak")
    both = make_member(cast.organisation, username="both")
    make_member(cast.elsewhere, user=both)
    client.force_login(manager)
    new = {"usable_password": "true", "password1": "a long enough phrase", "password2": "a long enough phrase"}
    for victim, status in ((weak, 302), (both, 403), (cast.admin, 403), (cast.superuser, 404)):
        response = client.post(f"/admin/core/user/{victim.pk}/password/", new)
        assert response.status_code in {status, 302 if status == 404 else status, 404 if status == 404 else status}
        victim.refresh_from_db()
        assert victim.check_password("a long enough phrase") is (victim == weak), victim
    assert AuditEntry.objects.filter(verb="core.password.reset").count() == 1


def test_setting_a_password_ends_the_sessions_of_its_owner(cast: Cast, client: Client):
    theirs = Client()
    theirs.force_login(cast.viewer)
    assert theirs.get("/o/acme/").status_code == 200
    client.force_login(cast.admin)
    new = {"usable_password": "true", "password1": "a long enough phrase", "password2": "a long enough phrase"}
    assert client.post(f"/admin/core/user/{cast.viewer.pk}/password/", new).status_code == 302
    assert theirs.get("/o/acme/").status_code == 302


def test_deactivating_somebody_of_several_organisations_is_left_to_superusers(cast: Cast, client: Client):
    both = make_member(cast.organisation, "viewer", username="both")
    make_member(cast.elsewhere, "viewer", user=both)
    client.force_login(cast.admin)
    assert client.post(f"/admin/core/user/{both.pk}/change/", {"username": "both"}).status_code == 403
    client.force_login(cast.superuser)
    assert client.post(f"/admin/core/user/{both.pk}/change/", {"username": "both"}).status_code == 302
    both.refresh_from_db()
    assert not both.is_active


def test_tokens_are_revoked_by_the_administrator(cast: Cast, client: Client):
    token = make_token(cast.organisation, cast.by_role["operator"]).token
    client.force_login(cast.admin)
    client.post("/admin/core/apitoken/", {"action": "revoke", "_selected_action": [token.pk]})
    token.refresh_from_db()
    assert token.revoked_at


def test_organisations_are_created_by_superusers_and_get_their_roles(cast: Cast, client: Client):
    client.force_login(cast.superuser)
    client.post("/admin/core/organisation/add/", {"name": "Third", "slug": "third", "is_active": "on"})
    assert Organisation.objects.get(slug="third").roles.count() == 6
    client.force_login(cast.admin)
    client.post(f"/admin/core/organisation/{cast.organisation.pk}/change/", {"name": "Acme Ltd", "slug": "hijack"})
    cast.organisation.refresh_from_db()
    assert (cast.organisation.name, cast.organisation.slug) == ("Acme Ltd", "acme")


def test_rows_of_libraries_that_know_no_organisation_are_not_in_the_admin():
    labels = {model._meta.label for model in admin.site._registry}
    assert not {label for label in labels if label.startswith(("auth.", "django_q.", "sessions."))}


@pytest.mark.parametrize("model", ["role", "membership", "user"])
def test_ten_more_rows_cost_no_more_queries(cast: Cast, client: Client, model: str, django_assert_max_num_queries):
    client.force_login(cast.admin)
    client.get(f"/admin/core/{model}/")
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    with CaptureQueriesContext(connection) as before:
        client.get(f"/admin/core/{model}/")
    for _ in range(10):
        make_member(cast.organisation, "viewer", "operator")
        Role.objects.create(organisation=cast.organisation, slug=f"r{Role.objects.count()}", name="R")
    make_organisation()
    with django_assert_max_num_queries(len(before)):
        client.get(f"/admin/core/{model}/")


@pytest.mark.parametrize("model", MODELS)
def test_filters_offer_nothing_of_other_organisations(cast: Cast, client: Client, model: str):
    """Django's own filters list every row and every value there is."""
    second = make_member(make_organisation("second", "Second"), "admin", user=cast.admin)
    Role.objects.filter(organisation=cast.elsewhere).update(name="Zebra")
    Organisation.objects.filter(pk=cast.elsewhere.pk).update(name="Zebra")
    client.force_login(second)
    page = client.get(f"/admin/core/{model}/").text
    assert "Zebra" not in page
    client.force_login(cast.superuser)
    if model not in {"apitoken", "secret"}:
        assert "Zebra" in client.get(f"/admin/core/{model}/").text


@pytest.mark.parametrize(
    ("role", "shown"), [("designer", False), ("operator", True), ("admin", True), ("viewer", False)]
)
def test_the_navigation_leads_to_the_administration_whom_it_lets_in(cast: Cast, client: Client, role: str, shown: bool):
    client.force_login(cast.by_role[role])
    assert ('href="/admin/"' in client.get("/account/").text) is shown
    assert (client.get("/admin/").status_code == 200) is shown


def test_the_search_over_everything_finds_nothing_of_others_and_remembers_nothing(cast: Cast, client: Client):
    Role.objects.filter(organisation=cast.elsewhere, slug="viewer").update(name="Zebra keeper")
    client.force_login(cast.stranger)
    assert "Zebra keeper" in client.get("/admin/search/?s=zebra&extended=1").text
    client.force_login(cast.admin)
    assert "Zebra keeper" not in client.get("/admin/search/?s=zebra&extended=1").text
    client.force_login(cast.stranger)
    cast.stranger.memberships.get().roles.set([role_of(cast.elsewhere, "operator")])
    assert "Zebra keeper" not in client.get("/admin/search/?s=zebra&extended=1").text
