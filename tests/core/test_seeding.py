"""Seeding: an empty database gets its organisation and people once, and every app its turn in order."""

import pytest
from django.contrib.auth import authenticate
from django.test import RequestFactory

from portal.core import access
from portal.core.models import Organisation, User
from portal.core.permissions import ALL, Permission
from portal.core.services import seeding


@pytest.fixture
def steps(monkeypatch) -> list[tuple[str, str, bool]]:
    monkeypatch.setattr(seeding, "_steps", {})
    done: list[tuple[str, str, bool]] = []
    for name, order in (("workflows", 20), ("agents", 10)):
        seeding.register(name, lambda org, demo, name=name: done.append((name, org.slug, demo)), order=order)
    return done


@pytest.mark.django_db
def test_an_empty_database_is_filled_once(steps):
    logins = seeding.seed(demo=True)
    assert [(login.username, login.organisation, login.role) for login in logins] == [
        ("admin", "demo", "admin"),
        ("approver", "demo", "approver"),
    ]
    assert steps == [("agents", "demo", True), ("workflows", "demo", True)]
    assert seeding.seed(demo=True) == []
    assert len(steps) == 2 and User.objects.count() == 2
    for login in logins:
        request = RequestFactory().post("/login/")
        assert authenticate(request, username=login.username, password=login.password)
        assert len(login.password) >= 14
    demo = Organisation.objects.get()
    admin, approver = User.objects.get(username="admin"), User.objects.get(username="approver")
    assert admin.is_superuser and access.permissions_of(admin, demo) == ALL
    assert access.can(approver, demo, Permission.APPROVALS_DECIDE)
    assert not access.can(approver, demo, Permission.RUNS_START)


@pytest.mark.django_db
def test_a_step_that_fails_leaves_the_database_empty(steps):
    def fail(organisation: Organisation, demo: bool) -> None:
        raise RuntimeError("catalogue is broken")

    seeding.register("broken", fail, order=30)
    with pytest.raises(RuntimeError):
        seeding.seed(demo=False)
    assert not User.objects.exists() and not Organisation.objects.exists()
