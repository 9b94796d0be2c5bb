"""What people complain of about engines of workflows, each as a test of this one.

Told elsewhere in this suite: joins that take one branch (test_joins.py), loops that end early (test_loops.py), a stop
that does not stop (test_cancelling.py), resuming that repeats effects (test_effects.py), runs that nobody goes on with
(test_hosts.py), retries and re-runs from any step (test_steering.py), no path round a decision (test_steering.py).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db.models import Sum
from django.db.models.functions import Now

from orchestration.api import sse
from orchestration.models import Definition, NodeRun, Run, RunEvent, RunSignal, Workflow
from orchestration.queries.replay import replay
from orchestration.services import runs
from orchestration.services.steering.steps import skip_step
from orchestration.store.posting import ENDED
from portal.core.actors import Actor
from portal.core.models import Organisation
from tests.agents import factories
from tests.driver.scripted import CALLS, STARTED, STOPPED
from tests.driver.test_runs import scripted, statuses
from tests.driver.test_steering import published
from tests.engine_host import EngineHost, event_types, make_definition, start, wait_until
from tests.host_apart import host_apart
from tests.nodes.test_subworkflow import begin, child_of, publish, sub, work

pytestmark = pytest.mark.django_db(transaction=True)
ADA = Actor(user=None, label="ada", channel="cli")


def answer(run: Run, node: str, path: str = "", **said: Any) -> None:
    runs.signal_node(run_id=run.pk, node=node, path=path, by="ada", data=said)


def calls_of(run: Run, node: str) -> int:
    return sum(times for key, times in CALLS.items() if key.startswith(f"{run.pk}/{node}"))


# Runs that stay "running"


@pytest.mark.parametrize("how", ["completed", "failed", "cancelled", "out of time at work", "out of time waiting"])
def test_a_run_that_is_over_says_so_everywhere(engine: EngineHost, organisation: Organisation, how: str) -> None:
    """Status, end date, no host, nothing due, and no step that is still said to run or wait."""
    settings = {"timeout_seconds": 0.3} if how.startswith("out of time") else {}
    last = {
        "completed": scripted("last"),
        "failed": scripted("last", crash="oh"),
        "cancelled": scripted("last", seconds=3600),
        "out of time at work": scripted("last", seconds=3600),
        "out of time waiting": scripted("last", waits=True),
    }[how]
    nodes = [
        {"id": "each", "type": "loop", "settings": {"items": "[1, 2]", "mode": "parallel", "limit": 2}},
        {**last, "parent": "each"},
    ]
    run = start(organisation, make_definition(nodes, settings=settings))
    if how == "cancelled":
        engine.wait_for_node(run, "last", "running", path="1")
        runs.cancel_run(run=run, actor=ADA)
    engine.wait_for(run, *ENDED)
    assert run.status == {"completed": "completed", "cancelled": "cancelled"}.get(how, "failed")
    wait_until(lambda: Run.objects.get(pk=run.pk).host_id is None, 10, "the host to let go")
    run.refresh_from_db()
    assert run.ended_at and run.ended_at >= run.started_at and run.due_at is None
    assert not NodeRun.objects.filter(run=run, status__in=["running", "waiting", "retrying"]).exists()
    assert not RunSignal.objects.filter(run=run, applied_at=None).exists()


def test_a_steps_time_out_ends_the_run_and_not_only_the_step(engine: EngineHost, organisation: Organisation) -> None:
    run = start(organisation, make_definition([scripted("slow", seconds=3600, timeout_seconds=0.2)]))
    engine.wait_for(run, "failed")
    assert run.error["code"] == "timeout" and statuses(run) == {"slow": "failed"}


def test_what_is_stopped_works_no_longer(engine: EngineHost, organisation: Organisation) -> None:
    """Not only by its row: the work itself is told to stop, whoever stops it."""

    def work(id: str, **more: Any) -> dict[str, Any]:
        return scripted(id, seconds=600, **more)

    def begun(*nodes: dict[str, Any], edges: Sequence[str] = ()) -> Run:
        return start(organisation, make_definition(nodes, edges))

    of_run, of_step, of_time = begun(work("run")), begun(work("step")), begun(work("time", timeout_seconds=0.2))
    of_loop = begun(
        {"id": "each", "type": "loop", "settings": {"items": "range(1)"}}, {**work("loop"), "parent": "each"}
    )
    first = {"id": "first", "type": "join", "join": {"rule": "any", "losers": "cancel"}}
    of_join = begun(work("join"), scripted("quick", waits=True), first, edges=["join -> first", "quick -> first"])
    names = {"run", "step", "time", "loop", "join"}
    wait_until(lambda: names <= set(STARTED), 10, "all of it to work")
    engine.wait_for_node(of_join, "quick", "waiting")
    runs.cancel_run(run=of_run, actor=ADA)
    skip_step(run=of_step, node="step", actor=ADA, reason="it takes too long")
    skip_step(run=of_loop, node="each", actor=ADA, reason="it takes too long")
    answer(of_join, "quick")
    for run in (of_run, of_step, of_time, of_loop, of_join):
        engine.wait_for(run, *ENDED)
    wait_until(lambda: set(STOPPED) == names, 10, lambda: f"all of it to stop; told were {STOPPED}")


def test_an_end_is_never_overwritten_by_what_comes_late(
    start_engine: Callable[..., EngineHost], organisation: Organisation
) -> None:
    """Bells, a lease of a host long gone, another host: a run that has completed is not found to have crashed."""
    engine = start_engine()
    run = start(organisation, make_definition([scripted("a", outputs={"n": 1})], outputs={"n": "{{ a.outputs.n }}"}))
    engine.wait_for(run)
    wait_until(lambda: Run.objects.get(pk=run.pk).host_id is None, 10, "the host to let go")
    before = Run.objects.values().get(pk=run.pk)
    engine.stop()
    Run.objects.filter(pk=run.pk).update(due_at=Now() - timedelta(hours=1), lease_expires_at=Now() - timedelta(hours=1))
    start_engine()
    wait_until(lambda: Run.objects.get(pk=run.pk).due_at is None, 10, "somebody to look at it")
    after = Run.objects.values().get(pk=run.pk)
    kept = ("status", "outputs", "error", "last_seq", "ended_at", "nodes_ended")
    assert {name: after[name] for name in kept} == {name: before[name] for name in kept}
    with pytest.raises(runs.RunStateConflict):
        answer(run, "a")


# Retries that do not know what they retry


def test_a_retry_finds_the_steps_the_run_began_with(engine: EngineHost, organisation: Organisation) -> None:
    """The workflow has been published without the failed step meanwhile."""
    first = make_definition([scripted("a"), scripted("b", crash="oh"), scripted("c")], ["a -> b", "b -> c"])
    second = make_definition([scripted("a"), scripted("c")], ["a -> c"])
    version, _ = published(organisation, first, second)
    run = start(organisation, first, version=version)
    engine.wait_for(run, "failed")
    runs.retry_run(run=run, actor=ADA)
    wait_until(lambda: RunEvent.objects.filter(run=run, type="NodeFailed").count() == 2, 10, "the second failure")
    engine.wait_for(run, "failed")
    assert statuses(run) == {"a": "succeeded", "b": "failed"} and calls_of(run, "a") == 1
    assert run.version.number == 1


def test_a_run_that_waits_ends_on_the_version_it_began_with(
    start_engine: Callable[..., EngineHost], organisation: Organisation
) -> None:
    """Another is published while it waits, and another host goes on with it."""

    def asks_and_says(number: int) -> Definition:
        nodes = [scripted("ask", waits=True), scripted("say", outputs={"version": number})]
        return make_definition(nodes, ["ask -> say"], outputs={"version": "{{ say.outputs.version }}"})

    version, newer = published(organisation, asks_and_says(1), asks_and_says(2))
    Workflow.objects.filter(pk=version.workflow_id).update(published=version)
    first = start_engine()
    run = start(organisation, version.definition, version=version)
    first.wait_for(run, "waiting")
    Workflow.objects.filter(pk=version.workflow_id).update(published=newer)
    first.stop()
    engine = start_engine()
    answer(run, "ask")
    assert engine.wait_for(run).outputs == {"version": 1} and run.version == version


# Branches that are none


def test_waits_side_by_side_do_not_add_up(engine: EngineHost, organisation: Organisation) -> None:
    week = {"seconds": 7 * 24 * 3600}
    nodes = [{"id": name, "type": "delay", "settings": week} for name in ("left", "right")]
    run = start(organisation, make_definition([*nodes, scripted("after")], ["left -> after", "right -> after"]))
    engine.wait_for(run, "waiting")
    assert statuses(run) == {"left": "waiting", "right": "waiting"}
    waits = [RunEvent.objects.get(run=run, type="NodeWaiting", node=name).data["until"] for name in ("left", "right")]
    left, right = map(datetime.fromisoformat, waits)
    assert abs(left - right) < timedelta(hours=1)


def test_a_person_who_is_asked_in_one_branch_holds_up_no_other(engine: EngineHost, organisation: Organisation) -> None:
    nodes = [scripted("ask", waits=True), *(scripted(name, outputs={"of": name}) for name in ("b1", "b2", "after"))]
    run = start(organisation, make_definition(nodes, ["b1 -> b2", "ask -> after", "b2 -> after"]))
    engine.wait_for(run, "waiting")
    assert statuses(run) == {"ask": "waiting", "b1": "succeeded", "b2": "succeeded"}
    answer(run, "ask", ok=True)
    engine.wait_for(run)
    assert set(statuses(run).values()) == {"succeeded"} and calls_of(run, "b") == 2


def test_one_item_that_fails_leaves_the_others_and_is_told(engine: EngineHost, organisation: Organisation) -> None:
    settings = {
        "items": "{{ [1, 2, 3] }}",
        "mode": "parallel",
        "limit": 3,
        "on_error": "gap",
        "output": "{{ loop.item }}",
    }
    nodes = [
        {"id": "each", "type": "loop", "settings": settings},
        {"id": "odd", "type": "condition", "parent": "each", "settings": {"condition": "loop.item == 2"}},
        {"id": "no", "type": "fail", "parent": "each", "settings": {"message": "Not this one.", "code": "two"}},
        {**scripted("yes"), "parent": "each"},
        scripted("after", outputs={"got": "{{ each.outputs }}"}),
    ]
    definition = make_definition(nodes, ["odd:true -> no", "odd:false -> yes", "each -> after"])
    run = start(organisation, definition)
    engine.wait_for(run)
    got = NodeRun.objects.get(run=run, node="after").outputs["got"]
    assert (got["items"], got["count"]) == ([1, None, 3], 3)
    assert [(error["index"], error["node"], error["code"]) for error in got["errors"]] == [(1, "no", "two")]


def test_a_parallel_loop_reads_all_that_the_one_before_gave(engine: EngineHost, organisation: Organisation) -> None:
    def loop(id: str, items: str, output: str) -> dict[str, Any]:
        return {
            "id": id,
            "type": "loop",
            "settings": {"items": items, "mode": "parallel", "limit": 5, "output": output},
        }

    nodes = [
        loop("first", "range(5)", "{{ work.outputs.n }}"),
        {**scripted("work", outputs={"n": "{{ loop.item * 10 }}"}), "parent": "first"},
        loop("second", "first.outputs.items", "{{ again.outputs.n }}"),
        {**scripted("again", outputs={"n": "{{ loop.item + 1 }}"}), "parent": "second"},
    ]
    definition = make_definition(nodes, ["first -> second"], outputs={"got": "{{ second.outputs.items }}"})
    run = start(organisation, definition)
    engine.wait_for(run)
    assert run.outputs == {"got": [1, 11, 21, 31, 41]}


def test_what_steps_side_by_side_cost_is_counted_once(engine: EngineHost, organisation: Organisation) -> None:
    """Also of those that were tried again, and the run's row says the sum of its steps'."""
    usage = {"cost_usd": 0.25, "input_tokens": 10, "output_tokens": 3}
    each = {"id": "each", "type": "loop", "settings": {"items": "range(5)", "mode": "parallel", "limit": 5}}
    again = {"max_attempts": 2, "initial_seconds": 0.01}
    work = {**scripted("work", usage=usage, fail_times=1, retry=again), "parent": "each"}
    run = engine.wait_for(start(organisation, make_definition([each, work, scripted("beside", usage=usage)])))
    assert (float(run.cost_usd), run.input_tokens, run.output_tokens) == (2.75, 110, 33)
    of_steps = NodeRun.objects.filter(run=run).aggregate(Sum("cost_usd"), Sum("input_tokens"), Sum("output_tokens"))
    assert [float(total) for total in of_steps.values()] == [2.75, 110, 33]


# Answers that get lost, go elsewhere, or make things happen twice


def test_an_answer_in_the_moment_of_the_question_counts_once(engine: EngineHost, organisation: Organisation) -> None:
    definition = make_definition([scripted("ask", waits=True)], outputs={"said": "{{ ask.outputs.answer.n }}"})
    begun = [start(organisation, definition) for _ in range(20)]
    open_ones = dict(enumerate(begun))

    def answered() -> bool:
        asked = NodeRun.objects.filter(run__in=open_ones.values(), status="waiting").values_list("run", flat=True)
        for number, run in list(open_ones.items()):
            if run.pk in set(asked):
                answer(open_ones.pop(number), "ask", n=number)
        return not open_ones

    wait_until(answered, 20, "all questions")
    for number, run in enumerate(begun):
        engine.wait_for(run)
        assert run.outputs == {"said": number} and event_types(run).count("NodeResumed ask") == 1


def test_of_many_questions_at_once_each_gets_its_own_answer(engine: EngineHost, organisation: Organisation) -> None:
    """Nothing runs again because another question was answered, and a second answer changes nothing."""
    names = ["one", "two", "three"]
    asks = [scripted(name, waits=True) for name in names]
    behind = [scripted(f"{name}_then", outputs={"heard": f"{{{{ {name}.outputs.answer.said }}}}"}) for name in names]
    run = start(organisation, make_definition([*asks, *behind], [f"{name} -> {name}_then" for name in names]))
    engine.wait_for(run, "waiting")
    for name in ("two", "one"):
        answer(run, name, said=name)
        engine.wait_for_node(run, f"{name}_then")
        answer(run, name, said="once more")
    assert statuses(run)["three"] == "waiting"
    answer(run, "three", said="three")
    engine.wait_for(run)
    heard = {row.node: row.outputs["heard"] for row in NodeRun.objects.filter(run=run, node__endswith="_then")}
    assert heard == {f"{name}_then": name for name in names}
    assert {calls_of(run, node["id"]) for node in [*asks, *behind]} >= {1} and max(CALLS.values()) == 1
    assert RunEvent.objects.filter(run=run, type="SignalIgnored").count() == 2


def test_an_answer_in_a_run_below_comes_up_to_the_run_above(engine: EngineHost, organisation: Organisation) -> None:
    said = {"said": "{{ work.outputs.answer.said }}"}
    publish(organisation, "child", work(waits=True), outputs=said)
    above = publish(organisation, "parent", sub(), work("then"), outputs={"said": "{{ sub.outputs.said }}"})
    run = begin(above)
    child = child_of(run)
    engine.wait_for_node(child, "work", "waiting")
    answer(child, "work", said="yes")
    assert engine.wait_for(run).outputs == {"said": "yes"}
    assert calls_of(child, "work") == calls_of(run, "then") == 1


def test_questions_in_a_loop_repeat_nothing_that_was_done(engine: EngineHost, organisation: Organisation) -> None:
    nodes = [
        {
            "id": "each",
            "type": "loop",
            "settings": {"items": "{{ range(4) }}", "output": "{{ ask.outputs.answer.ok }}"},
        },
        {**scripted("call"), "parent": "each"},
        {**scripted("ask", waits=True), "parent": "each"},
    ]
    definition = make_definition(nodes, ["call -> ask"], outputs={"got": "{{ each.outputs.items }}"})
    run = start(organisation, definition)
    for index in range(4):
        engine.wait_for_node(run, "ask", "waiting", path=str(index))
        answer(run, "ask", str(index), ok=index % 2 == 0)
    engine.wait_for(run)
    assert run.outputs == {"got": [True, False, True, False]}
    assert set(CALLS.values()) == {1} and len(CALLS) == 8


# Runs that hang on whoever looks at them


def test_a_reader_that_goes_away_takes_nothing_with_it(engine: EngineHost, organisation: Organisation) -> None:
    """The stream of a run is closed in the middle; the run goes on, and the next reader misses and repeats nothing."""
    run = start(organisation, make_definition([scripted("a", waits=True), scripted("b")], ["a -> b"]))
    engine.wait_for_node(run, "a", "waiting")

    async def read(after: int, most: int | None) -> list[int]:
        frames, seen = sse.run_events(run.pk, after=after), []
        async for frame in frames:
            if frame.startswith(b"id: "):
                seen.append(int(frame.split(b"\n")[0][4:]))
            if most is not None and len(seen) == most:
                await frames.aclose()  # type: ignore[attr-defined]
                break
        return seen

    first = asyncio.run(read(0, 2))
    answer(run, "a")
    engine.wait_for(run)
    rest = asyncio.run(read(first[-1], None))
    assert first + rest == list(range(1, run.last_seq + 1))
    assert replay(run).same


# What is skipped because somebody died


def test_an_error_handler_runs_though_the_host_died_before(
    start_engine: Callable[..., EngineHost], organisation: Organisation
) -> None:
    definition = make_definition(
        [
            {"id": "slow", "type": "agent", "settings": {"agent": "sleep", "inputs": {"seconds": 1.5}}},
            {"id": "no", "type": "fail", "settings": {"message": "It does not work.", "code": "broken"}},
            {"id": "caught", "type": "error_handler", "settings": {"then": "fail"}},
            {"id": "tidy", "type": "agent", "settings": {"agent": "echo", "inputs": {"why": "{{ error.code }}"}}},
        ],
        ["slow -> no", "caught -> tidy"],
    )
    for name in ("echo", "sleep"):
        factories.agent(organisation, name, factories.python_draft(name))
    with host_apart() as host:
        run = start(organisation, definition)
        wait_until(lambda: run.node_runs.filter(node="slow", status="running").exists(), 20, "the slow step")
        host.kill()
        run = start_engine().wait_for(run, "failed")
    assert run.error["code"] == "broken"
    assert NodeRun.objects.get(run=run, node="tidy").outputs == {"why": "broken"}
    assert event_types(run).count("NodeStarted tidy") == 1
