"""What follows from a failure, by a real host, with agents and a provider that fail in their own ways."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import pytest

from agents import services
from orchestration.models import NodeRun, Run, RunEvent
from orchestration.services import runs
from portal.core.actors import Actor
from portal.core.models import Organisation
from tests.agents import factories
from tests.driver.scripted import CALLS
from tests.driver.test_effects import late
from tests.driver.test_runs import scripted
from tests.engine_host import PATIENCE, EngineHost, event_types, make_definition, start, wait_until
from tests.host_apart import host_apart
from tests.provider import Provider

__all__ = ["late"]  # a fixture
pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # of pydantic, about litellm's own code
    # clients that litellm drops by itself when it has met an error
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

QUICK = {"max_attempts": 2, "backoff": "fixed", "initial_seconds": 0.02, "jitter": False}


@pytest.fixture
def provider(settings: Any, engine: EngineHost) -> Iterator[Provider]:
    """What the host's loop has opened is closed in it."""
    from agents.llm import library, router

    settings.OUTGOING_ALLOW = ["127.0.0.1"]
    with Provider() as running:
        yield running
        assert engine._loop
        asyncio.run_coroutine_threadsafe(library.close(), engine._loop).result(PATIENCE)
        router.forget()


def writer(organisation: Organisation, provider: Provider, slug: str, model: str) -> None:
    """An agent whose model answers as its name says (tests/provider.py)."""
    by = Actor.command()
    services.save_profile(
        organisation=organisation, name=slug, actor=by, model=f"openai/{model}", api_base=provider.base
    )
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
    node = {**scripted("a", fail_times=99), "retry": policy, "total_timeout_seconds": 1.5}
    run = engine.wait_for(start(organisation, make_definition([node])), "failed")
    assert run.error["code"] == "node_timeout"
    assert run.error["detail"]["code"] == "scripted", "the last attempt's error is kept"
    assert 2 <= NodeRun.objects.get(run=run).attempts <= 31


def test_an_attempt_is_cut_off_when_the_time_of_all_is_up(engine: EngineHost, organisation: Organisation) -> None:
    node = {**scripted("a", seconds=3600), "retry": QUICK, "total_timeout_seconds": 1.0}
    run = engine.wait_for(start(organisation, make_definition([node])), "failed")
    assert (run.error["code"], CALLS[f"{run.pk}/a"]) == ("node_timeout", 1)
    assert event_types(run)[-3:] == ["AttemptFailed a", "NodeFailed a", "RunFailed a"]


def test_every_step_of_recovery_is_in_the_history_in_its_order(engine: EngineHost, organisation: Organisation) -> None:
    """Tried again, another agent, a person, the error handler, undoing, the end: nothing happens that is not told."""
    factories.agent(organisation, "flaky", factories.python_draft("flaky"))
    factories.agent(organisation, "other", factories.python_draft("flaky"))
    settings = {"agent": "flaky", "inputs": {"fail_times": 99}, "alternatives": ["other"]}
    definition = make_definition(
        [
            {**scripted("paid"), "compensate_with": "unpay"},
            scripted("unpay"),
            {"id": "sent", "type": "agent", "settings": settings, "retry": QUICK, "escalate": {"role": "operator"}},
            {"id": "caught", "type": "error_handler", "settings": {"then": "fail"}},
            scripted("tidied"),
        ],
        ["paid -> sent", "caught -> tidied"],
    )
    run = start(organisation, definition)
    engine.wait_for_node(run, "sent", "waiting")
    runs.signal_node(run_id=run.pk, node="sent", by="ada", data={"action": "fail", "comment": "enough"})
    engine.wait_for(run, "failed")
    assert [event for event in event_types(run) if not event.startswith(("NodeStarted", "NodeSucceeded"))] == [
        "RunStarted",
        "AttemptFailed sent",
        "RetryScheduled sent",
        "AttemptFailed sent",
        "AlternativeChosen sent",
        "AttemptFailed sent",
        "RetryScheduled sent",
        "AttemptFailed sent",
        "NodeEscalated sent",
        "EscalationAnswered sent",
        "NodeFailed sent",
        "ErrorHandled caught",
        "CompensationStarted sent",
        "CompensationEnded",
        "RunFailed sent",
    ]
    ended = [event for event in event_types(run) if event.startswith("NodeSucceeded")]
    assert ended == ["NodeSucceeded paid", "NodeSucceeded caught", "NodeSucceeded tidied", "NodeSucceeded unpay"]


# Undoing


def booking(**last: Any) -> Any:
    """a and b can be undone; c fails."""
    said = {"said": "{{ undone.inputs.outputs.ticket }}/{{ undone.outputs.ticket }}/{{ inputs.who }}"}
    return make_definition(
        [
            {**scripted("a", outputs={"ticket": "A"}), "compensate_with": "undo_a"},
            {**scripted("b", outputs={"ticket": "B"}), "compensate_with": "undo_b"},
            scripted("c", **{"fail_times": 99, "retryable": False, **last}),
            scripted("undo_a", outputs=said),
            scripted("undo_b", outputs=said),
        ],
        ["a -> b", "b -> c"],
    )


