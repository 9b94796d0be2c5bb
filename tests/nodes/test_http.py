"""Calling an address: what is sent, what comes back, what is tried again, and what is never shown."""

import json
from datetime import timedelta
from typing import Any

import pytest

from orchestration.definition.validation import validate
from orchestration.models import NodeRun, RunEvent
from portal.core.actors import Actor
from portal.core.services import secrets
from tests.agents.endpoint import serving
from tests.engine_host import EngineHost, make_definition, start
from tests.workflows.factories import definition, node

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def endpoint(settings: Any) -> Any:
    settings.OUTGOING_ALLOW = ["127.0.0.1"]
    with serving() as running:
        yield running


def call(engine: EngineHost, organisation: Any, **settings: Any) -> NodeRun:
    more = {key: settings.pop(key) for key in ("retry", "delivery") if key in settings}
    made = make_definition([{"id": "call", "type": "http", "settings": settings, **more}])
    run = start(organisation, made, {"name": "Ada & Co"})
    engine.wait_for(run, "completed", "failed")
    return NodeRun.objects.get(run=run, node="call")


def test_a_request_is_sent_as_told_and_its_answer_is_the_output(engine: Any, organisation: Any, endpoint: Any) -> None:
    secrets.set_secret(organisation=organisation, name="CRM", value="quite-secret-17", actor=Actor.command())
    endpoint.answer(201, {"id": 7, "echo": "quite-secret-17"}, ETag="x1", X_Other="hidden")
    found = call(
        engine,
        organisation,
        method="POST",
        url=f"{endpoint.address}/people",
        query={"tag": ["a", "b c"], "deep": True, "none": None},
        headers={"X-Team": "{{ inputs.name }}"},
        body={"name": "{{ inputs.name }}", "n": "{{ 1 + 1 }}"},
        auth={"kind": "bearer", "secret_name": "CRM"},
    )
    asked = endpoint.asked[0]
    assert asked.method == "POST" and asked.path == "/people?tag=a&tag=b+c&deep=true&none="
    assert asked.body == {"name": "Ada & Co", "n": 2}
    assert asked.headers["Authorization"] == "Bearer quite-secret-17"
    assert asked.headers["X-Team"] == "Ada & Co"
    assert asked.headers["Idempotency-Key"] == f"{found.run_id}/call"
    assert found.outputs["status"] == 201 and found.outputs["headers"]["etag"] == "x1"
    assert found.outputs["body"] == {"id": 7, "echo": "[redacted]"}
    assert "x-other" not in found.outputs["headers"] and found.outputs["url"].startswith(endpoint.address)
    stored = json.dumps(list(RunEvent.objects.filter(run=found.run_id).values_list("data", flat=True)))
    assert "quite-secret" not in stored and "CRM" in stored


@pytest.mark.parametrize(
    ("kind", "more", "header", "value"),
    [
        ("basic", {"username": "ada"}, "Authorization", "Basic YWRhOnF1aXRlLXNlY3JldC0xNw=="),
        ("header", {"header": "X-Api-Key"}, "X-Api-Key", "quite-secret-17"),
    ],
)
def test_other_ways_to_sign_in(
    engine: Any,
    organisation: Any,
    endpoint: Any,
    kind: str,
    more: Any,
    header: str,
    value: str,
) -> None:
    secrets.set_secret(organisation=organisation, name="CRM", value="quite-secret-17", actor=Actor.command())
    call(engine, organisation, url=endpoint.address, auth={"kind": kind, "secret_name": "CRM", **more})
    assert endpoint.asked[0].headers[header] == value


@pytest.mark.parametrize(
    ("headers", "body", "expected"),
    [
        ({"Content-Type": "application/problem+json"}, b'{"a": 1}', {"a": 1}),
        ({"Content-Type": "text/plain; charset=latin-1"}, "süß".encode("latin-1"), "süß"),
        ({"Content-Type": "image/png"}, b"\x89PNG\x00", {"base64": "iVBORwA=", "bytes": 5}),
        ({"Content-Type": ""}, b"plain", "plain"),
        ({}, None, None),
    ],
)
def test_a_body_is_what_its_type_says(
    engine: Any,
    organisation: Any,
    endpoint: Any,
    headers: Any,
    body: Any,
    expected: Any,
) -> None:
    endpoint.answers = [(200, headers, body)]
    assert call(engine, organisation, url=endpoint.address).outputs["body"] == expected


def test_json_that_is_none_is_an_error(engine: Any, organisation: Any, endpoint: Any) -> None:
    endpoint.answers = [(200, {}, b"{nope")]
    assert call(engine, organisation, url=endpoint.address).error["code"] == "invalid_output"


ONCE_MORE = {"max_attempts": 2, "initial_seconds": 0, "jitter": False}


@pytest.mark.parametrize(
    ("method", "status", "more", "asked", "code"),
    [
        ("GET", 500, {}, 2, ""),
        ("PUT", 502, {}, 2, ""),
        ("POST", 503, {}, 2, ""),
        ("POST", 429, {}, 2, ""),
        ("POST", 500, {}, 1, "server_error"),
        ("POST", 500, {"repeatable": True}, 2, ""),
        ("GET", 500, {"repeatable": False}, 1, "server_error"),
        ("GET", 404, {}, 1, "not_found"),
        ("GET", 404, {"expect": ["2xx", 404]}, 1, ""),
        ("GET", 418, {}, 1, "unexpected_status"),
    ],
)
def test_what_is_tried_again(
    engine: Any,
    organisation: Any,
    endpoint: Any,
    method: str,
    status: int,
    more: Any,
    asked: int,
    code: str,
) -> None:
    endpoint.answers = [(status, {}, {"why": "busy"}), (200, {}, {})]
    found = call(engine, organisation, method=method, url=endpoint.address, retry=ONCE_MORE, **more)
    assert len(endpoint.asked) == asked
    assert (found.error or {}).get("code", "") == code
    assert len({one.headers["Idempotency-Key"] for one in endpoint.asked}) == 1
    if code:
        assert found.error["detail"] == {"status": status, "body": '{"why": "busy"}'}


