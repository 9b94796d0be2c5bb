"""What the gateway makes of everything a provider can do: one table, with time limits."""

import asyncio
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from agents.errors import AgentError
from agents.llm import gateway, router
from agents.llm.types import ModelReply, ModelRequest
from agents.models import ModelProfile
from portal.core import clock, effects
from portal.core.models import Organisation
from tests.provider import KEY, RIGHT, Provider

pytestmark = pytest.mark.usefixtures("connections")

SCHEMA = {
    "type": "object",
    "properties": {"title": {"type": "string"}, "rooms": {"type": "integer"}},
    "required": ["title", "rooms"],
    "additionalProperties": False,
}


@pytest.fixture
def ask(provider: Provider, organisation: Organisation, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    async def asking(model: str, *, seconds: float = 10, schema: Any = None, **values: Any) -> ModelReply:
        monkeypatch.setenv("MODEL_API_BASE", provider.base)
        monkeypatch.setenv("MODEL_NAME", model)
        router.forget()
        request = {
            "organisation_id": organisation.pk,
            "profile": "fast",
            "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hello"}],
            "output_schema": schema,
            "deadline": clock.now() + timedelta(seconds=seconds),
            **values,
        }
        return await gateway.complete(ModelRequest(**request))

    return asking


# behaviour, code, retryable, seconds to wait
FAILURES = [
    ("error-400", "invalid_request", False, None),
    ("key-in-error", "authentication", False, None),
    ("error-402", "quota_exhausted", False, None),
    ("error-403", "authentication", False, None),
    ("error-404", "model_not_found", False, None),
    ("error-409", "provider_unavailable", True, None),
    ("error-422", "invalid_request", False, None),
    ("rate-limited", "rate_limited", True, 7.0),
    ("rate-limited-ms", "rate_limited", True, 1.5),
    ("no-credit", "quota_exhausted", False, None),
    ("error-500", "provider_unavailable", True, None),
    ("error-502", "provider_unavailable", True, None),
    ("error-503", "provider_unavailable", True, 3.0),
    ("error-529", "provider_unavailable", True, None),
    ("too-long", "context_too_long", False, None),
    ("policy", "content_filter", False, None),
    ("reset", "connection", True, None),
    ("bad-json", "bad_response", True, None),
    ("html", "bad_response", True, None),
    ("empty-choices", "bad_response", True, None),
    ("empty-text", "bad_response", True, None),
    ("filtered", "content_filter", False, None),
]