def test_a_run_that_fails_undoes_what_it_has_done(engine: EngineHost, organisation: Organisation) -> None:
    run = engine.wait_for(start(organisation, booking(), {"who": "ann"}), "failed")
    assert event_types(run)[-8:] == [
        "NodeFailed c",
        "CompensationStarted c",
        "NodeStarted undo_b",
        "NodeSucceeded undo_b",
        "NodeStarted undo_a",
        "NodeSucceeded undo_a",
        "CompensationEnded",
        "RunFailed c",
    ]
    assert NodeRun.objects.get(run=run, node="undo_b").outputs == {"said": "B/B/ann"}
    assert run.error["code"] == "scripted" and run.error["message"] == "As scripted."
    assert [told["node"] for told in run.error["compensation"]["undone"]] == ["b", "a"]
    assert run.nodes_ended == run.nodes_total == 3


def test_iterations_that_have_ended_are_undone_with_their_items(engine: EngineHost, organisation: Organisation) -> None:
    inside = {"parent": "each", "compensate_with": "undo"}
    definition = make_definition(
        [
            {"id": "each", "type": "loop", "settings": {"items": "inputs.names"}},
            {**scripted("book", outputs={"for": "{{ loop.item }}"}), **inside},
            {
                **scripted("undo", outputs={"gone": "{{ loop.item }} {{ undone.outputs.for }} {{ loop.index }}"}),
                "parent": "each",
            },
            scripted("c", fail_times=9, retryable=False),
        ],
        ["each -> c"],
    )
    run = engine.wait_for(start(organisation, definition, {"names": ["x", "y"]}), "failed")
    undone = NodeRun.objects.filter(run=run, node="undo").order_by("started_at")
    assert [row.outputs["gone"] for row in undone] == ["y y 1", "x x 0"]


def test_a_cancel_undoes_if_asked(engine: EngineHost, organisation: Organisation) -> None:
    for undo, calls in ((False, 0), (True, 1)):
        run = start(organisation, booking(seconds=3600), {"who": "ann"})
        engine.wait_for_node(run, "c", "running")
        runs.cancel_run(run=run, actor=Actor.command(), undo=undo)
        engine.wait_for(run, "cancelled")
        assert CALLS[f"{run.pk}/undo_a"] == CALLS[f"{run.pk}/undo_b"] == calls


def test_what_was_undone_is_done_again_under_another_key(engine: EngineHost, organisation: Organisation) -> None:
    run = engine.wait_for(start(organisation, booking(fail_times=1), {"who": "ann"}), "failed")
    runs.retry_run(run=run, actor=Actor.command())
    wait_until(lambda: RunEvent.objects.filter(run=run, type="RunRetried").exists(), 10, "the retry")
    engine.wait_for(run, "failed")
    assert CALLS[f"{run.pk}/a"] == CALLS[f"{run.pk}/a/again-1"] == 1
    assert CALLS[f"{run.pk}/undo_a"] == CALLS[f"{run.pk}/undo_a/again-1"] == 1
    assert run.nodes_ended == run.nodes_total == 3


@pytest.mark.usefixtures("late")
def test_a_host_that_dies_in_the_middle_of_undoing_is_followed_by_one_that_goes_on(
    start_engine: Callable[..., EngineHost], organisation: Organisation
) -> None:
    """The first host, a process of its own, is killed while undo_b is at work."""
    definition = make_definition(
        [
            {"id": name, "type": "agent", "settings": {"agent": agent, "inputs": inputs}, **more}
            for name, agent, inputs, more in (
                ("a", "echo", {"n": 1}, {"compensate_with": "undo_a"}),
                ("b", "echo", {"n": 2}, {"compensate_with": "undo_b"}),
                ("c", "flaky", {"fail_times": 99, "retryable": False}, {}),
                ("undo_a", "echo", {"n": "{{ undone.outputs.n }}"}, {}),
                ("undo_b", "late", {"before": 3600, "calls": 0}, {}),
            )
        ],
        ["a -> b", "b -> c"],
    )
    for name in ("echo", "flaky"):
        factories.agent(organisation, name, factories.python_draft(name))
    with host_apart() as host:
        run = start(organisation, definition)
        wait_until(lambda: run.node_runs.filter(node="undo_b", status="running").exists(), 20, "the undoing of b")
        host.kill()
        run = start_engine().wait_for(run, "failed")
    types = event_types(run)
    assert types.count("CompensationStarted c") == 1 and "AttemptAbandoned undo_b" in types
    assert types.count("NodeSucceeded undo_b") == types.count("NodeSucceeded undo_a") == 1
    assert NodeRun.objects.get(run=run, node="undo_a").outputs == {"n": 1}
    assert [told["node"] for told in run.error["compensation"]["undone"]] == ["b", "a"]
