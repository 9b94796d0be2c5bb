"""Features that work alone, together: each test joins some that nobody joins in an example."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connections

from approvals.models import ApprovalRequest, Decision
from approvals.services import decisions
from orchestration.models import BusEvent, Effect, EventSubscription, NodeRun, Run, RunEvent
from orchestration.queries.replay import replay
from orchestration.services import events, new_runs, rerun, runs
from orchestration.services.rerun import Wish
from orchestration.services.steering.steps import override_step
from orchestration.services.steering.versions import move_run
from portal.core.actors import Actor
from portal.core.models import Notification
from tests.agents.endpoint import serving
from tests.approvals.test_escalations import asked_by, decide
from tests.cast import Cast, make_cast
from tests.driver.scripted import STARTED
from tests.driver.test_runs import scripted
from tests.driver.test_steering import published as versions_of
from tests.engine_host import EngineHost, event_types, make_definition, start, wait_until
from tests.factories import make_member
from tests.nodes.test_subworkflow import begin, publish, sub, work
from tests.workflows.factories import edge, node

pytestmark = pytest.mark.django_db(transaction=True)
ADA = Actor(user=None, label="ada", channel="cli")


@pytest.fixture
def cast() -> Cast:
    return make_cast()


def loop(id: str, items: str, parent: str = "", **more: Any) -> dict[str, Any]:
    found = {"id": id, "type": "loop", "settings": {"items": items, **more}}
    return {**found, "parent": parent} if parent else found


def inside(parent: str, **more: Any) -> dict[str, Any]:
    return {**scripted(more.pop("id"), **more), "parent": parent}


def answer(run: Run, node: str, path: str = "", **said: Any) -> None:
    runs.signal_node(run_id=run.pk, node=node, path=path, by="ada", data=said)


def the_same_again(*all_runs: Run) -> None:
    for run in all_runs:
        found = replay(run)
        assert not found.differences and not found.unknown


def test_n_of_m_in_a_parallel_loop_cancels_its_losers_and_leaves_gaps(engine: EngineHost, organisation: Any) -> None:
    """In even iterations two of three answer and the third is stopped; in odd ones two fail, and the join with them."""
    settings = {"mode": "parallel", "limit": 6, "on_error": "gap", "output": "{{ size(both.outputs) }}"}
    odd = {"id": "odd", "type": "condition", "parent": "each", "settings": {"condition": "loop.item % 2 == 1"}}
    nodes = [
        loop("each", "range(6)", **settings),
        odd,
        inside("each", id="no1", crash="no"),
        inside("each", id="no2", crash="no"),
        inside("each", id="yes1"),
        inside("each", id="yes2"),
        inside("each", id="slow", seconds=3600),
        {
            "id": "either1", "type": "join", "parent": "each",
            "join": {"rule": "first_success"},
        },
        {
            "id": "either2", "type": "join", "parent": "each",
            "join": {"rule": "first_success"},
        },
        {
            "id": "both", "type": "join", "parent": "each",
            "join": {"rule": "n_of_m", "count": 2, "losers": "cancel"},
        },
    ]  # fmt: skip
    edges = [
        "odd:true -> no1", "odd:true -> no2", "odd:false -> yes1", "odd:false -> yes2", "odd:true -> slow",
        "odd:false -> slow", "no1 -> either1", "yes1 -> either1", "no2 -> either2", "yes2 -> either2",
        "either1 -> both", "either2 -> both", "slow -> both",
    ]  # fmt: skip
    run = engine.wait_for(start(organisation, make_definition(nodes, edges, settings={"max_parallel": 50})))
    outputs = NodeRun.objects.get(run=run, node="each").outputs
    assert outputs["items"] == [2, None, 2, None, 2, None] and outputs["count"] == 6
    assert {error["code"] for error in outputs["errors"]} == {"too_few_branches"}
    assert [error["index"] for error in outputs["errors"]] == [1, 3, 5]
    stopped = RunEvent.objects.filter(run=run, type="NodeCancelled", node="slow")
    assert {event.data["reason"] for event in stopped} == {"lost_join", "failed_join"} and len(stopped) == 6
    the_same_again(run)


def test_an_event_or_its_time_limit_in_a_while_loop(engine: EngineHost, cast: Cast) -> None:
    """It waits again and again: by its time limit, then by an event, then it is through."""
    nodes = [
        {"id": "until", "type": "loop", "settings": {"while": "!vars.paid", "max_iterations": 1000}},
        {"id": "wait", "type": "wait_event", "parent": "until",
         "settings": {"name": "order.paid", "key": "{{ inputs.order }}", "timeout": 0.05, "since": "run_start"}},
        {"id": "none", "type": "set", "parent": "until", "settings": {"variables": {"tries": "{{ vars.tries + 1 }}"}}},
        {"id": "paid", "type": "set", "parent": "until",
         "settings": {"variables": {"paid": "{{ wait.outputs.event.data.paid }}"}}},
    ]  # fmt: skip
    variables = {"paid": {"type": "boolean", "default": False}, "tries": {"type": "integer", "default": 0}}
    definition = make_definition(
        nodes,
        ["wait:timeout -> none", "wait -> paid"],
        variables=variables,
        outputs={"tries": "{{ vars.tries }}", "rounds": "{{ until.outputs.count }}"},
    )
    run = start(cast.organisation, definition, {"order": "7"})
    wait_until(lambda: "NodeSucceeded none[2]" in event_types(run), 20, "the third time limit")
    for key in ("8", "7"):
        events.publish(
            organisation=cast.organisation, name="order.paid", key=key, data={"paid": True}, actor=ADA, source="api"
        )
    engine.wait_for(run)
    assert run.outputs["tries"] >= 3 and run.outputs["rounds"] == run.outputs["tries"] + 1
    the_same_again(run)


def test_an_at_most_once_call_is_made_once_in_a_run_that_is_retried(
    engine: EngineHost, organisation: Any, settings: Any
) -> None:
    """It succeeded, and what stands behind it failed: the retry does not call again, a re-run from behind neither."""
    settings.OUTGOING_ALLOW = ["127.0.0.1"]
    with serving() as endpoint:
        endpoint.answer(200, {"receipt": "7"})
        pay = {"method": "POST", "url": endpoint.address}
        nodes = [
            {"id": "pay", "type": "http", "settings": pay, "delivery": "at_most_once"},
            scripted("book", crash="oh"),
        ]
        run = engine.wait_for(start(organisation, make_definition(nodes, ["pay -> book"])), "failed")
        for times in (2, 3):
            runs.retry_run(run=run, actor=ADA)
            wait_until(lambda times=times: event_types(run).count("RunFailed book") == times, 20, "the next failure")
        assert len(endpoint.asked) == 1
        made = rerun.rerun_from(run=run, wish=Wish(nodes=["book"]), actor=ADA)
        engine.wait_for(made, "failed")
    assert len(endpoint.asked) == 1 and Effect.objects.filter(kind="http").count() == 1


def test_an_at_most_once_call_without_a_clear_answer_is_not_made_again_by_a_retry_of_the_run(
    engine: EngineHost, organisation: Any, settings: Any, cast: Cast
) -> None:
    settings.OUTGOING_ALLOW = ["127.0.0.1"]
    with serving() as endpoint:
        endpoint.answer(500, {})
        pay = {"method": "POST", "url": endpoint.address}
        again = {"max_attempts": 3, "initial_seconds": 0, "jitter": False}
        nodes = [{"id": "pay", "type": "http", "settings": pay, "delivery": "at_most_once", "retry": again}]
        run = start(cast.organisation, make_definition(nodes))
        asked = asked_by(run)
        assert len(endpoint.asked) == 1
        decide(asked, cast.by_role["operator"], "fail")
        engine.wait_for(run, "failed")
        assert run.error["code"] == "outcome_unknown" and len(endpoint.asked) == 1
        endpoint.answer(200, {})
        runs.retry_run(run=run, actor=ADA)  # a person has seen the plan, which says that it may happen twice
        engine.wait_for(run)
    assert len(endpoint.asked) == 2
    assert len({asked.headers["Idempotency-Key"] for asked in endpoint.asked}) == 1


def test_a_waiting_step_of_one_iteration_is_overridden_beside_others(engine: EngineHost, cast: Cast) -> None:
    """And the event that comes for it afterwards wakes the others only."""
    each = loop("each", "range(3)", mode="parallel", limit=3, output="{{ wait.outputs.event.data.n }}")
    wait = {"id": "wait", "type": "wait_event", "parent": "each", "settings": {"name": "go"}}
    run = start(cast.organisation, make_definition([each, wait]))
    for index in range(3):
        engine.wait_for_node(run, "wait", "waiting", path=str(index))
    override_step(run=run, node="wait", path=(1,), outputs={"event": {"data": {"n": 100}}}, port="out", actor=ADA)
    engine.wait_for_node(run, "wait", "succeeded", path="1")
    wait_until(lambda: EventSubscription.objects.filter(run=run, settled=True).count() == 2, 10, "two to wait")
    events.publish(organisation=cast.organisation, name="go", data={"n": 7}, actor=ADA, source="api")
    engine.wait_for(run)
    assert NodeRun.objects.get(run=run, node="each").outputs["items"] == [7, 100, 7]
    the_same_again(run)


def test_a_run_moves_on_to_another_version_while_it_is_paused_in_a_loop(engine: EngineHost, organisation: Any) -> None:
    """What iterations have yielded stays; what begins from now on does what the newer version says."""
    each = loop("each", "range(4)", output="{{ then.outputs.n }}")
    ask = inside("each", id="ask", waits=True)
    old = make_definition([each, ask, inside("each", id="then", outputs={"n": "{{ loop.item }}"})], ["ask -> then"])
    new = make_definition(
        [each, ask, inside("each", id="then", outputs={"n": "{{ loop.item * 10 }}"}), scripted("after")],
        ["ask -> then", "each -> after"],
    )
    first, second = versions_of(organisation, old, new)
    run = new_runs.start_run(new_runs.NewRun(organisation=organisation, actor=ADA, version=first, inputs={}))
    for index in range(2):
        engine.wait_for_node(run, "ask", "waiting", path=str(index))
        answer(run, "ask", str(index))
    engine.wait_for_node(run, "ask", "waiting", path="2")
    runs.pause_run(run=run, actor=ADA)
    engine.wait_for(run, "paused")
    answer(run, "ask", "2")
    wait_until(lambda: "NodeSucceeded ask[2]" in event_types(run), 20, "the answer to be taken in")
    move_run(run=run, version=second, actor=ADA)
    wait_until(lambda: Run.objects.get(pk=run.pk).version_id == second.pk, 20, "the move")
    assert Run.objects.get(pk=run.pk).status == "paused", "it stays paused"
    runs.resume_run(run=run, actor=ADA)
    engine.wait_for_node(run, "ask", "waiting", path="3")
    answer(run, "ask", "3")
    engine.wait_for(run)
    assert NodeRun.objects.get(run=run, node="each").outputs["items"] == [0, 1, 20, 30]
    assert NodeRun.objects.get(run=run, node="after").status == "succeeded"
    the_same_again(run)


def test_an_escalation_that_many_answer_at_once_is_answered_once(engine: EngineHost, cast: Cast) -> None:
    failing = {**scripted("a", fail_times=1, retryable=False), "escalate": {"role": "operator"}}
    run = start(cast.organisation, make_definition([failing]))
    asked = asked_by(run)
    people = [cast.by_role["operator"], make_member(cast.organisation, "operator")]

    def attempt(number: int) -> str:
        try:
            option = ("retry", "fail")[number % 2]
            decide(asked, people[number % 2], option)
            return "won"
        except decisions.AlreadyClosed as error:
            return error.code
        finally:
            connections.close_all()

    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(attempt, range(8)))
    assert outcomes.count("won") == 1 and set(outcomes) == {"won", "already_decided"}
    engine.wait_for(run, "completed", "failed")
    (decision,) = Decision.objects.filter(request=asked)
    assert run.status == {"retry": "completed", "fail": "failed"}[decision.option]
    assert event_types(run).count("EscalationAnswered a") == 1


def test_a_step_that_a_person_lets_count_as_done_has_published_and_told_nothing(
    engine: EngineHost, organisation: Any
) -> None:
    asking = {"escalate": {"role": "operator"}}
    publish = {"id": "publish", "type": "publish_event", "settings": {"name": "no name"}, **asking}
    tell = {"id": "tell", "type": "notify", "settings": {"title": "Ready", "users": ["nobody"]}, **asking}
    run = start(organisation, make_definition([publish, tell]))
    for step, outputs in (("publish", {}), ("tell", {"sent": []})):
        engine.wait_for_node(run, step, "waiting")
        answer(run, step, action="skip", outputs=outputs)
    engine.wait_for(run)
    assert not BusEvent.objects.exists() and not Notification.objects.filter(title="Ready").exists()


def test_a_step_of_a_type_that_is_not_installed_any_more_fails_and_says_so(
    engine: EngineHost, organisation: Any
) -> None:
    run = engine.wait_for(start(organisation, make_definition([{"id": "a", "type": "uninstalled"}])), "failed")
    assert run.error["code"] == "unknown_type" and "'uninstalled'" in run.error["message"]


def test_a_question_that_is_withdrawn_in_the_commit_that_asks_it_is_not_left_open(
    engine: EngineHost, organisation: Any
) -> None:
    """Something else was stopped in that commit before it was asked."""
    nodes = [
        {"id": "quick", "type": "condition", "settings": {"condition": "true"}},
        {"id": "late", "type": "delay", "settings": {"seconds": 60}},
        {"id": "either", "type": "join", "join": {"rule": "any", "losers": "cancel"}},
        {"id": "asks", "type": "condition", "settings": {"condition": "'x'"}, "escalate": {"role": "operator"}},
        {"id": "fails", "type": "fail", "settings": {"message": "No."}},
    ]
    edges = ["quick:true -> either", "late -> either", "either -> asks", "either -> fails"]
    run = engine.wait_for(start(organisation, make_definition(nodes, edges)), "failed")
    told = [text for text in event_types(run) if text.endswith("asks") or text.startswith("NodeCancelled")]
    assert told[0] == "NodeCancelled late" and told[-2:] == ["NodeEscalated asks", "NodeCancelled asks"]
    assert [request.status for request in ApprovalRequest.objects.filter(run=run)] == ["withdrawn"]


def test_a_run_below_that_fails_in_one_iteration_is_handled_there(engine: EngineHost, organisation: Any) -> None:
    """A failed run below, an error handler in the body of the loop, and an optional step behind it."""
    fails = node("fails", "fail", settings={"message": "No {{ inputs.n }}.", "code": "no"})
    odd = node("odd", "condition", settings={"condition": "inputs.n == 1"})
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    publish(organisation, "child", odd, fails, inputs=schema, edges=[edge("odd", "fails", "true")])
    nodes = [
        loop("each", "range(3)", mode="parallel", limit=3, output="{{ 'why' in vars ? vars.why : '' }}"),
        {"id": "below", "type": "subworkflow", "parent": "each",
         "settings": {"workflow": "child", "inputs": {"n": "{{ loop.item }}"}}},
        {"id": "caught", "type": "error_handler", "parent": "each", "settings": {"then": "complete"}},
        {"id": "note", "type": "set", "parent": "each", "settings": {"variables": {"why": "{{ error.message }}"}}},
    ]  # fmt: skip
    parent = publish(
        organisation, "parent", *nodes, edges=[edge("caught", "note")],
        variables={"why": {"type": "string", "default": ""}}, outputs={"why": "{{ vars.why }}"},
    )  # fmt: skip
    run = engine.wait_for(begin(parent))
    assert "No 1." in run.outputs["why"]
    assert sorted(Run.objects.filter(parent=run).values_list("status", flat=True)) == [
        "completed", "completed", "failed",
    ]  # fmt: skip
    the_same_again(run)


def test_one_place_is_enough_for_loops_and_runs_below(engine: EngineHost, organisation: Any) -> None:
    """`max_parallel` 1 and three loops around a subworkflow: whoever waits takes no place from who could go on."""
    publish(organisation, "child", work("work", outputs={"n": 1}), outputs={"n": "{{ work.outputs.n }}"},
            settings={"max_parallel": 1})  # fmt: skip
    wide = {"mode": "parallel", "limit": 10}
    nodes = [
        loop("a", "range(3)", **wide, output="{{ b.outputs.items }}"),
        loop("b", "range(2)", "a", **wide, output="{{ c.outputs.items }}"),
        loop("c", "range(2)", "b", **wide, output="{{ below.outputs.n }}"),
        {"id": "below", "type": "subworkflow", "parent": "c", "settings": {"workflow": "child"}},
    ]
    parent = publish(
        organisation, "parent", *nodes, settings={"max_parallel": 1}, outputs={"n": "{{ a.outputs.items }}"}
    )
    run = engine.wait_for(begin(parent), "completed", "failed")
    assert run.outputs == {"n": [[[1, 1], [1, 1]]] * 3}


def test_a_run_hears_its_own_event_though_it_waits_only_afterwards(engine: EngineHost, cast: Cast) -> None:
    """Published in each iteration; waited for behind the loop, and in a branch beside it from the beginning."""
    nodes = [
        loop("each", "range(3)"),
        {"id": "tell", "type": "publish_event", "parent": "each",
         "settings": {"name": "done", "key": "{{ string(loop.item) }}", "data": {"n": "{{ loop.item }}"}}},
        {"id": "first", "type": "wait_event", "settings": {"name": "done", "since": "run_start"}},
        {"id": "behind", "type": "wait_event", "settings": {"name": "done", "key": "2", "since": "run_start"}},
    ]  # fmt: skip
    outputs = {"first": "{{ first.outputs.event.data.n }}", "behind": "{{ behind.outputs.event.data.n }}"}
    run = engine.wait_for(start(cast.organisation, make_definition(nodes, ["each -> behind"], outputs=outputs)))
    assert run.outputs == {"first": 0, "behind": 2}


def test_one_run_at_a_time_with_runs_below_of_a_workflow_that_also_runs_alone(
    engine: EngineHost, organisation: Any
) -> None:
    """Runs of subworkflow steps do not count towards the limit of their workflow: nobody waits for himself."""
    one = {"limits": {"runs": 1}}
    child = publish(organisation, "child", work(seconds=0.1), settings=one)
    parent = publish(organisation, "parent", sub(), sub("again"), edges=[edge("sub", "again")], settings=one)
    started = [begin(flow) for flow in (parent, child, parent, child)]
    for run in started:
        engine.wait_for(run)
    assert Run.objects.filter(parent__in=started, status="completed").count() == 4


def test_nobody_is_asked_any_more_in_runs_below_of_a_run_that_is_undone(engine: EngineHost, cast: Cast) -> None:
    from approvals.models import ApprovalRequest

    ask = node("ask", "approval", settings={"title": "May it?"})
    done = node("done", "scripted", compensate_with="un_done")
    publish(cast.organisation, "child", done, work("un_done"), ask, edges=[edge("done", "ask")])
    each = node("each", "loop", settings={"items": "range(3)", "mode": "parallel", "limit": 3})
    run = begin(publish(cast.organisation, "parent", each, sub(parent="each")))
    wait_until(lambda: ApprovalRequest.objects.filter(status="open").count() == 3, 20, "three to be asked")
    runs.cancel_run(run=run, actor=ADA, undo=True)
    engine.wait_for(run, "cancelled")
    assert set(ApprovalRequest.objects.values_list("status", flat=True)) == {"withdrawn"}
    assert STARTED.count("un_done") == 3