@pytest.mark.parametrize("streaming", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize(("model", "code", "retryable", "wait"), FAILURES, ids=[row[0] for row in FAILURES])
async def test_each_failure_has_its_code(
    ask: Any, provider: Provider, model: str, code: str, retryable: bool, wait: float | None, streaming: bool
) -> None:
    before = len(provider.of(model))
    with pytest.raises(AgentError) as caught:
        await ask(model, on_text=(lambda text: None) if streaming else None)
    error = caught.value
    assert (error.code, error.retryable, error.retry_after) == (code, retryable, wait), error.detail
    assert len(provider.of(model)) - before == 1, "the engine retries, not the gateway"
    assert error.usage and error.usage["calls"] == 1
    assert model in error.message


async def test_broken_stream_is_a_connection_fault(ask: Any) -> None:
    with pytest.raises(AgentError) as caught:
        await ask("break-off", on_text=lambda text: None)
    assert (caught.value.code, caught.value.retryable) == ("connection", True)


@pytest.mark.parametrize("streaming", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("model", ["hang", "drip"])
async def test_deadline_holds_whatever_the_server_does(
    ask: Any, provider: Provider, model: str, streaming: bool
) -> None:
    before, started = len(provider.of(model)), time.monotonic()
    with pytest.raises(AgentError) as caught:
        await ask(model, seconds=1.5, on_text=(lambda text: None) if streaming else None)
    assert 1.4 < time.monotonic() - started < 50, "the server takes a minute"
    assert (caught.value.code, caught.value.retryable) == ("timeout", True)
    assert len(provider.of(model)) - before == 1
    if model == "drip":
        assert await asyncio.to_thread(provider.of(model)[-1].cut.wait, 60), (
            "the connection is given up, not left behind"
        )


async def test_deadline_in_the_past_asks_nobody(ask: Any, provider: Provider) -> None:
    before = len(provider.requests)
    with pytest.raises(AgentError) as caught:
        await ask("ok", seconds=-1)
    assert caught.value.code == "timeout"
    assert len(provider.requests) == before


async def test_plain_answer_with_its_figures(ask: Any, provider: Provider) -> None:
    reply = await ask("ok", idempotency_key="run/node/0")
    assert reply.text == "Good morning."
    assert (reply.input_tokens, reply.output_tokens, reply.estimated) == (11, 7, ())
    assert reply.cost_usd is None, "nobody knows the price of this model"
    assert reply.model == "openai/ok"
    assert "MODEL_API_BASE" in reply.reason
    sent = provider.of("ok")[-1]
    assert sent.headers["idempotency-key"] == "run/node/0"
    assert "stream" not in sent.body


async def test_stream_arrives_in_pieces(ask: Any) -> None:
    pieces: list[str] = []
    reply = await ask("slow-stream", on_text=pieces.append)
    assert pieces == ["one ", "two ", "three"]
    assert reply.text == "one two three"
    assert (reply.input_tokens, reply.output_tokens) == (11, 7)
    assert reply.finish_reason == "stop"


@pytest.mark.parametrize("streaming", [False, True], ids=["whole", "stream"])
async def test_missing_usage_is_counted_and_flagged(ask: Any, streaming: bool) -> None:
    reply = await ask("no-usage", on_text=(lambda text: None) if streaming else None)
    assert reply.input_tokens > 0 and reply.output_tokens > 0
    assert "tokens" in reply.estimated


@pytest.mark.parametrize("streaming", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("model", ["json", "fenced", "no-format"])
async def test_structured_answer_is_parsed_and_checked(ask: Any, model: str, streaming: bool) -> None:
    reply = await ask(model, schema=SCHEMA, on_text=(lambda text: None) if streaming else None)
    assert reply.data == RIGHT
    assert not reply.repaired


async def test_schema_is_always_said_in_words(ask: Any, provider: Provider) -> None:
    await ask("json", schema=SCHEMA)
    assert '"rooms"' in provider.of("json")[-1].body["messages"][0]["content"]


async def test_wrong_answer_is_repaired_once_and_both_calls_count(ask: Any, provider: Provider) -> None:
    reply = await ask("wrong-then-right", schema=SCHEMA, idempotency_key="k")
    assert reply.data == RIGHT
    assert (reply.repaired, reply.calls, reply.input_tokens, reply.output_tokens) == (True, 2, 22, 14)
    first, second = provider.of("wrong-then-right")[-2:]
    assert "rooms" in second.body["messages"][-1]["content"]
    assert first.headers["idempotency-key"] != second.headers["idempotency-key"]


class Noted:
    """A recorder of effects that keeps them."""

    def __init__(self) -> None:
        self.begun: list[effects.Effect] = []

    async def begin(self, effect: effects.Effect) -> None:
        self.begun.append(effect)

    def begin_in_thread(self, effect: effects.Effect) -> None:
        raise AssertionError("models are asked in the loop")

    def end(self, effect: effects.Effect) -> None:
        assert effect in self.begun


async def test_each_request_to_a_model_is_an_effect_told_without_its_words(ask: Any, provider: Provider) -> None:
    noted = Noted()
    with effects.recording(noted):
        await ask("wrong-then-right", schema=SCHEMA, idempotency_key="k")
    assert [(one.target, one.idempotency_key, one.ended) for one in noted.begun] == [
        ("openai/wrong-then-right", "k", "ok"),
        ("openai/wrong-then-right", "k/repair", "ok"),
    ]
    sent = [asked.headers["idempotency-key"] for asked in provider.of("wrong-then-right")[-2:]]
    assert sent == ["k", "k/repair"]
    assert set(noted.begun[0].request) == {"profile", "messages", "bytes", "sha256"}
    assert noted.begun[0].response["input_tokens"] == 11


@pytest.mark.parametrize("model", ["always-wrong", "prose", "cut-off"])
async def test_answer_that_stays_wrong_is_refused_with_its_faults(ask: Any, provider: Provider, model: str) -> None:
    before = len(provider.of(model))
    with pytest.raises(AgentError) as caught:
        await ask(model, schema=SCHEMA)
    error = caught.value
    assert (error.code, error.retryable) == ("invalid_output", True)
    assert error.detail["faults"][0]["path"]
    assert len(provider.of(model)) - before == 2
    assert error.usage and error.usage["input_tokens"] == 22


@pytest.mark.parametrize("key", [KEY, "Zk3plainLookingKeyWithoutAnyPrefix42"], ids=["known form", "any form"])
async def test_no_key_gets_into_an_error(ask: Any, monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    monkeypatch.setenv("MODEL_API_KEY", key)
    with pytest.raises(AgentError) as caught:
        await ask("key-in-error")
    error = caught.value
    for secret in (KEY, key):
        assert secret not in f"{error} {error.detail} {error.usage} {error.__cause__!r}"
    assert error.__suppress_context__


async def test_prices_of_the_profile_decide(organisation: Organisation, provider: Provider, monkeypatch: Any) -> None:
    monkeypatch.setenv("MODEL_API_BASE", provider.base)
    await _profile(
        organisation, "own", model="openai/ok", api_base=provider.base, input_price_usd=2, output_price_usd=10
    )
    reply = await gateway.complete(_plain(organisation, "own"))
    assert reply.cost_usd == pytest.approx((11 * 2 + 7 * 10) / 1_000_000)


async def test_fallbacks_are_tried_in_order(organisation: Organisation, provider: Provider, monkeypatch: Any) -> None:
    monkeypatch.setenv("MODEL_API_BASE", provider.base)
    await _profile(
        organisation, "first", model="openai/error-503", api_base=provider.base, fallbacks=["second", "third"]
    )
    await _profile(organisation, "second", model="openai/rate-limited", api_base=provider.base)
    await _profile(organisation, "third", model="openai/ok", api_base=provider.base)
    reply = await gateway.complete(_plain(organisation, "first"))
    assert (reply.text, reply.profile, reply.calls) == ("Good morning.", "third", 3)
    assert "openai/error-503: provider_unavailable" in reply.reason


async def test_refused_request_is_not_taken_elsewhere(
    organisation: Organisation, provider: Provider, monkeypatch: Any
) -> None:
    monkeypatch.setenv("MODEL_API_BASE", provider.base)
    await _profile(organisation, "first", model="openai/policy", api_base=provider.base, fallbacks=["second"])
    await _profile(organisation, "second", model="openai/ok", api_base=provider.base)
    with pytest.raises(AgentError) as caught:
        await gateway.complete(_plain(organisation, "first"))
    assert caught.value.code == "content_filter"


async def test_address_inside_the_network_is_refused_when_connecting(
    organisation: Organisation, provider: Provider
) -> None:
    """The name passes the first look (it is not an address); the check at the socket sees where it leads."""
    port = provider.base.split(":")[2].split("/")[0]
    await _profile(organisation, "inside", model="openai/ok", api_base=f"http://localhost:{port}/v1")
    before = len(provider.requests)
    with pytest.raises(AgentError) as caught:
        await gateway.complete(_plain(organisation, "inside"))
    assert (caught.value.code, caught.value.retryable) == ("address_refused", False)
    assert len(provider.requests) == before


async def test_redirect_into_the_network_is_refused(
    organisation: Organisation, provider: Provider, settings: Any
) -> None:
    """The operator allows one address; it sends the caller on to another one inside."""
    host = provider.base.removeprefix("http://").removesuffix("/v1")
    settings.OUTGOING_ALLOW = [host]
    with Provider() as inside:
        provider.redirect_to = inside.base
        await _profile(organisation, "moved", model="openai/redirect", api_base=provider.base)
        with pytest.raises(AgentError) as caught:
            await gateway.complete(_plain(organisation, "moved"))
        assert caught.value.code == "address_refused"
        assert inside.requests == []


async def test_hundreds_of_calls_wait_side_by_side(ask: Any, organisation: Organisation) -> None:
    await ask("slow")
    started = time.monotonic()
    calls = [gateway.complete(_plain(organisation, "fast")) for _ in range(200)]
    replies = await asyncio.gather(*calls)
    assert {reply.text for reply in replies} == {"Good morning."}
    assert time.monotonic() - started < 95, "one after the other they would take 100 s"


async def test_a_real_call_is_an_error_in_tests(organisation: Organisation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with pytest.raises(RuntimeError, match="outside of this machine"):
        await gateway.complete(_plain(organisation, "fast"))


async def test_offline_answers_when_nothing_is_there(organisation: Organisation) -> None:
    pieces: list[str] = []
    reply = await gateway.complete(_plain(organisation, "fast", on_text=pieces.append))
    assert reply.model == "offline (not a language model)"
    assert "no key" in reply.reason
    assert reply.cost_usd == 0
    assert "".join(pieces) == reply.text


def _plain(organisation: Organisation, profile: str, **values: Any) -> ModelRequest:
    messages = [{"role": "user", "content": "Hello there, how are you? I am well."}]
    return ModelRequest(organisation_id=organisation.pk, profile=profile, messages=messages, **values)


async def _profile(organisation: Organisation, name: str, **values: Any) -> None:
    await ModelProfile.objects.acreate(organisation=organisation, name=name, **values)
    router.forget()
