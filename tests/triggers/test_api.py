"""Events and triggers by API."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client

from orchestration.models import BusEvent, Run, Trigger
from tests.cast import Cast
from tests.factories import bearer, make_token
from tests.triggers.factories import trigger, workflow

pytestmark = pytest.mark.django_db


@pytest.fixture
def call(client: Client, cast: Cast) -> Any:
    """call("post", "/events", body, role="operator", scopes=()) as somebody of that role"""

    def ask(method: str, path: str, body: Any = None, *, role: str = "designer", scopes: Any = ()) -> Any:
        headers = bearer(make_token(cast.organisation, cast.by_role[role], scopes=scopes))
        more = {} if body is None else {"data": json.dumps(body), "content_type": "application/json"}
        return getattr(client, method)(f"/api/v1{path}", headers=headers, **more)

    return ask


def test_an_event_is_published_and_tells_what_it_started(call: Any, cast: Cast) -> None:
    listening = trigger(workflow(cast.organisation, name="Order check"), "event")
    body = {"name": "order.paid", "key": 42, "data": {"order": "42"}, "idempotency_key": "pay-42"}
    answer = call("post", "/events", body, role="operator")
    run = Run.objects.get()
    assert answer.status_code == 202
    assert answer.json()["started"] == [{"run": str(run.pk), "trigger": str(listening.pk), "workflow": "order-check"}]
    assert (answer.json()["woke"], answer.json()["key"], answer.json()["source"]) == ([], "42", "api")
    again = call("post", "/events", body)
    assert (again.status_code, again.json()["id"]) == (200, answer.json()["id"])
    assert BusEvent.objects.count() == 1
    read = call("get", f"/events/{answer.json()['id']}", role="viewer").json()
    assert read["data"] == {"order": "42"} and read["run"] is None
    assert [one["name"] for one in call("get", "/events?name=order&key=42").json()] == ["order.paid"]


def test_publishing_needs_the_right_and_the_scope(call: Any) -> None:
    assert call("post", "/events", {"name": "a"}, role="viewer").status_code == 403
    assert call("post", "/events", {"name": "a"}, scopes=["runs.start"]).status_code == 403
    assert call("post", "/events", {"name": "a"}, scopes=["events.publish"]).status_code == 202


def test_what_is_no_event_is_refused(call: Any, settings: Any) -> None:
    assert call("post", "/events", {"name": "a b"}).json()["code"] == "invalid_event"
    assert call("post", "/events", {"name": "a", "data": "x" * 40_000}).status_code == 422
    settings.EVENTS_PER_MINUTE = 0
    flooded = call("post", "/events", {"name": "a"})
    assert (flooded.status_code, flooded["Retry-After"]) == (429, "60")


def test_a_trigger_from_its_making_to_its_end(call: Any, cast: Cast) -> None:
    workflow(cast.organisation, name="Order check")
    body = {
        "workflow": "order-check",
        "kind": "webhook",
        "name": "Shop",
        "inputs": {"order": "{{ body.order }}"},
    }
    made = call("post", "/triggers", body)
    assert made.status_code == 201
    place = f"/triggers/{made.json()['id']}"
    assert len(made.json()["secret"]) == 43 and "/hooks/acme/" in made.json()["url"]
    assert "secret" not in call("get", place).json()
    assert call("get", place, role="viewer").json()["url"] is None
    changed = call("patch", place, {"priority": 9, "enabled": False}).json()
    assert (changed["priority"], changed["enabled"], changed["inputs"]) == (9, False, body["inputs"])
    assert call("patch", place, {"version": 1}).json()["version"] == 1
    assert call("patch", place, {"version": 0}).json()["version"] is None
    dry = call("post", f"{place}/test", {"sample": {"body": {"order": "7"}}}).json()
    assert (dry["inputs"], dry["problems"], dry["fire"]) == ({"order": "7"}, [], None)
    real = call("post", f"{place}/test", {"dry": False, "sample": {"body": {"order": "7"}}}).json()
    assert real["fire"]["run"] == str(Run.objects.get().pk) and real["fire"]["test"]
    assert [one["outcome"] for one in call("get", f"{place}/fires").json()] == ["started"]
    assert call("post", f"{place}/secret").json()["secret"] != made.json()["secret"]
    assert [one["name"] for one in call("get", "/triggers?workflow=order-check").json()] == ["Shop"]
    assert call("delete", place).status_code == 204
    assert not Trigger.objects.exists()


def test_a_wrong_trigger_is_refused_with_every_place(call: Any, cast: Cast) -> None:
    workflow(cast.organisation, name="Order check")
    body = {"workflow": "order-check", "kind": "cron", "name": "", "settings": {"expression": "x", "more": 1}}
    answer = call("post", "/triggers", body)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_trigger")
    assert [one["path"] for one in answer.json()["problems"]] == ["$.name", "$.settings.more", "$.inputs.order"]
