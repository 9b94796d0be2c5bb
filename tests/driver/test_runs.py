"""Runs from start to end, by a real host on a real database."""

import json
import logging
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection

from orchestration.driving.turn import MOST_EVENTS
from orchestration.models import NodeRun, Run, RunEvent, RunSignal
from orchestration.services import runs
from portal.core import redaction
from portal.core.actors import Actor
from portal.core.models import Organisation
from tests.driver.scripted import CALLS, OPEN, STARTED
from tests.engine_host import EngineHost, event_types, make_definition, start, wait_until

pytestmark = pytest.mark.django_db(transaction=True)


def scripted(id: str, **settings: Any) -> dict[str, Any]:
    own = {
        key: settings.pop(key) for key in ("retry", "timeout_seconds", "optional", "parent", "join") if key in settings
    }
    return {"id": id, "type": "scripted", "settings": settings, **own}


def statuses(run: Run) -> dict[str, str]:
    return {str(row): row.status for row in NodeRun.objects.filter(run=run)}


def test_a_chain_completes_and_yields_its_outputs(engine: EngineHost, organisation: Organisation) -> None:
    definition = make_definition(
        [
            {"id": "a", "type": "set", "settings": {"variables": {"greeting": "Hello {{ inputs.name }}"}}},
            {"id": "b", "type": "set", "settings": {"variables": {"greeting": "{{ a.outputs.greeting }}!"}}},
        ],
        ["a -> b"],
        outputs={"text": "{{ vars.greeting }}"},
    )
    run = engine.wait_for(start(organisation, definition, {"name": "Ada"}))
    assert run.outputs == {"text": "Hello Ada!"}
    assert run.nodes_ended == run.nodes_total == 2
    assert run.host_id is None and run.due_at is None and run.claims == 0
    assert event_types(run) == [
        "RunStarted",
        "NodeStarted a",
        "NodeSucceeded a",
        "NodeStarted b",
        "NodeSucceeded b",
        "RunCompleted",
    ]
    assert NodeRun.objects.get(run=run, node="b").inputs == {"variables": {"greeting": "Hello Ada!"}}


def test_branches_run_side_by_side_and_go_on_alone(engine: EngineHost, organisation: Organisation) -> None:
    definition = make_definition(
        [
            scripted("begin"),
            scripted("slow", gate="slow"),
            scripted("quick", outputs={"n": 1}),
            scripted("after_quick"),
            {"id": "end", "type": "join"},
        ],
        ["begin -> slow", "begin -> quick", "quick -> after_quick", "slow -> end", "after_quick -> end"],
        outputs={"all": "{{ end.outputs }}"},
    )
    run = start(organisation, definition)
    engine.wait_for_node(run, "after_quick")
    OPEN.add("slow")
    engine.wait_for(run)
    order = event_types(run)
    assert order.index("NodeSucceeded after_quick") < order.index("NodeSucceeded slow")
    assert run.outputs == {"all": {"slow": {}, "after_quick": {}}}


def test_a_condition_clears_the_path_it_does_not_take(engine: EngineHost, organisation: Organisation) -> None:
    definition = make_definition(
        [
            {"id": "big", "type": "condition", "settings": {"condition": "inputs.n > 10"}},
            scripted("yes"),
            scripted("no"),
            {"id": "end", "type": "join"},
        ],
        ["big:true -> yes", "big:false -> no", "yes -> end", "no -> end"],
    )
    run = engine.wait_for(start(organisation, definition, {"n": 11}))
    assert statuses(run) == {"big": "succeeded", "yes": "succeeded", "no": "skipped", "end": "succeeded"}


def test_an_expression_error_is_no_branch(engine: EngineHost, organisation: Organisation) -> None:
    definition = make_definition(
        [
            {"id": "big", "type": "condition", "settings": {"condition": "inputs.m > 10"}},
            scripted("yes"),
            scripted("no"),
        ],
        ["big:true -> yes", "big:false -> no"],
    )
    run = engine.wait_for(start(organisation, definition, {"n": 11}), "failed")
    assert run.error["code"] == "expression" and run.error["node"] == "big"
    assert "condition" in run.error["message"] and "inputs" in run.error["message"]


