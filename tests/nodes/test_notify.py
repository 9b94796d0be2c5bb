"""Telling people: who is told by what, once each, and what is said when it cannot be."""

from __future__ import annotations

import smtplib
from datetime import timedelta
from typing import Any

import pytest

from orchestration.definition.validation import validate
from orchestration.models import NodeRun
from orchestration.queries import effects
from orchestration.services import runs
from orchestration.values.references import is_reference
from portal.core import clock
from portal.core.actors import Actor
from portal.core.models import Mail, Notification
from portal.core.services import mail
from tests.agents.endpoint import serving
from tests.engine_host import EngineHost, make_definition, start, wait_until
from tests.workflows.factories import definition, node

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def people(transactional_db: None) -> Any:
    from tests.cast import make_cast

    return make_cast()


def notify(engine: EngineHost, people: Any, **settings: Any) -> NodeRun:
    more = {key: settings.pop(key) for key in ("retry",) if key in settings}
    made = make_definition([{"id": "tell", "type": "notify", "settings": {"title": "Ready", **settings}, **more}])
    run = start(people.organisation, made, {"who": "Ada"})
    engine.wait_for(run, "completed", "failed")
    return NodeRun.objects.get(run=run, node="tell")


def test_people_and_holders_of_roles_are_told_in_the_portal(engine: EngineHost, people: Any) -> None:
    found = notify(
        engine,
        people,
        users=["viewer"],
        roles=["approver", "viewer"],
        title="{{ inputs.who }} is done",
        message="It is **done**.",
    )
    told = {row.user.username: row for row in Notification.objects.all()}
    assert set(told) == {"viewer", "approver"}
    assert (told["viewer"].title, told["viewer"].body) == ("Ada is done", "It is **done**.")
    assert told["viewer"].link == f"/o/acme/runs/{found.run_id}/" and told["viewer"].read_at is None
    assert found.outputs["sent"] == [{"channel": "portal", "to": "approver"}, {"channel": "portal", "to": "viewer"}]


def test_a_message_is_told_whole_though_it_is_kept_apart(engine: EngineHost, people: Any) -> None:
    """20,000 characters may be more than a step's answer holds inline."""
    found = notify(engine, people, users=["viewer"], message="🙂" * 20_000)
    assert is_reference(found.outputs["message"])
    assert Notification.objects.get().body == "🙂" * 20_000


def test_mails_go_to_addresses_and_to_people_who_have_one(engine: EngineHost, people: Any, settings: Any) -> None:
    settings.MAIL_CONFIGURED = True
    viewer = people.viewer
    viewer.email = "viewer@example.org"
    viewer.save()
    found = notify(
        engine,
        people,
        users=["viewer", "admin"],
        addresses=["ada@example.org"],
        channels=["email"],
        message="Look.",
        link="https://example.org/x",
    )
    people.admin.refresh_from_db()
    rows = {row.address: row for row in Mail.objects.all()}
    assert {"ada@example.org", "viewer@example.org"} <= set(rows)
    assert rows["ada@example.org"].text == "Look.\n\nhttps://example.org/x"
    states = {one["to"]: one.get("state") for one in found.outputs["sent"]}
    assert states["ada@example.org"] is None
    if not people.admin.email:
        assert states["admin"] == "no address"


def test_without_a_mail_server_the_answer_says_that_it_is_held(engine: EngineHost, people: Any, settings: Any) -> None:
    settings.MAIL_CONFIGURED = False
    found = notify(engine, people, addresses=["ada@example.org"], channels=["email"])
    assert found.outputs["sent"] == [{"channel": "email", "to": "ada@example.org", "state": "held"}]
    assert Mail.objects.count() == 1
    (call,) = effects.calls(found.run)
    assert (call.outcome, call.response) == ("open", {"status": "held, as no mail server is configured"})


