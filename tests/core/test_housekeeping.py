"""What runs by itself, and the command that loads the samples."""

from datetime import timedelta
from io import StringIO

import pytest
from django.contrib.sessions.backends.db import SessionStore
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.utils import timezone
from django_q.models import Schedule

from portal.core import tasks
from portal.core.actors import Actor
from portal.core.models import AuditPending, SignIn, User
from portal.core.services import audit, seeding
from tests.factories import make_organisation, make_user

SCHEDULED = ("clear_sessions", "forget_read_notifications", "link_audit_entries", "send_due_mail")


@pytest.mark.django_db(transaction=True)
def test_entries_left_behind_by_a_crash_are_chained():
    organisation = make_organisation()
    with transaction.atomic():
        audit.record(organisation=organisation, actor=Actor.command(), verb="test.thing.happened")
        connection.run_on_commit.clear()  # as if the process had died right after the commit
    assert AuditPending.objects.exists()
    tasks.link_audit_entries()
    assert not AuditPending.objects.exists()


@pytest.mark.django_db
def test_sessions_that_have_run_out_go_with_their_rows():
    now, user = timezone.now(), make_user()
    for key, age in (("old", -1), ("live", 1)):
        SessionStore.get_model_class().objects.create(
            session_key=key, session_data="", expire_date=now + timedelta(days=age)
        )
        SignIn.objects.create(user=user, session_key=key, created_at=now, seen_at=now)
    tasks.clear_sessions()
    assert [row.session_key for row in SignIn.objects.all()] == ["live"]


@pytest.mark.django_db
def test_each_is_scheduled_once_however_often_one_migrates():
    tasks.ensure_schedules()
    tasks.ensure_schedules()
    functions = Schedule.objects.filter(func__startswith="portal.core").values_list("func", flat=True)
    assert sorted(functions) == sorted(f"portal.core.tasks.{name}" for name in SCHEDULED)


@pytest.mark.django_db
def test_the_samples_are_loaded_into_an_empty_database_or_an_organisation(monkeypatch):
    monkeypatch.setattr(seeding, "_steps", {})
    filled: list[str] = []
    seeding.register("samples", lambda organisation, demo: filled.append(organisation.slug))
    out = StringIO()
    call_command("demo", stdout=out)
    assert "login admin" in out.getvalue() and filled == ["demo"]
    make_organisation("acme")
    out = StringIO()
    call_command("demo", org="acme", stdout=out)
    assert filled == ["demo", "acme"] and "password" not in out.getvalue()
    assert User.objects.count() == 2
    with pytest.raises(CommandError, match="no organisation 'nowhere'"):
        call_command("demo", org="nowhere")
