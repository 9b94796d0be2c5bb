"""What follows from a failure, by a real host, with agents and a provider that fail in their own ways."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest

from agents import services
from orchestration.models import NodeRun, Run, RunEvent
from portal.core.actors import Actor
from portal.core.models import Organisation
from tests.agents import factories
from tests.driver.scripted import CALLS
from tests.driver.test_runs import scripted
from tests.engine_host import EngineHost, event_types, make_definition, start
from tests.provider import Provider

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # of pydantic, about litellm's own code
]

QUICK = {"max_attempts": 2, "backoff": "fixed", "initial_seconds": 0.02, "jitter": False}


@pytest.fixture
def provider(settings: Any, engine: EngineHost) -> Iterator[Provider]:
    """What the host's loop has opened is closed in it."""
    from agents.llm import gateway, router

    settings.OUTGOING_ALLOW = ["127.0.0.1"]
    with Provider() as running:
        yield running
        assert engine._loop
        asyncio.run_coroutine_threadsafe(gateway.close(), engine._loop).result(10)
        router.forget()


def writer(organisation: Organisation, provider: Provider, slug: str, model: str) -> None:
    """An agent whose model answers as its name says (tests/provider.py)."""
    by = Actor.command()
    services.save_profile(organisation=organisation, name=slug, by=by, model=f"openai/{model}", api_base=provider.base)
    factories.agent(organisation, slug, factories.llm_draft(config={"profile": slug}))


def asks(agent: str, **fields: Any) -> dict[str, Any]:
    more = fields.pop("settings", {})
    return {
        "id": "ask",
        "type": "agent",
        "settings": {"agent": agent, "inputs": {"document": "Facts."}, **more},
        **fields,
    }


def events(run: Run, kind: str) -> list[dict[str, Any]]:
    return list(RunEvent.objects.filter(run=run, type=kind).order_by("seq").values_list("data", flat=True))


def test_a_provider_that_is_busy_says_when_to_come_again(
    engine: EngineHost, organisation: Organisation, provider: Provider
) -> None:
    writer(organisation, provider, "busy", "rate-limited-ms")
    run = engine.wait_for(start(organisation, make_definition([asks("busy", retry=QUICK)])), "failed")
    assert len(provider.of("rate-limited-ms")) == 2
    (failed,) = RunEvent.objects.filter(run=run, type="AttemptFailed").order_by("seq")[:1]
    (again,) = events(run, "RetryScheduled")
    asked_for = failed.data["error"]["retry_after"]
    assert failed.data["error"]["code"] == "rate_limited" and asked_for > QUICK["initial_seconds"]  # type: ignore[operator]
    assert (datetime.fromisoformat(again["due"]) - failed.at).total_seconds() == pytest.approx(asked_for, abs=0.01)


def test_what_a_key_is_refused_for_is_not_tried_again(
    engine: EngineHost, organisation: Organisation, provider: Provider
) -> None:
    writer(organisation, provider, "locked", "key-in-error")
    run = engine.wait_for(start(organisation, make_definition([asks("locked", retry=QUICK)])), "failed")
    assert len(provider.of("key-in-error")) == 1
    assert run.error["code"] == "authentication"


def test_another_agent_takes_over_with_tries_of_its_own(
    engine: EngineHost, organisation: Organisation, provider: Provider
) -> None:
    writer(organisation, provider, "first", "error-500")
    writer(organisation, provider, "second", "key-in-error")
    writer(organisation, provider, "third", "ok")
    node = asks("first", retry=QUICK, settings={"alternatives": ["second", "third"]})
    run = engine.wait_for(start(organisation, make_definition([node])))
    assert [len(provider.of(model)) for model in ("error-500", "key-in-error", "ok")] == [2, 1, 1]
    assert [(event["index"], event["agent"]) for event in events(run, "AlternativeChosen")] == [
        (1, "second"),
        (2, "third"),
    ]
    assert events(run, "AlternativeChosen")[1]["error"]["code"] == "authentication"
    asked = NodeRun.objects.get(run=run, node="ask")
    assert (asked.agent, asked.attempts, asked.status) == ("third", 4, "succeeded")


def test_a_kind_of_error_that_is_not_worth_it_is_not_tried_again(
    engine: EngineHost, organisation: Organisation
) -> None:
    policy = {**QUICK, "not_on": ["hopeless"]}
    node = {**scripted("a", fail_times=9, code="hopeless"), "retry": policy}
    run = engine.wait_for(start(organisation, make_definition([node])), "failed")
    assert NodeRun.objects.get(run=run).attempts == 1


def test_all_attempts_together_have_their_time(engine: EngineHost, organisation: Organisation) -> None:
    policy = {"max_attempts": 50, "backoff": "fixed", "initial_seconds": 0.05, "jitter": False}
    node = {**scripted("a", fail_times=99), "retry": policy, "total_timeout_seconds": 0.5}
    run = engine.wait_for(start(organisation, make_definition([node])), "failed")
    assert run.error["code"] == "node_timeout"
    assert run.error["detail"]["code"] == "scripted", "the last attempt's error is kept"
    assert 2 <= NodeRun.objects.get(run=run).attempts <= 11


def test_an_attempt_is_cut_off_when_the_time_of_all_is_up(engine: EngineHost, organisation: Organisation) -> None:
    node = {**scripted("a", seconds=60), "retry": QUICK, "total_timeout_seconds": 0.3}
    run = engine.wait_for(start(organisation, make_definition([node])), "failed", seconds=5)
    assert (run.error["code"], CALLS[f"{run.pk}/a"]) == ("node_timeout", 1)
    assert event_types(run)[-3:] == ["AttemptFailed a", "NodeFailed a", "RunFailed a"]