def test_each_mail_is_in_the_runs_ledger_before_it_is_sent_and_after(
    engine: EngineHost, people: Any, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.MAIL_CONFIGURED = True
    found = notify(
        engine, people, addresses=["ada@example.org", "bob@example.org"], channels=["email"], message="The words."
    )
    before = effects.calls(found.run)
    assert [(call.kind, call.target, call.outcome) for call in before] == [
        ("mail", "ada@example.org", "open"),
        ("mail", "bob@example.org", "open"),
    ]
    (key,) = {call.idempotency_key for call in before}
    assert key.startswith(f"run/{found.run_id}/tell/@")
    assert before[0].request["bytes"] > 0 and "words" not in str(before[0].request)

    ada, bob = Mail.objects.get(address="ada@example.org"), Mail.objects.get(address="bob@example.org")
    assert mail.send(ada.pk) == "sent"

    def refuse(message: Any) -> None:
        raise smtplib.SMTPRecipientsRefused({})

    monkeypatch.setattr("django.core.mail.EmailMessage.send", refuse)
    mail.send(bob.pk)
    assert [(call.outcome, call.ended_at is not None) for call in effects.calls(found.run)] == [
        ("ok", True),
        ("failed", True),
    ]
    assert effects.calls(found.run)[1].response["tries"] == 1


def test_a_mail_that_was_cut_off_may_have_been_sent(engine: EngineHost, people: Any, settings: Any) -> None:
    settings.MAIL_CONFIGURED = True
    found = notify(engine, people, addresses=["ada@example.org"], channels=["email"])
    Mail.objects.update(state=Mail.State.SENDING, due_at=clock.now() - timedelta(hours=1))
    mail.send_due()
    assert [call.outcome for call in effects.calls(found.run)] == ["unknown"]


def test_a_webhook_without_a_clear_answer_may_have_taken_it(engine: EngineHost, people: Any, settings: Any) -> None:
    settings.OUTGOING_ALLOW = ["127.0.0.1"]
    with serving() as endpoint:
        endpoint.answers = [(500, {}, None), (400, {}, None)]
        retry = {"max_attempts": 2, "initial_seconds": 0}
        found = notify(engine, people, channels=["webhook"], webhook_url=f"{endpoint.address}/hook", retry=retry)
    assert [call.outcome for call in effects.calls(found.run)] == ["unknown", "failed"]


def test_a_webhook_is_posted_to_with_the_nodes_key(engine: EngineHost, people: Any, settings: Any) -> None:
    settings.OUTGOING_ALLOW = ["127.0.0.1"]
    with serving() as endpoint:
        endpoint.answers = [(503, {}, None), (200, {}, {})]
        found = notify(
            engine,
            people,
            channels=["webhook"],
            webhook_url=f"{endpoint.address}/hook",
            message="Look.",
            retry={"max_attempts": 2, "initial_seconds": 0},
        )
        assert len(endpoint.asked) == 2
        assert {one.headers["Idempotency-Key"] for one in endpoint.asked} == {f"{found.run_id}/tell"}
        body = endpoint.asked[0].body
        assert (body["title"], body["message"], body["node"]) == ("Ready", "Look.", "tell")
        assert body["link"].endswith(f"/o/acme/runs/{found.run_id}/") and body["text"].startswith("Ready\n")
    assert found.outputs["sent"] == [{"channel": "webhook", "to": "127.0.0.1"}]


def test_nobody_is_told_when_the_node_fails(engine: EngineHost, people: Any) -> None:
    found = notify(
        engine, people, users=["viewer"], channels=["portal", "webhook"], webhook_url="http://169.254.169.254/x"
    )
    assert found.error["code"] == "address_refused" and not Notification.objects.exists()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"users": ["stranger"]}, "No active member of the organisation is called 'stranger'"),
        ({"roles": ["aprover"]}, "There is no role 'aprover' in the organisation. Did you mean 'approver'?"),
    ],
    ids=["person", "role"],
)
def test_who_is_not_there_is_named(engine: EngineHost, people: Any, settings: Any, words: str) -> None:
    found = notify(engine, people, **settings)
    assert found.error["code"] == "invalid_recipient" and words in found.error["message"]


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({}, "Nobody is named"),
        ({"users": ["a"], "channels": []}, "needs a channel"),
        ({"addresses": ["a@b.c"]}, "add the channel email"),
        ({"addresses": ["nobody"], "channels": ["email"]}, "no mail address"),
        ({"channels": ["webhook"]}, "go together"),
        ({"users": ["a"], "link": "javascript:alert(1)"}, "begins with https://"),
        ({"users": ["a"], "link": "//evil.example"}, "begins with https://"),
    ],
)
def test_wrong_settings_are_found_before_it_runs(wrong: Any, words: str) -> None:
    problems = validate(definition(node("a", "notify", settings={"title": "x", **wrong})), agents={})
    assert [problem.code for problem in problems] == ["invalid_setting"] and words in problems[0].message


@pytest.mark.parametrize(
    "address", [f"{'a' * 300}@example.org", "ada@example..org", "ada@example", f"a@{'x' * 64}.org"]
)
def test_an_address_that_no_mail_can_have_fails_the_step_and_not_the_engine(
    engine: EngineHost, people: Any, address: str
) -> None:
    found = notify(engine, people, channels=["email"], addresses=[address])
    assert found.status == "failed" and "is no mail address" in found.error["message"]


def test_a_mail_that_cannot_be_written_fails_for_good_and_holds_up_no_other(people: Any, settings: Any) -> None:
    settings.MAIL_CONFIGURED = True
    about = {"organisation": people.organisation, "key": "k", "subject": "s", "text": "t"}
    bad = Mail.objects.create(address="ada@münchen..example", **about)
    good = Mail.objects.create(address="ada@example.org", **about)
    assert mail.send_due() == 1
    bad.refresh_from_db()
    good.refresh_from_db()
    assert (bad.state, good.state) == ("failed", "sent")
    assert "UnicodeError" in bad.error


def test_what_is_told_again_after_an_undoing_reaches_people_again(
    engine: EngineHost, people: Any, settings: Any
) -> None:
    """The seat was given up and another is reserved: who was told of the first is told of the second."""
    settings.MAIL_CONFIGURED = True
    told = {"users": ["viewer"], "addresses": ["ada@example.org"], "channels": ["portal", "email"], "title": "Seat"}
    nodes = [
        {"id": "seat", "type": "set", "settings": {"variables": {"seat": "1"}}, "compensate_with": "release"},
        {"id": "release", "type": "set", "settings": {"variables": {"seat": ""}}},
        {"id": "tell", "type": "notify", "settings": told},
        {"id": "charge", "type": "fail", "settings": {"message": "refused"}},
    ]
    run = start(people.organisation, make_definition(nodes, ["seat -> tell", "tell -> charge"]))
    engine.wait_for(run, "failed")
    assert (Notification.objects.filter(title="Seat").count(), Mail.objects.count()) == (1, 1)
    runs.retry_run(run=run, actor=Actor.command())
    wait_until(lambda: Notification.objects.filter(title="Seat").count() == 2, 20, "another notification")
    engine.wait_for(run, "failed")
    assert Mail.objects.count() == 2
    assert not any(call.maybe_twice for call in effects.calls(run)), "two messages, each sent once"