def test_a_loop_runs_its_body_for_each_item(engine: EngineHost, organisation: Organisation) -> None:
    definition = make_definition(
        [
            {
                "id": "each",
                "type": "loop",
                "settings": {
                    "items": "inputs.items",
                    "mode": "parallel",
                    "limit": 3,
                    "output": "{{ work.outputs.v }}",
                },
            },
            scripted("work", parent="each", seconds=0.01, outputs={"v": "{{ loop.item }}/{{ loop.index }}"}),
        ],
        outputs={"all": "{{ each.outputs.items }}"},
    )
    run = engine.wait_for(start(organisation, definition, {"items": list("abcdefgh")}))
    assert run.outputs == {"all": [f"{item}/{index}" for index, item in enumerate("abcdefgh")]}
    assert run.nodes_ended == run.nodes_total == 9
    assert set(CALLS.values()) == {1} and len(CALLS) == 8


def test_a_loop_of_a_thousand_quick_nodes_is_written_in_pieces(engine: EngineHost, organisation: Organisation) -> None:
    definition = make_definition(
        [
            {"id": "each", "type": "loop", "settings": {"items": "inputs.items", "output": "{{ note.outputs.n }}"}},
            {"id": "note", "type": "set", "parent": "each", "settings": {"variables": {"n": "{{ loop.item }}"}}},
        ],
        outputs={"all": "{{ each.outputs.items }}"},
        variables={"n": {"type": "integer"}},
    )
    run = engine.wait_for(start(organisation, definition, {"items": list(range(1000))}), seconds=60)
    assert run.outputs == {"all": list(range(1000))}
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM orchestration_runevent WHERE run_id = %s GROUP BY xmin::text", [run.pk])
        pieces = [size for (size,) in cursor.fetchall()]
    assert sum(pieces) > 4000 and max(pieces) <= 2 * MOST_EVENTS


def test_a_failed_attempt_is_retried_and_its_cost_is_kept(engine: EngineHost, organisation: Organisation) -> None:
    usage = {"cost_usd": 0.5, "input_tokens": 10, "output_tokens": 1, "model": "m", "agent": "a", "agent_version": 2}
    definition = make_definition(
        [scripted("a", fail_times=2, usage=usage, retry={"max_attempts": 3, "initial_seconds": 0.01})]
    )
    run = engine.wait_for(start(organisation, definition))
    row = NodeRun.objects.get(run=run)
    assert (row.attempts, row.agent, row.agent_version, row.model) == (3, "a", 2, "m")
    assert float(run.cost_usd) == float(row.cost_usd) == 1.5
    assert (run.input_tokens, run.output_tokens, row.input_tokens) == (30, 3, 30)
    assert list(CALLS.values()) == [3], "all attempts share one idempotency key"


def test_a_failure_that_nothing_handles_fails_the_run_and_retry_goes_on_from_there(
    engine: EngineHost, organisation: Organisation
) -> None:
    definition = make_definition(
        [scripted("a"), scripted("b", fail_times=1, retryable=False), scripted("c")], ["a -> b", "b -> c"]
    )
    run = engine.wait_for(start(organisation, definition), "failed")
    assert run.error["code"] == "scripted" and run.ended_at
    with pytest.raises(runs.RunStateConflict, match="failed and cannot be paused"):
        runs.pause_run(run=run, actor=Actor.command())
    runs.retry_run(run=run, actor=Actor.command())
    # the attempts are counted anew, so it fails as before
    wait_until(lambda: event_types(run).count("RunFailed b") == 2, 20, "the run to fail again")
    assert CALLS[f"{run.pk}/a"] == 1 and CALLS[f"{run.pk}/b"] == 2


