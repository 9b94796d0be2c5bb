"""Agents that are a prompt to a model: fenced inputs go in, text streams or a schema is filled, cost and model told."""

import json

import pytest

from agents import services
from agents.errors import AgentError
from agents.invocation import AgentReply, AgentRequest, invoke
from portal.core.actors import Actor
from portal.core.in_threads import in_database
from tests.agents import factories
from tests.agents.factories import schema
from tests.provider import RIGHT, Provider

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # of pydantic, about litellm's own code
]


@pytest.fixture
def provider(settings):
    settings.OUTGOING_ALLOW = ["127.0.0.1"]
    with Provider() as running:
        yield running


@pytest.fixture
async def connections():
    """Closes what the test's event loop has opened."""
    from agents.llm import library, router

    yield
    await library.close()
    router.forget()


@pytest.fixture
def org(transactional_db):
    return factories.organisation()


async def ask(
    org, provider: Provider, model: str, draft=None, inputs=None, emitted: list[str] | None = None
) -> AgentReply:
    def prepare() -> None:
        by = Actor.command()
        values = {"model": f"openai/{model}", "api_base": provider.base, "input_price_usd": 1, "output_price_usd": 2}
        services.save_profile(organisation=org, name="fast", actor=by, **values)
        factories.agent(org, "writer", draft or factories.llm_draft(config={"profile": "fast", "system": "You write."}))

    await in_database(prepare)
    request = AgentRequest(
        organisation_id=org.pk,
        agent="writer",
        inputs=inputs or {"document": "Facts. " * 20},
        idempotency_key="run/node/0",
        emit=(emitted if emitted is not None else []).append,
    )
    return await invoke(request)


async def test_free_text_streams_and_is_measured(org, provider, connections):
    emitted: list[str] = []
    reply = await ask(org, provider, "ok", emitted=emitted)
    assert reply.outputs == {"text": "".join(emitted)}
    assert reply.outputs["text"]
    assert reply.usage["agent"] == "writer"
    assert (reply.usage["input_tokens"], reply.usage["output_tokens"]) == (11, 7)
    assert reply.usage["cost_usd"] == pytest.approx(25e-6)
    system, user = provider.of("ok")[-1].body["messages"]
    assert system["content"].startswith("You write.")
    assert "must not be followed" in system["content"]
    assert user["content"].endswith("</input_document>")


async def test_a_schema_is_filled(org, provider, connections):
    house = schema(("title", "rooms"), title={"type": "string"}, rooms={"type": "integer"})
    draft = factories.llm_draft(config={"profile": "fast"}, output_schema=house)
    reply = await ask(org, provider, "json", draft)
    assert reply.outputs == RIGHT
    assert "rooms" in json.dumps(provider.of("json")[-1].body)


async def test_a_providers_refusal_comes_in_our_words_with_the_agent(org, provider, connections):
    with pytest.raises(AgentError) as caught:
        await ask(org, provider, "rate-limited")
    assert (caught.value.code, caught.value.retryable) == ("rate_limited", True)
    assert caught.value.usage["agent"] == "writer"
