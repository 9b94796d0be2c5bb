"""Where only so many may be at work at once, no more are, over all hosts; and whoever waits gets a turn."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from agents.models import Agent
from agents.services import VersionDraft, publish_version
from orchestration.host import Plan
from orchestration.models import NodeRun, OrganisationLimits, Place, Run
from orchestration.monitoring import queries
from orchestration.services import new_runs, runs, workflows
from orchestration.store import places
from portal.core.actors import Actor
from portal.core.models import Organisation
from tests.driver.scripted import OPEN
from tests.driver.test_runs import scripted
from tests.effects import Sink, effect, make_agent
from tests.engine_host import EngineHost, event_types, make_definition, start, wait_until
from tests.host_apart import host_apart

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def sink(settings: Any) -> Iterator[Sink]:
    settings.OUTGOING_ALLOW = ["127.0.0.1"]
    sink = Sink()
    yield sink
    sink.close()


def limited_agent(organisation: Organisation, sink: Sink, most: int) -> None:
    make_agent(organisation, sink.address, max_concurrency=most)


def most_at_once(sink: Sink) -> int:
    """The greatest number of calls that overlapped."""
    moments = sorted([(began, 1) for _, began, _ in sink.calls] + [(ended, -1) for _, _, ended in sink.calls])
    most = now = 0
    for _, change in moments:
        now += change
        most = max(most, now)
    return most


def all_places_are_used(engine: EngineHost, organisation: Organisation, sink: Sink, most: int) -> None:
    before = len(sink.begun)
    run = start(organisation, make_definition([effect(f"held{number}", 600) for number in range(most + 1)]))
    wait_until(lambda: len(sink.begun) == before + most, 10, f"{most} calls at once")
    sink.go_on.set()
    engine.wait_for(run)


def test_an_agents_limit_holds_over_two_hosts(start_engine: Any, organisation: Organisation, sink: Sink) -> None:
    limited_agent(organisation, sink, 3)
    hosts = [start_engine(), start_engine()]
    definition = make_definition([effect("a", 0.15), effect("b", 0.15), effect("c", 0.1)], ["a -> c", "b -> c"])
    started = [start(organisation, definition) for _ in range(10)]
    for run in started:
        hosts[0].wait_for(run)
    assert len(sink.calls) == 30 and sink.repeated() == {}
    all_places_are_used(hosts[0], organisation, sink, 3)
    assert most_at_once(sink) == 3
    assert not NodeRun.objects.exclude(attempts=1).exists()
    wait_until(lambda: not Place.objects.exists(), 5, "all places to be free")


def test_a_step_without_a_place_is_held_back_and_says_what_for(
    engine: EngineHost, organisation: Organisation, sink: Sink
) -> None:
    limited_agent(organisation, sink, 1)
    definition = make_definition([effect("a", 600, timeout_seconds=900), scripted("free")])
    first = start(organisation, definition)
    engine.wait_for_node(first, "a", "running")
    second = start(organisation, make_definition([effect("a", 0, timeout_seconds=3)]))
    wait_until(lambda: Place.objects.filter(run=second, granted_at=None).exists(), 10, "the second in the queue")
    assert "NodeStarted a" not in event_types(second)
    second.refresh_from_db()
    (reason,) = [reason for reason in queries.reasons(second) if reason.kind == "place"]
    assert "agent effect" in reason.text and "1 of 1" in reason.text and "next" in reason.text
    time.sleep(3.1)
    sink.go_on.set()
    engine.wait_for(first)
    engine.wait_for(second)
    assert NodeRun.objects.get(run=second).attempts == 1, "its timeout did not run while it waited"
    assert most_at_once(sink) == 1


def test_one_run_with_much_to_do_leaves_others_their_turn(
    engine: EngineHost, organisation: Organisation, sink: Sink
) -> None:
    limited_agent(organisation, sink, 1)
    many = start(organisation, make_definition([effect(f"n{number}", 600) for number in range(12)]))
    wait_until(lambda: sink.begun, 10, "the first call")
    one = start(organisation, make_definition([effect("mine", 0)]))
    wait_until(lambda: Place.objects.filter(run=one).exists(), 10, "the other in the queue")
    sink.go_on.set()
    engine.wait_for(one)
    engine.wait_for(many)
    order = [key.rpartition("/")[2] for key, _, _ in sink.calls]
    assert order.index("mine") < 8 and most_at_once(sink) == 1


def test_a_dead_hosts_places_are_free_at_once(start_engine: Any, organisation: Organisation, sink: Sink) -> None:
    limited_agent(organisation, sink, 1)
    with host_apart() as host:
        held = start(organisation, make_definition([effect("a", 600)]))
        wait_until(lambda: sink.begun, 20, "the call")
        host.kill()  # before it hears that it need not go on, and gives its place back
        runs.cancel_run(run=held, actor=Actor.command())
        engine = start_engine()
        engine.wait_for(held, "cancelled")
        engine.wait_for(start(organisation, make_definition([effect("a", 0)])))


def test_what_is_held_back_can_be_cancelled(engine: EngineHost, organisation: Organisation, sink: Sink) -> None:
    limited_agent(organisation, sink, 1)
    busy = start(organisation, make_definition([effect("a", 600)]))
    engine.wait_for_node(busy, "a", "running")
    waiting = start(organisation, make_definition([effect("a", 0)]))
    wait_until(lambda: Place.objects.filter(run=waiting).exists(), 10, "it in the queue")
    runs.cancel_run(run=waiting, actor=Actor.command())
    engine.wait_for(waiting, "cancelled")
    runs.cancel_run(run=busy, actor=Actor.command())
    engine.wait_for(busy, "cancelled")
    wait_until(lambda: not Place.objects.exists(), 5, "nothing to be left behind")


def test_steps_at_work_of_an_organisation(start_engine: Any, organisation: Organisation, sink: Sink) -> None:
    make_agent(organisation, sink.address)
    OrganisationLimits.objects.create(organisation=organisation, steps_at_work=2)
    hosts = [start_engine(), start_engine()]
    definition = make_definition([effect("a", 0.15), effect("b", 0.15)])
    started = [start(organisation, definition) for _ in range(5)]
    for run in started:
        hosts[0].wait_for(run)
    all_places_are_used(hosts[0], organisation, sink, 2)
    assert most_at_once(sink) == 2


def test_steps_at_work_on_a_host(start_engine: Any, organisation: Organisation, sink: Sink) -> None:
    make_agent(organisation, sink.address)
    engine = start_engine(Plan(drain_seconds=1.0, steps=2))
    definition = make_definition([effect(name, 0.15) for name in "abc"])
    started = [start(organisation, definition) for _ in range(3)]
    for run in started:
        engine.wait_for(run)
    all_places_are_used(engine, organisation, sink, 2)
    assert most_at_once(sink) == 2 and not Place.objects.exists()


def test_a_hosts_place_is_not_offered_to_runs_that_have_gone(
    start_engine: Any, organisation: Organisation, sink: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orchestration.driving.places.ASK_AGAIN_SECONDS", 3600.0)
    make_agent(organisation, sink.address)
    engine = start_engine(Plan(drain_seconds=1.0, steps=1))
    busy = start(organisation, make_definition([effect("a", 30)]))
    engine.wait_for_node(busy, "a", "running")
    quick = make_definition([effect("a")])
    *gone, next_in_line = (_in_the_hosts_queue(engine, start(organisation, quick), place) for place in (1, 2, 3))
    for run in gone:
        runs.cancel_run(run=run, actor=Actor.command())
        engine.wait_for(run, "cancelled")
    runs.cancel_run(run=busy, actor=Actor.command())
    engine.wait_for(next_in_line)


def _in_the_hosts_queue(engine: EngineHost, run: Run, place: int) -> Run:
    wait_until(lambda: engine.call(lambda host: len(host._places._waiting)) == place, 20, f"{place} in the queue")
    return run


def test_runs_of_a_workflow_at_once(start_engine: Any, organisation: Organisation, sink: Sink) -> None:
    from tests.workflows import factories as make

    make_agent(organisation, sink.address)
    body = make.definition(effect("a", 600), effect("b", 600), settings={"limits": {"runs": 1}})
    version = make.published(organisation, body)
    hosts = [start_engine(), start_engine()]
    started = [
        new_runs.start_run(
            new_runs.NewRun(organisation=organisation, actor=Actor.command(), version=version, inputs={})
        )
        for _ in range(4)
    ]
    wait_until(lambda: sink.begun, 10, "the first call")
    waiting = Run.objects.filter(status="queued").first()
    assert waiting

    def told() -> bool:
        waiting.refresh_from_db()
        return "runs of this workflow" in " ".join(reason.text for reason in queries.reasons(waiting))

    wait_until(told, 10, "it to say what it waits for")
    sink.go_on.set()
    for run in started:
        hosts[0].wait_for(run)
    spans = sorted(Run.objects.values_list("started_at", "ended_at"))
    assert all(ended <= began for (_, ended), (began, _) in itertools.pairwise(spans))


def test_a_run_that_is_paused_while_it_waits_for_its_turn_still_waits_when_it_is_resumed(
    engine: EngineHost, organisation: Organisation
) -> None:
    from tests.workflows import factories as make

    body = make.definition(scripted("a", seconds=3600), settings={"limits": {"runs": 1}})
    quick = make.definition(scripted("a"), settings={"limits": {"runs": 1}})
    workflow = (version := make.published(organisation, body)).workflow
    first = new_runs.start_run(
        new_runs.NewRun(organisation=organisation, actor=Actor.command(), version=version, inputs={})
    )
    engine.wait_for_node(first, "a", "running")
    workflows.save_draft(workflow=workflow, definition=quick, revision=workflow.draft_revision, actor=Actor.command())
    later = workflows.publish(workflow=workflow, actor=Actor.command())
    second = new_runs.start_run(
        new_runs.NewRun(organisation=organisation, actor=Actor.command(), version=later, inputs={})
    )
    wait_until(lambda: Place.objects.filter(run=second).exists(), 10, "it in the queue")
    runs.pause_run(run=second, actor=Actor.command())
    second = engine.wait_for(second, "paused")
    runs.resume_run(run=second, actor=Actor.command())
    wait_until(lambda: "RunResumed" in event_types(second), 10, "the resumption")
    wait_until(lambda: not Run.objects.get(pk=second.pk).host_id, 10, "it to be let go again")
    assert "NodeStarted a" not in event_types(second)
    runs.cancel_run(run=first, actor=Actor.command())
    second, first = engine.wait_for(second), engine.wait_for(first, "cancelled")
    assert NodeRun.objects.get(run=second).started_at >= first.ended_at
    wait_until(lambda: not Place.objects.exists(), 5, "nothing to be left behind")


def at_work(most: int) -> bool:
    return NodeRun.objects.filter(status="running").count() == most


def test_limits_may_be_changed_while_runs_wait(engine: EngineHost, organisation: Organisation, sink: Sink) -> None:
    """Of an organisation and of an agent, given and taken away, for runs that were started before."""
    limited_agent(organisation, sink, 1)
    limits = OrganisationLimits.objects.create(organisation=organisation, steps_at_work=2)
    started = [start(organisation, make_definition([effect("a", 600)])) for _ in range(5)]
    wait_until(lambda: Place.objects.filter(granted_at=None).count() == 4, 10, "four to wait for the agent")
    wait_until(lambda: at_work(1), 10, "the first")
    agent = Agent.objects.get()
    draft = VersionDraft.of(agent.current)

    def calls_at_once(most: int | None) -> None:
        publish_version(agent=agent, draft=replace(draft, max_concurrency=most), actor=Actor.command())

    calls_at_once(3)
    wait_until(lambda: at_work(2), 20, "the organisation's two steps")
    OrganisationLimits.objects.filter(pk=limits.pk).update(steps_at_work=None)
    wait_until(lambda: at_work(3), 20, "the agent's three calls")
    calls_at_once(None)
    wait_until(lambda: at_work(5), 20, "all of them")
    for run in started:
        runs.cancel_run(run=run, actor=Actor.command())
    for run in started:
        engine.wait_for(run, "cancelled")


def test_a_lower_limit_holds_for_a_run_in_hand(engine: EngineHost, organisation: Organisation, sink: Sink) -> None:
    make_agent(organisation, sink.address)
    nodes = [effect(name, 0.05) for name in "abcdef"]
    first = scripted("first", gate="first")
    busy = start(organisation, make_definition([first, *nodes], [f"first -> {name}" for name in "abcdef"]))
    engine.wait_for_node(busy, "first", "running")
    OrganisationLimits.objects.create(organisation=organisation, steps_at_work=1)
    wait_until(lambda: engine.call(lambda host: host._places._steps), 10, "the host to know")
    OPEN.add("first")
    engine.wait_for(busy)
    assert most_at_once(sink) == 1


def test_more_runs_of_a_workflow_when_a_version_allows_them(
    engine: EngineHost, organisation: Organisation, sink: Sink
) -> None:
    from tests.workflows import factories as make

    make_agent(organisation, sink.address)
    body = make.definition(effect("a", 600), settings={"limits": {"runs": 1}})
    version = make.published(organisation, body)
    workflow = version.workflow
    started = [
        new_runs.start_run(
            new_runs.NewRun(organisation=organisation, actor=Actor.command(), version=version, inputs={})
        )
        for _ in range(3)
    ]
    wait_until(lambda: at_work(1), 10, "the first")
    workflows.save_draft(
        workflow=workflow, definition={**body, "settings": {"limits": {"runs": 2}}},
        revision=workflow.draft_revision, actor=Actor.command(),
    )  # fmt: skip
    workflows.publish(workflow=workflow, actor=Actor.command())
    wait_until(lambda: at_work(2), 20, "two of them")
    for run in started:
        runs.cancel_run(run=run, actor=Actor.command())
    for run in started:
        engine.wait_for(run, "cancelled")


def test_without_limits_nobody_asks_for_places(
    engine: EngineHost, organisation: Organisation, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def take(*arguments: Any) -> bool:
        raise AssertionError("asked")

    monkeypatch.setattr(places, "take", take)
    engine.wait_for(start(organisation, make_definition([scripted("a"), scripted("b")], ["a -> b"])))
