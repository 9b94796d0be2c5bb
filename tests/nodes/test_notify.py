"""Telling people: who is told by what, once each, and what is said when it cannot be."""

from __future__ import annotations

from typing import Any

import pytest

from orchestration.definition.validation import validate
from orchestration.models import NodeRun
from portal.core.models import Mail, Notification
from tests.agents.endpoint import serving
from tests.engine_host import EngineHost, make_definition, start
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
