"""Outside calls are in the ledger before they are made and after; who has lost the run makes none."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from agents.services import AgentCard, VersionDraft, create_agent
from orchestration.models import Effect, Run, RunEvent
from orchestration.queries import effects as queries
from orchestration.services import runs
from orchestration.services.retrying import retry_plan
from orchestration.services.runs import RunStateConflict
from orchestration.services.steering import steps
from portal.core import effects, redaction
from portal.core.actors import Actor
from portal.core.models import Organisation
from tests.driver import scripted as scripted_type
from tests.driver.test_runs import scripted
from tests.effects import Sink, effect, make_agent
from tests.engine_host import EngineHost, event_types, make_definition, raw_connection, start, wait_until
from tests.host_apart import host_apart, register_agents

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def sink(settings: Any) -> Iterator[Sink]:
    settings.OUTGOING_ALLOW = ["127.0.0.1"]
    sink = Sink()
    yield sink
    sink.close()


@pytest.fixture
def late(organisation: Organisation) -> None:
    """The agent of tests/host_apart.py."""
    register_agents()
    create_agent(
        organisation=organisation,
        slug="late",
        card=AgentCard(name="Late"),
        draft=VersionDraft(
            kind="python",
            config={"callable": "late_call"},
            input_schema={"type": "object", "properties": {}},
            output_schema={"type": "object", "properties": {}},
        ),
        actor=Actor.command(),
    )


def late_node(sink: Sink, **inputs: Any) -> dict[str, Any]:
    settings = {"agent": "late", "inputs": {"address": sink.address, **inputs}}
    return {"id": "a", "type": "agent", "settings": settings, "delivery": "at_most_once"}


def ledger(run: Run) -> list[tuple[Any, ...]]:
    rows = Effect.objects.filter(run=run).order_by("lease_token", "serial")
    return [(row.attempt, row.number, row.idempotency_key.removeprefix(f"{run.pk}/"), row.outcome) for row in rows]


def test_a_call_is_written_down_before_it_is_made_and_after(
    engine: EngineHost, organisation: Organisation, sink: Sink
) -> None:
    make_agent(organisation, sink.address)
    run = start(organisation, make_definition([effect("a", 60)]))
    wait_until(lambda: sink.begun, 10, "the call")
    open_call = Effect.objects.get(run=run)
    assert (open_call.outcome, open_call.ended_at, open_call.attempt) == ("", None, 1)
    assert (open_call.kind, open_call.target) == ("http", f"POST {sink.address}")
    assert open_call.request["bytes"] and len(open_call.request["sha256"]) == 16
    assert sink.begun == {open_call.idempotency_key: 1}
    sink.go_on.set()
    engine.wait_for(run)
    (call,) = queries.calls(run)
    assert (call.outcome, call.response["status"], call.maybe_twice) == ("ok", 200, False)
    assert call.ended_at and call.ended_at > call.began_at


def test_a_step_without_outside_calls_pays_nothing(engine: EngineHost, organisation: Organisation) -> None:
    definition = make_definition([{"id": "a", "type": "scripted", "settings": {"seconds": 0.05}}])
    writer = engine.call(lambda host: host._writer)
    before = writer.commits
    engine.wait_for(start(organisation, definition))
    wait_until(lambda: engine.call(lambda host: not len(host._hands)), 10, "the run to be out of hand")
    assert writer.commits - before == 2, "begun; ended, with the end of the run"
    assert not Effect.objects.exists()


@pytest.mark.usefixtures("late")
def test_the_calls_of_one_attempt_are_numbered_and_ends_are_written_while_it_goes_on(
    engine: EngineHost, organisation: Organisation, sink: Sink
) -> None:
    run = start(organisation, make_definition([late_node(sink, calls=3, after=3600)]))
    wait_until(lambda: [row[-1] for row in ledger(run)] == ["ok"] * 3, 10, "three calls that have ended")
    assert [row[1:3] for row in ledger(run)] == [(1, "a"), (2, "a#2"), (3, "a#3")]
    runs.cancel_run(run=run, actor=Actor.command())
    engine.wait_for(run, "cancelled")


def asked_about(run: Run) -> Any:
    """The error about which a person is asked."""
    return RunEvent.objects.get(run=run, type="NodeEscalated").data["error"]


def test_what_was_refused_failed_and_what_got_no_answer_is_unknown(
    engine: EngineHost, organisation: Organisation, sink: Sink
) -> None:
    make_agent(organisation, sink.address)
    nodes = [effect("slow", 600, timeout_seconds=3, delivery="at_most_once", retry={"max_attempts": 3})]
    run = engine.wait_for(start(organisation, make_definition(nodes)), "waiting")
    error = asked_about(run)
    assert error["code"] == "outcome_unknown" and error["detail"]["cause"]["code"] == "timeout"
    assert ledger(run) == [(1, 1, "slow", "unknown")] and sink.repeated() == {}
    sink.close()
    refused = [effect("gone", retry={"max_attempts": 2, "initial_seconds": 0.05}, delivery="at_most_once")]
    run = engine.wait_for(start(organisation, make_definition(refused)), "failed")
    assert run.error["code"] == "unreachable", "nothing was sent, so another try was safe"
    assert [row[-1] for row in ledger(run)] == ["failed", "failed"]


@pytest.mark.parametrize("wish", ["cancel", "skip"])
def test_a_call_that_a_person_breaks_off_is_unknown(
    engine: EngineHost, organisation: Organisation, sink: Sink, wish: str
) -> None:
    make_agent(organisation, sink.address)
    run = start(organisation, make_definition([effect("a", 600)]))
    wait_until(lambda: sink.begun, 10, "the call")
    if wish == "cancel":
        runs.cancel_run(run=run, actor=Actor.command())
    else:
        steps.skip_step(run=run, node="a", actor=Actor.command())
    engine.wait_for(run, "cancelled" if wish == "cancel" else "completed")
    assert [row[-1] for row in ledger(run)] == ["unknown"]


# -- a host that dies -------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("late")
def test_at_most_once_killed_before_its_call_is_begun_again(
    start_engine: Any, organisation: Organisation, sink: Sink
) -> None:
    with host_apart() as host:
        run = start(organisation, make_definition([late_node(sink, before=3600)]))
        wait_until(lambda: run.node_runs.filter(status="running").exists(), 20, "the attempt")
        host.kill()
        start_engine().wait_for(run)
    assert sum(sink.begun.values()) == 1, "the ledger shows that the first attempt had done nothing"
    assert ledger(run) == [(2, 1, "a", "ok")]
    assert RunEvent.objects.get(run=run, type="AttemptAbandoned").data["acted"] == ""


@pytest.mark.usefixtures("late")
def test_at_most_once_killed_during_its_call_is_not_begun_again(
    start_engine: Any, organisation: Organisation, sink: Sink
) -> None:
    with host_apart() as host:
        run = start(organisation, make_definition([late_node(sink, seconds=600)]))
        wait_until(lambda: sink.begun, 20, "the call")
        host.kill()
        start_engine().wait_for(run, "waiting")
    assert asked_about(run)["code"] == "outcome_unknown"
    assert sum(sink.begun.values()) == 1
    assert ledger(run) == [(1, 1, "a", "unknown")]


@pytest.mark.usefixtures("late")
def test_at_most_once_killed_after_its_call_is_not_begun_again(
    start_engine: Any, organisation: Organisation, sink: Sink
) -> None:
    with host_apart() as host:
        run = start(organisation, make_definition([late_node(sink, after=3600)]))
        wait_until(lambda: ledger(run) and ledger(run)[0][-1] == "ok", 20, "the call to end")
        host.kill()
        start_engine().wait_for(run, "waiting")
    assert asked_about(run)["code"] == "outcome_unknown" and sum(sink.begun.values()) == 1
    assert ledger(run) == [(1, 1, "a", "ok")], "how the call ended had been written down by itself"


def test_at_least_once_is_repeated_under_the_same_key_and_marked(
    start_engine: Any, organisation: Organisation, sink: Sink
) -> None:
    make_agent(organisation, sink.address)
    with host_apart() as host:
        run = start(organisation, make_definition([effect("a", 600)]))
        wait_until(lambda: sink.begun, 20, "the call")
        host.kill()
        sink.go_on.set()
        start_engine().wait_for(run)
    assert sink.repeated() == {f"{run.pk}/a": 1}
    assert ledger(run) == [(1, 1, "a", "unknown"), (2, 1, "a", "ok")]
    assert [call.maybe_twice for call in queries.calls(run)] == [True, True]


@pytest.mark.usefixtures("late")
def test_a_zombie_makes_no_call(start_engine: Any, organisation: Organisation, sink: Sink) -> None:
    """It stands still past its lease, before its call; when it goes on, the run is in other hands."""
    with host_apart() as zombie:
        run = start(organisation, make_definition([late_node(sink, before=4.0)]))
        wait_until(lambda: run.node_runs.filter(status="running").exists(), 20, "the attempt")
        zombie.stand_still()
        with raw_connection() as connection:
            connection.execute("UPDATE orchestration_run SET lease_expires_at = now() - interval '1 second'")
        heir = start_engine()
        heir.wait_for(run)
        assert ledger(run) == [(2, 1, "a", "ok")]
        token = Effect.objects.get(run=run).lease_token
        zombie.go_on()
        with raw_connection() as connection:
            wait_until(lambda: _beats_again(connection, zombie.pid), 15, "the zombie to be alive")
        threading.Event().wait(2.0)  # its time to compute is long over, it would call at once
    assert sum(sink.begun.values()) == 1
    assert list(Effect.objects.filter(run=run).values_list("lease_token", flat=True)) == [token]


def _beats_again(connection: Any, pid: int) -> bool:
    statement = (
        "SELECT heartbeat_at > clock_timestamp() - interval '1 second' OR ended_at IS NOT NULL"
        " FROM orchestration_enginehost WHERE pid = %s ORDER BY id DESC LIMIT 1"
    )
    return bool(connection.execute(statement, [pid]).fetchone()[0])


# -- from threads, and what is kept -----------------------------------------------------------------------------------


class Noting(scripted_type.Scripted):
    """Makes a call from a thread, as agents that are plain functions do."""

    kind = "noting"

    async def execute(self, ctx: Any) -> Any:
        await asyncio.to_thread(self._work)
        return scripted_type.Done(outputs={})

    def _work(self) -> None:
        secret = {"token": "sk-abcdefghijklmnopqrstuvwx", "text": "x" * 5000, "header": "Bearer abcdefgh12345678901"}
        with effects.outside(kind="mail", target="someone@example.org", request=secret) as call:
            call.outcome({"id": 7}, cost_usd=0.25)


def test_from_a_thread_and_without_secrets(engine: EngineHost, organisation: Organisation) -> None:
    scripted_type.base.register(Noting)
    try:
        run = engine.wait_for(start(organisation, make_definition([{"id": "a", "type": "noting"}])))
    finally:
        scripted_type.base._TYPES.pop("noting")
    (call,) = queries.calls(run)
    assert (call.kind, call.outcome, call.response, call.cost_usd) == ("mail", "ok", {"id": 7}, 0.25)
    assert call.idempotency_key == f"{run.pk}/a"
    assert "sk-abc" not in str(call.request) and "12345678901" not in str(call.request)
    assert redaction.HIDDEN in call.request["header"] and len(call.request["text"]) == 300


def test_without_a_recorder_nothing_is_recorded_and_the_body_runs() -> None:
    with effects.outside(kind="http", target="x") as call:
        call.outcome({"a": 1})
    assert call.ended is effects.Outcome.OK and not Effect.objects.exists()


def test_what_would_be_reused_and_what_would_happen_again(
    engine: EngineHost, organisation: Organisation, sink: Sink
) -> None:
    make_agent(organisation, sink.address)
    nodes = [effect("a", 0), {"id": "b", "type": "fail", "settings": {"message": "no"}}]
    run = engine.wait_for(start(organisation, make_definition(nodes, ["a -> b"])), "failed")
    facts = [queries.NodeRunFact(*row) for row in run.node_runs.order_by("node").values_list("node", "path", "status")]
    plan = queries.consequences(facts, queries.calls(run), lambda fact: fact.status == "failed")
    assert [one.node for one in plan.reused] == ["a"]
    assert [(one.node, one.calls) for one in plan.again] == [("b", ())]
    all_of_it = queries.consequences(facts, queries.calls(run), lambda fact: True)
    assert [(one.node, [call.target for call in one.calls]) for one in all_of_it.again] == [
        ("a", [f"POST {sink.address}"]),
        ("b", []),
    ]
    assert "NodeFailed b" in event_types(run)


def test_a_retry_says_before_what_it_reuses_and_what_happens_again(
    engine: EngineHost, organisation: Organisation, sink: Sink
) -> None:
    make_agent(organisation, sink.address)
    booked = {**scripted("booked"), "compensate_with": "unbook"}
    nodes = [scripted("first"), effect("call", 600, timeout_seconds=3), booked, scripted("unbook"), scripted("last")]
    run = start(organisation, make_definition(nodes, ["first -> call", "call -> last"]))
    with pytest.raises(RunStateConflict):
        retry_plan(run)
    engine.wait_for(run, "failed")
    plan = retry_plan(run)
    assert [step.node for step in plan.reused] == ["first"]
    assert [(step.node, step.before, step.undone) for step in plan.again] == [
        ("call", "failed", False),
        ("booked", "succeeded", True),
    ]
    assert {call.target for step in plan.outside for call in step.calls} == {f"POST {sink.address}"}
    assert run.signals.count() == 0
