"""Agents over HTTP: inputs become a request through the guarded client, answers and failures come back in our words."""

import json
from datetime import UTC, datetime

import pytest

from agents.errors import AgentError
from agents.invocation import AgentReply, AgentRequest, invoke
from agents.kinds.base import agent_kind, config_faults
from agents.sharing import SharedContext
from agents.snapshots import AgentSnapshot
from portal.core.actors import Actor
from portal.core.in_threads import in_database
from portal.core.outgoing.answers import retry_after
from portal.core.services import secrets
from tests.agents import factories
from tests.agents.endpoint import Endpoint, serving

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def org(transactional_db):
    return factories.organisation()


@pytest.fixture
def endpoint(settings):
    settings.OUTGOING_ALLOW = ["127.0.0.1"]
    with serving() as running:
        yield running


async def ask(org, config, inputs=None, **values) -> AgentReply:
    assert config_faults(agent_kind("http"), config) == []
    snapshot = AgentSnapshot(
        slug="crm",
        name="CRM",
        number=1,
        kind="http",
        config=config,
        input_schema={},
        output_schema={},
        timeout_seconds=5,
    )
    return await invoke(
        AgentRequest(
            organisation_id=org.pk,
            agent="crm",
            inputs=inputs or {},
            idempotency_key="run/node/0",
            snapshot=snapshot,
            **values,
        )
    )


async def refusal(*args, **values) -> AgentError:
    with pytest.raises(AgentError) as caught:
        await ask(*args, **values)
    return caught.value


async def test_inputs_become_the_body_and_the_answer_the_outputs(org, endpoint: Endpoint):
    endpoint.answer(body={"id": 7})
    reply = await ask(org, {"url": f"{endpoint.address}/customers"}, {"name": "Ada", "age": 36})
    (asked,) = endpoint.asked
    assert (asked.method, asked.path, asked.body) == ("POST", "/customers", {"name": "Ada", "age": 36})
    assert asked.headers["Idempotency-Key"] == "run/node/0"
    assert reply.outputs == {"id": 7}


async def test_templates_keep_types_and_encode_addresses(org, endpoint: Endpoint):
    config = {
        "url": f"{endpoint.address}/customers/{{{{ input.id }}}}",
        "method": "PUT",
        "query": {"lang": "{{ input.lang }}"},
        "body": {"tags": "{{ input.tags }}", "note": "About {{ input.id }}", "fixed": [1, None]},
    }
    await ask(org, config, {"id": "a/b?c", "lang": "d e", "tags": ["x", "y"]})
    (asked,) = endpoint.asked
    assert asked.path == "/customers/a%2Fb%3Fc?lang=d+e" or asked.path == "/customers/a%2Fb%3Fc?lang=d%20e"
    assert asked.body == {"tags": ["x", "y"], "note": "About a/b?c", "fixed": [1, None]}


async def test_what_is_granted_of_the_shared_context_is_a_member_of_the_body(org, endpoint: Endpoint):
    shared = SharedContext({"customer": {"name": "Acme"}, "draft/1": "text"}, (), "crm")
    await ask(org, {"url": endpoint.address}, {"name": "Ada", "shared_context": "an input of that name"}, shared=shared)
    assert endpoint.asked[-1].body == {"name": "Ada", "shared_context": dict(shared)}
    await ask(org, {"url": endpoint.address}, {"name": "Ada"}, shared=SharedContext({}, (), "crm"))
    assert endpoint.asked[-1].body == {"name": "Ada"}, "nothing is granted"
    for config in ({"method": "GET"}, {"body": ["{{ input.name }}"]}):
        await ask(org, {"url": endpoint.address, **config}, {"name": "Ada"}, shared=shared)
        assert "Acme" not in json.dumps(endpoint.asked[-1].body), "there is no place for it"


async def test_secrets_go_into_headers_and_inputs_cannot_ask_for_them(org, endpoint: Endpoint):
    await in_database(
        lambda: secrets.set_secret(organisation=org, name="CRM", value="s3cr3t-value", actor=Actor.command())
    )
    config = {
        "url": endpoint.address,
        "headers": {"Authorization": "Bearer secret:CRM", "X-Name": "{{ input.name }}"},
    }
    await ask(org, config, {"name": "secret:CRM"})
    (asked,) = endpoint.asked
    assert asked.headers["Authorization"] == "Bearer s3cr3t-value"
    assert asked.headers["X-Name"] == "secret:CRM"