@pytest.mark.parametrize("asked", ["9" * 20, "9" * 400, "Fri, 31 Dec 9999 23:59:59 GMT"])
def test_nobody_can_have_a_retry_wait_for_ever(engine: Any, organisation: Any, endpoint: Any, asked: str) -> None:
    endpoint.answers = [(429, {"Retry-After": asked}, None)]
    made = make_definition(
        [{"id": "call", "type": "http", "settings": {"url": endpoint.address}, "retry": {"max_attempts": 3}}]
    )
    run = engine.wait_for(start(organisation, made), "waiting")
    scheduled = RunEvent.objects.get(run=run, type="RetryScheduled")
    assert run.due_at - scheduled.at <= timedelta(days=31)


def test_an_answer_nested_too_deeply_is_no_json(engine: Any, organisation: Any, endpoint: Any) -> None:
    endpoint.answers = [(200, {"Content-Type": "application/json"}, b"[" * 100_000 + b"]" * 100_000)]
    made = make_definition([{"id": "call", "type": "http", "settings": {"url": endpoint.address}}])
    run = engine.wait_for(start(organisation, made), "failed")
    assert run.error["code"] == "invalid_output"


def test_a_retry_waits_as_long_as_it_was_asked_to(engine: Any, organisation: Any, endpoint: Any) -> None:
    endpoint.answers = [(429, {"Retry-After": "86400"}, None)]
    made = make_definition(
        [{"id": "call", "type": "http", "settings": {"url": endpoint.address}, "retry": {"max_attempts": 3}}]
    )
    run = start(organisation, made)
    engine.wait_for(run, "waiting")
    scheduled = RunEvent.objects.get(run=run, type="RetryScheduled")
    assert scheduled.data["error"]["retry_after"] == 86400
    assert (run.due_at - scheduled.at).total_seconds() > 86300


def test_nobody_there_is_tried_again_whatever_the_method(engine: Any, organisation: Any, settings: Any) -> None:
    settings.OUTGOING_ALLOW = ["127.0.0.1"]
    found = call(engine, organisation, method="POST", url="http://127.0.0.1:9/", retry=ONCE_MORE)
    assert found.attempts == 2 and found.error["code"] == "unreachable" and found.error["retryable"]


def test_private_addresses_are_refused_in_words(engine: Any, organisation: Any) -> None:
    found = call(engine, organisation, url="http://169.254.169.254/latest/meta-data", retry=ONCE_MORE)
    assert found.attempts == 1 and found.error["code"] == "address_refused"
    assert "not a public address" in found.error["message"] and "OUTGOING_ALLOW" in found.error["message"]


def test_an_answer_that_is_too_large_is_cut_off(engine: Any, organisation: Any, endpoint: Any) -> None:
    endpoint.answer(200, {"text": "x" * 5000})
    assert call(engine, organisation, url=endpoint.address, max_bytes=1000).error["code"] == "response_too_large"


def test_a_secret_that_is_missing_is_named(engine: Any, organisation: Any, endpoint: Any) -> None:
    found = call(engine, organisation, url=endpoint.address, auth={"secret_name": "NOPE"})
    assert found.error["code"] == "no_secret" and "'NOPE'" in found.error["message"] and not endpoint.asked


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"url": "ftp://example.com"}, "https:// or http://"),
        ({"url": "example.com"}, "https:// or http://"),
        ({"url": "https://ada:pw@example.com/"}, "no user or password"),
        ({"url": "https://{{ inputs.host }}/", "auth": {"secret_name": "K"}}, "names its host itself"),
        ({"url": "{{ inputs.url }}", "auth": {"secret_name": "K"}}, "names its host itself"),
        ({"url": "https://example.com", "headers": {"Authorization": "x"}}, "use auth"),
        ({"url": "https://example.com", "headers": {"Idempotency-Key": "x"}}, "set by the portal"),
        (
            {"url": "https://example.com", "auth": {"kind": "header", "secret_name": "K", "header": "Host"}},
            "one can set",
        ),
        ({"url": "https://example.com", "expect": [99]}, "100 to 599"),
        ({"url": "https://example.com", "method": "BREW"}, "method"),
    ],
)
def test_wrong_settings_are_found_before_it_runs(wrong: Any, words: str) -> None:
    inputs = {"type": "object", "properties": {"host": {}, "url": {}}}
    problems = validate(definition(node("a", "http", settings=wrong), inputs=inputs), agents={})
    assert [problem.code for problem in problems] == ["invalid_setting"] and words in problems[0].message


def test_addresses_with_data_in_them_are_right() -> None:
    right = {"url": "https://example.com/{{ inputs.id }}", "auth": {"secret_name": "K"}, "max_bytes": "{{ inputs.n }}"}
    inputs = {"type": "object", "properties": {"id": {}, "n": {}}}
    assert validate(definition(node("a", "http", settings=right), inputs=inputs), agents={}) == []
