"""Requests that no page of ours makes: whatever is in them, they are refused in words and break nothing."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from orchestration.models import Run
from orchestration.services import starting
from portal.core.actors import Actor
from tests.cast import Cast
from tests.factories import bearer, make_token
from tests.triggers.factories import workflow

pytestmark = pytest.mark.django_db

HUGE, MANY_DIGITS, DEEP = "9" * 20, "9" * 5000, "[" * 50_000 + "]" * 50_000


@pytest.fixture
def client() -> Client:
    return Client(raise_request_exception=False)


@pytest.fixture
def run(cast: Cast) -> Run:
    flow, given = workflow(cast.organisation), {"order": "7"}
    return starting.start_workflow(workflow=flow, inputs=given, actor=Actor.command(), source="cli")[0]


@pytest.mark.parametrize(
    "address",
    [
        "runs/?q=%00",
        "runs/?workflow=%00",
        "workflows/?q=%00",
        "inbox/?q=%00",
        "agents/?q=%00",
        "events/?name=%00",
        "runs/{run}/?step=%00",
        "runs/{run}/?step=note&path=%00",
        f"runs/{{run}}/events/?after={MANY_DIGITS}",
        f"runs/{{run}}/events/?after={HUGE}",
        f"runs/{{run}}/move/?version={MANY_DIGITS}",
        f"runs/{{run}}/steps/note/skip/?path={MANY_DIGITS}",
        f"workflows/{{workflow}}/?version={MANY_DIGITS}",
        f"workflows/{{workflow}}/start/?example={MANY_DIGITS}",
    ],
)
def test_pages_answer_strange_addresses(client: Client, cast: Cast, run: Run, address: str) -> None:
    client.force_login(cast.by_role["admin"])
    assert run.workflow is not None
    answer = client.get(f"/o/{cast.organisation.slug}/{address}".format(run=run.pk, workflow=run.workflow.slug))
    assert answer.status_code in (200, 400, 404)


@pytest.mark.parametrize(
    ("page", "posted"),
    [
        ("pause", {"reason": "\0"}),
        ("rerun", {"node": "note", "inputs": DEEP}),
        ("rerun", {"node": "note", "inputs": f'{{"order": {MANY_DIGITS}}}'}),
        ("steps/note/override", {"outputs": DEEP}),
        ("variables", {"seen": DEEP, "reason": "\0"}),
    ],
)
def test_forms_answer_strange_fields(client: Client, cast: Cast, run: Run, page: str, posted: dict[str, str]) -> None:
    client.force_login(cast.by_role["admin"])
    answer = client.post(f"/o/{cast.organisation.slug}/runs/{run.pk}/{page}/", posted)
    assert answer.status_code < 500


@pytest.fixture
def headers(cast: Cast) -> Any:
    return bearer(make_token(cast.organisation, cast.by_role["admin"]))


@pytest.mark.parametrize(
    "address",
    [
        f"runs?offset={HUGE}",
        "runs?workflow=%00",
        "runs?status=%00",
        f"runs/{{run}}/events?after={HUGE}",
        "runs/{run}/effects?node=%00",
        f"runs/{{run}}/effects?offset={HUGE}",
        f"events?offset={HUGE}",
        "events?name=%00",
        "triggers?workflow=%00",
        f"approvals?offset={HUGE}",
    ],
)
def test_the_api_answers_strange_addresses(client: Client, headers: Any, run: Run, address: str) -> None:
    answer = client.get(f"/api/v1/{address}".format(run=run.pk), headers=headers)
    assert answer.status_code in (200, 404, 422), answer.content
    if answer.status_code == 422:
        assert answer.json()["code"] == "invalid_value" and "Traceback" not in answer.json()["detail"]


@pytest.mark.parametrize(
    ("address", "body"),
    [
        ("runs", {"workflow": "{workflow}", "inputs": {"order": "7"}, "idempotency_key": "a\0b"}),
        ("runs", {"workflow": "a\0b"}),
        ("runs/batch", {"workflow": "a\0b", "runs": [{}]}),
        ("runs/{run}/pause", {"reason": "a\0b"}),
        ("events", {"name": "order.paid", "idempotency_key": "a\0b"}),
        ("events", {"name": "order.paid", "key": "a\0b"}),
    ],
)
def test_the_api_answers_strange_texts(client: Client, headers: Any, run: Run, address: str, body: Any) -> None:
    assert run.workflow is not None
    text = json.dumps(body).replace("{workflow}", run.workflow.slug)
    answer = client.post(
        f"/api/v1/{address}".format(run=run.pk), text, content_type="application/json", headers=headers
    )
    assert answer.status_code in (400, 404, 422), answer.content


@pytest.mark.parametrize("content", [DEEP, MANY_DIGITS, "NaN", "{"])
def test_files_that_are_no_json_are_refused(client: Client, headers: Any, run: Run, content: str) -> None:
    assert run.workflow is not None
    told = {"run": json.dumps({"workflow": run.workflow.slug})}
    file = SimpleUploadedFile("order.json", content.encode())
    answer = client.post("/api/v1/runs/upload", {**told, "order": file}, headers=headers)
    assert answer.status_code in (400, 422), answer.content