async def test_a_secret_that_the_endpoint_repeats_stays_secret(org, endpoint: Endpoint):
    await in_database(
        lambda: secrets.set_secret(organisation=org, name="CRM", value="s3cr3t-value", actor=Actor.command())
    )
    endpoint.answer(403, {"you sent": "Bearer s3cr3t-value"})
    error = await refusal(org, {"url": endpoint.address, "headers": {"Authorization": "Bearer secret:CRM"}})
    assert "s3cr3t" not in json.dumps(error.detail)


async def test_a_missing_secret_is_named(org, endpoint: Endpoint):
    error = await refusal(org, {"url": endpoint.address, "headers": {"A": "secret:NOPE"}})
    assert (error.code, error.retryable) == ("no_secret", False)
    assert "NOPE" in error.message
    assert endpoint.asked == []


async def test_headers_refuse_what_they_cannot_carry(org, endpoint: Endpoint):
    error = await refusal(
        org, {"url": endpoint.address, "headers": {"X-Name": "{{ input.name }}"}}, {"name": "a\r\nB: c"}
    )
    assert error.code == "invalid_input"
    assert endpoint.asked == []


async def test_outputs_are_picked_out_of_the_answer(org, endpoint: Endpoint):
    endpoint.answer(201, {"data": [{"id": 7}]}, ETag="abc")
    config = {
        "url": endpoint.address,
        "response": {"id": "$.data[0].id", "code": "status", "tag": "headers.etag", "none": "$.data[3].id", "all": "$"},
    }
    assert (await ask(org, config)).outputs == {
        "id": 7, "code": 201, "tag": "abc", "none": None, "all": {"data": [{"id": 7}]},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("status", "code", "retryable"),
    [
        (400, "bad_request", False),
        (401, "authentication", False),
        (404, "not_found", False),
        (409, "conflict", False),
        (429, "rate_limited", True),
        (500, "server_error", True),
        (503, "server_error", True),
        (501, "server_error", False),
    ],
)
async def test_failures_say_whether_to_try_again(org, endpoint: Endpoint, status, code, retryable):
    endpoint.answer(status, {"error": "x"}, Retry_After="7")
    error = await refusal(org, {"url": endpoint.address})
    assert (error.code, error.retryable, error.retry_after) == (code, retryable, 7.0)
    assert error.detail["status"] == status
    assert error.usage == {"agent": "crm", "agent_version": 1}


async def test_what_is_not_json_although_it_says_so_is_refused(org, endpoint: Endpoint):
    endpoint.answer(body=b"<html>")
    assert (await refusal(org, {"url": endpoint.address})).code == "invalid_output"


async def test_text_comes_as_body(org, endpoint: Endpoint):
    endpoint.answer(body=b"hello", Content_Type="text/plain")
    assert (await ask(org, {"url": endpoint.address, "method": "GET"})).outputs == {"body": "hello"}


async def test_private_addresses_are_refused(org, settings):
    settings.OUTGOING_ALLOW = []
    error = await refusal(org, {"url": "http://127.0.0.1:9/"})
    assert (error.code, error.retryable) == ("address_refused", False)


async def test_nobody_there(org, settings):
    settings.OUTGOING_ALLOW = ["127.0.0.1"]
    error = await refusal(org, {"url": "http://127.0.0.1:9/"})
    assert (error.code, error.retryable) == ("unreachable", True)


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"url": "ftp://x"}, "must begin with https"),
        ({"url": "https://{{ input.host }}/"}, "cannot choose where the request goes"),
        ({"url": "https://u:p@example.org/"}, "must not hold a user"),
        ({"url": "https://example.org/{{ now() }}"}, "not understood"),
        ({"url": "https://example.org", "headers": {"Host": "x"}}, "set by the portal"),
        ({"url": "https://example.org", "headers": {"A b": "x"}}, "is not a header"),
        ({"url": "https://example.org", "response": {"a": "data.id"}}, "is not a place"),
        ({"url": "https://example.org", "method": "TRACE"}, "GET"),
        ({"url": "https://example.org", "colour": 1}, "is not a setting"),
        ({}, "is required"),
    ],
)
def test_wrong_settings_are_named(config, words):
    (fault,) = config_faults(agent_kind("http"), config)
    assert words in str(fault)


def test_retry_after_has_two_forms():
    now = datetime(2026, 5, 31, 12, tzinfo=UTC)
    assert retry_after("120", now) == 120
    assert retry_after("Sun, 31 May 2026 12:01:00 GMT", now) == 60
    assert retry_after("Sun, 31 May 2026 11:00:00 GMT", now) == 0
    assert retry_after("soon", now) is None
    assert retry_after("\xb2", now) is None, "a digit to Python, and no number"
    month = 31 * 24 * 3600
    assert [retry_after(far, now) for far in ("9" * 400, "Fri, 31 Dec 9999 23:59:59 GMT")] == [month, month]