def test_the_error_port_leads_on_and_tells_the_error(engine: EngineHost, organisation: Organisation) -> None:
    definition = make_definition(
        [
            scripted("a", fail_times=9, retryable=False),
            scripted("mend", outputs={"was": "{{ error.code }} in {{ error.node }}"}),
        ],
        ["a:error -> mend"],
        outputs={"was": "{{ mend.outputs.was }}"},
    )
    run = engine.wait_for(start(organisation, definition))
    assert run.outputs == {"was": "scripted in a"}


def test_a_timeout_stops_the_work(engine: EngineHost, organisation: Organisation) -> None:
    definition = make_definition([scripted("a", seconds=3600, timeout_seconds=0.1)])
    run = engine.wait_for(start(organisation, definition), "failed")
    assert run.error["code"] == "timeout"


@pytest.mark.parametrize(
    ("settings", "code", "words"),
    [
        ({"crash": "boom"}, "bug", "RuntimeError: boom"),
        ({"odd": "not json"}, "invalid_output", "not JSON"),
        ({"odd": "cancels itself"}, "bug", "CancelledError"),
    ],
)
def test_what_a_node_does_wrong_is_its_failure_and_not_the_hosts(
    engine: EngineHost, organisation: Organisation, settings: dict[str, Any], code: str, words: str
) -> None:
    logging.disable(logging.CRITICAL)
    try:
        run = engine.wait_for(start(organisation, make_definition([scripted("a", **settings)])), "failed")
    finally:
        logging.disable(logging.NOTSET)
    assert run.error["code"] == code and words in run.error["message"]
    assert engine.error is None


def test_text_that_postgresql_refuses_is_mended(engine: EngineHost, organisation: Organisation) -> None:
    definition = make_definition([scripted("a", odd="half text")], outputs={"text": "{{ a.outputs.text }}"})
    run = engine.wait_for(start(organisation, definition))
    assert run.outputs == {"text": "a\ufffdb \ufffd c"}


def test_a_waiting_run_holds_nothing_and_a_signal_wakes_it(engine: EngineHost, organisation: Organisation) -> None:
    run = engine.wait_for(
        start(organisation, make_definition([scripted("a", waits=True)], outputs={"a": "{{ a.outputs }}"})), "waiting"
    )
    assert run.host_id is None and run.due_at is None and run.lease_expires_at is None
    row = NodeRun.objects.get(run=run)
    assert row.status == "waiting" and row.waiting == {"reason": "approval", "until": None, "data": {"asks": "you"}}
    runs.signal_node(run_id=run.pk, node="a", by="ada", data={"yes": True})
    run = engine.wait_for(run)
    assert run.outputs == {"a": {"answer": {"yes": True}, "asked": {"asks": "you"}}}
    assert RunSignal.objects.get(run=run).applied_at
    assert {f"{run.pk}/a": 1} == CALLS


def test_a_second_answer_changes_nothing_and_is_kept(engine: EngineHost, organisation: Organisation) -> None:
    definition = make_definition([scripted("a", waits=True), scripted("b", gate="b")], ["a -> b"])
    run = engine.wait_for(start(organisation, definition), "waiting")
    for answer in ("first", "second"):
        runs.signal_node(run_id=run.pk, node="a", by="ada", data=answer)
    wait_until(lambda: not RunSignal.objects.filter(applied_at=None).exists(), 20, "both to be taken in")
    OPEN.add("b")
    run = engine.wait_for(run)
    assert NodeRun.objects.get(run=run, node="a").outputs["answer"] == "first"
    assert RunEvent.objects.get(run=run, type="SignalIgnored").data["data"]["data"] == "second"
    assert not RunSignal.objects.filter(applied_at=None).exists()


