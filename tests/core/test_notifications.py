"""What people are told: once each, readable by them alone, and mail that is never doubled or lost in silence."""

from __future__ import annotations

import smtplib
from datetime import timedelta
from typing import Any

import pytest
from django.core import mail as outbox
from django.test import Client
from django_q.models import OrmQ

from portal.core import clock, tasks
from portal.core.mail_address import settings_of
from portal.core.models import Mail, Notification
from portal.core.notifying import Notice, mail, tell
from portal.core.services import mail as service
from tests.engine_host import raw_connection

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def people(transactional_db: None) -> Any:
    from tests.cast import make_cast

    return make_cast()


def notice(people: Any, key: str = "run/1/n/", **more: Any) -> Notice:
    return Notice(organisation_id=people.organisation.pk, key=key, title="Ready", **more)


def told(people: Any, key: str = "run/1/n/", **more: Any) -> None:
    with raw_connection() as raw:
        tell(raw, notice(people, key, **more), [people.viewer.pk])


def mailed(people: Any, key: str = "k") -> Mail:
    with raw_connection() as raw:
        mail(raw, notice(people, key), ["ada@example.org"], "The text.")
    return Mail.objects.get(key=key)


def test_a_person_is_told_once_however_often_it_is_said(people: Any) -> None:
    told(people)
    told(people)
    assert Notification.objects.filter(user=people.viewer).count() == 1


def test_the_page_shows_ones_own_and_marks_them_read(people: Any) -> None:
    told(people, body="**Look** <script>alert(1)</script>", link="/o/acme/runs/")
    told(people, key="second")
    client, other = Client(), Client()
    client.force_login(people.viewer)
    other.force_login(people.admin)
    page = client.get("/o/acme/notifications/").text
    assert page.count("(unread)") == 2 and "<strong>Look</strong>" in page and "<script>alert" not in page
    assert client.get("/o/acme/nav/").json()["notifications"] == 2
    assert other.get("/o/acme/nav/").json()["notifications"] == 0
    first = Notification.objects.get(key="run/1/n/")
    assert other.post(f"/o/acme/notifications/{first.pk}/read/").status_code == 302
    assert Notification.objects.filter(read_at=None).count() == 2  # another's is left alone
    assert client.post(f"/o/acme/notifications/{first.pk}/read/", {"follow": "1"}).url == "/o/acme/runs/"
    assert client.get("/o/acme/notifications/?show=unread").text.count("(unread)") == 1
    client.post("/o/acme/notifications/read/")
    assert not Notification.objects.filter(read_at=None).exists()
    assert client.get(f"/o/acme/notifications/{first.pk}/read/").status_code == 405


def test_a_mail_is_queued_in_its_own_commit_and_sent_once(people: Any, settings: Any) -> None:
    settings.MAIL_CONFIGURED = True
    OrmQ.objects.all().delete()
    row = mailed(people)
    mailed(people)
    queued = OrmQ.objects.filter(key="jobs")
    assert [task.task["args"] for task in queued] == [(str(row.pk),)]
    assert queued[0].task["func"] == "portal.core.tasks.send_mail"
    assert tasks.send_mail(str(row.pk)) == "sent"
    assert tasks.send_mail(str(row.pk)) == ""
    (sent,) = outbox.outbox
    assert (sent.to, sent.subject, sent.body) == (["ada@example.org"], "Ready", "The text.")
    assert sent.extra_headers["Message-ID"] == f"<{row.pk}@ensemble>"


def test_without_a_server_it_is_held_and_goes_out_when_there_is_one(people: Any, settings: Any) -> None:
    settings.MAIL_CONFIGURED = False
    row = mailed(people)
    assert tasks.send_mail(str(row.pk)) == ""
    row.refresh_from_db()
    assert row.state == Mail.State.HELD and not outbox.outbox
    settings.MAIL_CONFIGURED = True
    assert service.send_due() == 1 and len(outbox.outbox) == 1


def test_what_is_too_old_is_not_sent_but_says_so(people: Any, settings: Any) -> None:
    settings.MAIL_CONFIGURED = True
    row = mailed(people)
    Mail.objects.update(state=Mail.State.HELD, created_at=clock.now() - timedelta(days=4))
    assert service.send_due() == 0
    row.refresh_from_db()
    assert row.state == Mail.State.FAILED and "no mail server" in row.error


def test_a_server_that_is_away_is_asked_again_later(people: Any, settings: Any, monkeypatch: Any) -> None:
    settings.MAIL_CONFIGURED = True
    row = mailed(people)

    def refuse(self: Any) -> None:
        raise ConnectionRefusedError("nobody there")

    monkeypatch.setattr("django.core.mail.EmailMessage.send", refuse)
    assert tasks.send_mail(str(row.pk)) == "pending"
    row.refresh_from_db()
    assert row.attempts == 1 and "nobody there" in row.error and row.due_at > clock.now()
    monkeypatch.undo()
    assert service.send_due() == 0
    Mail.objects.update(due_at=clock.now())
    assert service.send_due() == 1


def test_a_refused_address_is_final(people: Any, settings: Any, monkeypatch: Any) -> None:
    settings.MAIL_CONFIGURED = True
    row = mailed(people)

    def refuse(self: Any) -> None:
        raise smtplib.SMTPRecipientsRefused({"ada@example.org": (550, b"no such user")})

    monkeypatch.setattr("django.core.mail.EmailMessage.send", refuse)
    assert tasks.send_mail(str(row.pk)) == "failed"


def test_what_was_cut_off_while_it_was_sent_is_not_sent_again(people: Any, settings: Any) -> None:
    settings.MAIL_CONFIGURED = True
    row = mailed(people)
    Mail.objects.update(state=Mail.State.SENDING, due_at=clock.now() - timedelta(hours=1))
    assert service.send_due() == 0 and not outbox.outbox
    row.refresh_from_db()
    assert row.state == Mail.State.UNSURE


def test_old_ones_are_forgotten_and_unread_ones_a_year_later(people: Any) -> None:
    for key in ("read", "unread", "never read"):
        told(people, key=key)
    now = clock.now()
    Notification.objects.filter(key="read").update(read_at=now - timedelta(days=100))
    Notification.objects.filter(key="unread").update(created_at=now - timedelta(days=360))
    Notification.objects.filter(key="never read").update(created_at=now - timedelta(days=370))
    tasks.forget_read_notifications()
    assert [row.key for row in Notification.objects.all()] == ["unread"]


@pytest.mark.parametrize(
    ("url", "host", "port", "tls", "ssl"),
    [
        ("smtp://ada:p%40ss@mail.example.org:587", "mail.example.org", 587, True, False),
        ("smtps://mail.example.org", "mail.example.org", 465, False, True),
        ("smtp://localhost", "localhost", 25, False, False),
        ("smtp://mail.example.org:587?tls=no", "mail.example.org", 587, False, False),
    ],
)
def test_the_address_of_the_server(url: str, host: str, port: int, tls: bool, ssl: bool) -> None:
    found = settings_of(url)
    assert (found["EMAIL_HOST"], found["EMAIL_PORT"]) == (host, port)
    assert (found["EMAIL_USE_TLS"], found["EMAIL_USE_SSL"]) == (tls, ssl)
    if "p%40ss" in url:
        assert (found["EMAIL_HOST_USER"], found["EMAIL_HOST_PASSWORD"]) == ("ada", "p@ss")


def test_an_address_that_is_none_stops_the_start() -> None:
    with pytest.raises(Exception, match="EMAIL_URL must look like"):
        settings_of("mail.example.org")
