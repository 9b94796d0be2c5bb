"""Two people who save the same thing in the same moment: what the database refuses is said in words, in one place."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import IntegrityError, connections, transaction
from django.test import Client, RequestFactory

from portal.core import problems
from portal.core.models import Membership, Organisation, Role, User
from portal.core.services import organisations
from portal.core.views import refusals
from tests.cast import Cast


@pytest.fixture
def clash(cast: Cast) -> IntegrityError:
    """What PostgreSQL says to whoever comes second."""
    with pytest.raises(IntegrityError) as raised, transaction.atomic():
        Organisation.objects.create(slug=cast.organisation.slug, name="Twice")
    return raised.value


def answer(error: Exception, path: str, **headers: str) -> Any:
    request = RequestFactory().get(path, headers=headers)
    request.htmx = bool(headers)  # type: ignore[attr-defined]
    try:
        raise error
    except IntegrityError:
        return refusals.broken(request)


def test_a_page_and_a_fragment_and_the_api_say_409(clash: IntegrityError):
    page, fragment, api = answer(clash, "/x/"), answer(clash, "/x/", HX_Request="true"), answer(clash, "/api/x")
    assert (page.status_code, fragment.status_code, api.status_code) == (409, 409, 409)
    assert "Somebody else was first" in page.text
    assert fragment.text.startswith("Somebody else has saved the same")
    assert b'"already_there"' in api.content
    assert problems.at_the_same_moment(RequestFactory().post("/api/x"), clash).status_code == 409


def test_other_refusals_of_the_database_stay_bugs(db: None):
    bug = IntegrityError("null value in column")
    assert answer(bug, "/x/").status_code == 500
    assert problems.at_the_same_moment(RequestFactory().post("/api/x"), bug).status_code == 500


@pytest.mark.django_db(transaction=True)
def test_the_admins_form_comes_back_filled_in_and_names_what_is_there(
    cast: Cast, client: Client, monkeypatch: pytest.MonkeyPatch
):
    role = Role.objects.get(organisation=cast.organisation, slug="viewer")

    def somebody_was_faster(*, organisation: Organisation, user: User, **_: Any) -> None:
        with ThreadPoolExecutor(1) as other:
            other.submit(_committed, organisation, user).result(20)
        Membership.objects.create(organisation=organisation, user=user)

    monkeypatch.setattr(organisations, "add_member", somebody_was_faster)
    client.force_login(cast.superuser)
    form = {"organisation": cast.organisation.pk, "user": cast.stranger.pk, "roles": [role.pk]}
    page = client.post("/admin/core/membership/add/", form)
    assert page.status_code == 200 and "already exists" in page.text
    assert page.context["adminform"].form["roles"].value() == [str(role.pk)]


def _committed(organisation: Organisation, user: User) -> None:
    Membership.objects.create(organisation=organisation, user=user)
    connections.close_all()