def test_a_delay_goes_on_when_its_time_has_come(engine: EngineHost, organisation: Organisation) -> None:
    definition = make_definition(
        [{"id": "wait", "type": "delay", "settings": {"seconds": "{{ inputs.seconds }}"}}, scripted("b")], ["wait -> b"]
    )
    long = engine.wait_for(start(organisation, definition, {"seconds": 86400}), "waiting")
    assert long.due_at and long.host_id is None, "nobody holds it meanwhile"
    run = engine.wait_for(start(organisation, definition, {"seconds": 1.6}))
    waited = NodeRun.objects.get(run=run, node="wait")
    assert waited.ended_at - waited.started_at >= timedelta(seconds=1.6)


def test_cancel_stops_what_is_at_work(engine: EngineHost, organisation: Organisation) -> None:
    definition = make_definition([scripted("a", seconds=3600), scripted("b")], ["a -> b"])
    run = start(organisation, definition)
    engine.wait_for_node(run, "a", "running")
    runs.cancel_run(run=run, actor=Actor.command(), reason="no need")
    run = engine.wait_for(run, "cancelled")
    assert statuses(run) == {"a": "cancelled"}
    wait_until(lambda: engine.call(lambda host: host.in_hand) == 0, 10, "the host to let it go")


def test_pause_lets_work_finish_and_begins_nothing(engine: EngineHost, organisation: Organisation) -> None:
    definition = make_definition([scripted("a", gate="a"), scripted("b")], ["a -> b"])
    run = start(organisation, definition)
    engine.wait_for_node(run, "a", "running")
    runs.pause_run(run=run, actor=Actor.command())
    engine.wait_for(run, "paused")
    OPEN.add("a")
    engine.wait_for_node(run, "a", "succeeded")
    assert "b" not in STARTED
    runs.resume_run(run=run, actor=Actor.command())
    engine.wait_for(run)


def test_secrets_do_not_reach_events(engine: EngineHost, organisation: Organisation) -> None:
    secret = "hunter2-very-secret"
    redaction.remember(organisation.pk, [secret])
    definition = make_definition(
        [scripted("a", outputs={"leak": f"it is {secret}"}), scripted("b", crash=secret)], ["a -> b"]
    )
    logging.disable(logging.CRITICAL)
    try:
        run = engine.wait_for(start(organisation, definition), "failed")
    finally:
        logging.disable(logging.NOTSET)
    kept = json.dumps([*RunEvent.objects.filter(run=run).values_list("data", flat=True), run.error])
    assert secret not in kept and "[redacted]" in kept


def test_settings_that_never_change_are_looked_through_again_when_a_secret_becomes_known(
    engine: EngineHost, organisation: Organisation
) -> None:
    secret = "hunter3-very-secret"
    definition = make_definition([scripted("a", outputs={"fixed": f"it is {secret}"})])

    def shown() -> str:
        run = engine.wait_for(start(organisation, definition))
        return json.dumps(list(RunEvent.objects.filter(run=run, type="NodeStarted").values_list("data", flat=True)))

    assert secret in shown()
    redaction.remember(organisation.pk, [secret])
    for _ in range(2):
        assert secret not in shown()


def test_hundreds_of_runs_side_by_side(start_engine: Callable[..., EngineHost], organisation: Organisation) -> None:
    definition = make_definition([scripted("a", seconds=0.2), scripted("b", seconds=0.2)], ["a -> b"])
    started = [start(organisation, definition) for _ in range(100)]
    engine = start_engine()
    for run in started:
        engine.wait_for(run)
    assert set(CALLS.values()) == {1} and len(CALLS) == 200
    assert engine.host and engine.host._writer.checkpoints > 2 * engine.host._writer.commits, "commits are shared"


def test_a_node_that_finds_the_database_away_is_not_blamed(engine: EngineHost, organisation: Organisation) -> None:
    definition = make_definition([{"id": "a", "type": "scripted", "settings": {"database_away": 2}}])
    run = engine.wait_for(start(organisation, definition))
    assert CALLS[f"{run.pk}/a"] == 3 and event_types(run).count("NodeStarted a") == 1
