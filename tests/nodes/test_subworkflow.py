"""Runs within runs: made once, told once, stopped together, counted once."""

from __future__ import annotations

from contextlib import suppress
from decimal import Decimal
from typing import Any

import pytest

from orchestration.models import NodeRun, Run, RunEvent, RunSignal
from orchestration.queries.replay import replay
from orchestration.services import runs, values
from orchestration.services.starting import start_workflow
from orchestration.store.children import least_budget
from portal.core.actors import Actor
from portal.core.models import AuditEntry
from portal.core.services import ledger
from tests.driver.scripted import OPEN
from tests.engine_host import EngineHost, event_types, wait_until
from tests.workflows.factories import definition, edge, node, published

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("scripted_nodes")]


def work(name: str = "work", **settings: Any) -> dict[str, Any]:
    more = {key: settings.pop(key) for key in ("retry", "timeout_seconds", "parent", "optional") if key in settings}
    return node(name, "scripted", settings=settings, **more)


def sub(name: str = "sub", workflow: str = "child", **more: Any) -> dict[str, Any]:
    given = {key: more.pop(key) for key in ("inputs", "version") if key in more}
    return node(name, "subworkflow", settings={"workflow": workflow, **given}, **more)


def publish(organisation: Any, slug: str, *nodes: dict[str, Any], **more: Any) -> Any:
    return published(organisation, definition(*nodes, **{"edges": [], **more}), slug=slug).workflow


def begin(workflow: Any, inputs: Any = None, **more: Any) -> Run:
    run, _ = start_workflow(workflow=workflow, inputs=inputs or {}, actor=Actor.command(), source="cli", **more)
    return run


def child_of(run: Run, node: str = "sub", path: str = "") -> Run:
    return wait_until(
        lambda: Run.objects.filter(parent=run, parent_node=node, parent_path=path).order_by("-created_at").first(),
        10,
        "a child",
    )


TEXT = {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}


def test_a_workflow_runs_another_and_goes_on_with_its_outputs(engine: EngineHost, organisation: Any) -> None:
    echo = node("say", "set", settings={"variables": {"said": "{{ inputs.text }}!"}})
    publish(organisation, "child", echo, inputs=TEXT, outputs={"said": "{{ say.outputs.said }}"})
    parent = publish(
        organisation,
        "parent",
        sub(inputs={"text": "{{ inputs.text }} there"}),
        inputs=TEXT,
        outputs={"answer": "{{ sub.outputs.said }}"},
    )
    run = engine.wait_for(begin(parent, {"text": "Hello"}, priority=8))
    assert run.outputs == {"answer": "Hello there!"}
    child = child_of(run)
    assert (child.status, child.depth, child.priority, child.inputs) == ("completed", 1, 8, {"text": "Hello there"})
    assert (child.name, child.workflow.slug, child.version.number, child.source) == ("A workflow", "child", 1, "run")
    assert event_types(run) == [
        "RunStarted",
        "NodeStarted sub",
        "NodeWaiting sub",
        "NodeResumed sub",
        "NodeSucceeded sub",
        "RunCompleted",
    ]
    assert RunSignal.objects.filter(run=run).count() == 1
    entry = AuditEntry.objects.get(verb="orchestration.run.started", target_id=str(child.pk))
    assert (entry.actor_label, entry.channel, entry.organisation_id) == ("engine", "engine", organisation.pk)
    assert entry.data == {
        "workflow": "child",
        "source": "run",
        "kind": "workflow",
        "parent": str(run.pk),
        "node": "sub",
        "path": "",
    }
    assert ledger.verify(organisation.pk).fault is None


def test_the_version_is_the_one_that_was_published_when_the_run_began(engine: EngineHost, organisation: Any) -> None:
    from orchestration.services import workflows

    child = publish(organisation, "child", work(outputs={"v": 1}), outputs={"v": "{{ work.outputs.v }}"})
    latest, pinned = sub("latest"), sub("pinned", version=2)
    hold = work("hold", waits=True)
    parent = publish(
        organisation,
        "parent",
        hold,
        latest,
        edges=[edge("hold", "latest")],
        outputs={"v": "{{ latest.outputs.v }}"},
    )
    run = begin(parent)
    engine.wait_for_node(run, "hold", "waiting")
    body = {**child.draft, "outputs": {"v": "two"}}
    draft = workflows.save_draft(workflow=child, definition=body, revision=1, actor=Actor.command())
    workflows.publish(workflow=draft, actor=Actor.command())
    runs.signal_node(run_id=run.pk, node="hold", by="test", data={})
    assert engine.wait_for(run).outputs == {"v": 1}
    other = publish(organisation, "other", pinned, outputs={"v": "{{ pinned.outputs.v }}"})
    assert engine.wait_for(begin(other)).outputs == {"v": "two"}


def test_what_the_workflow_does_not_take_is_refused_before_it_begins(engine: EngineHost, organisation: Any) -> None:
    publish(organisation, "child", work(), inputs=TEXT)
    parent = publish(organisation, "parent", sub(inputs={"text": "{{ inputs.n }}"}), inputs={"type": "object"})
    run = engine.wait_for(begin(parent, {"n": 3}), "failed")
    assert run.error["code"] == "invalid_inputs" and "child" in run.error["message"]
    assert run.error["detail"]["problems"][0]["path"] == "$.text"
    assert not Run.objects.filter(parent=run).exists()


def test_its_failure_is_the_nodes_and_each_attempt_is_a_run_of_its_own(engine: EngineHost, organisation: Any) -> None:
    publish(organisation, "child", work(fail_times=9, code="broken", usage={"cost_usd": 0.25, "input_tokens": 10}))
    twice = {"max_attempts": 2, "initial_seconds": 0, "jitter": False}
    run = engine.wait_for(begin(publish(organisation, "parent", sub(retry=twice))), "failed")
    children = list(Run.objects.filter(parent=run).order_by("parent_attempt"))
    assert [(child.status, child.parent_attempt) for child in children] == [("failed", 1), ("failed", 2)]
    assert run.error["code"] == "subworkflow_failed" and "at work: As scripted." in run.error["message"]
    assert run.error["detail"]["run"] == str(children[1].pk) and run.error["detail"]["error"]["code"] == "broken"
    run.refresh_from_db()
    assert (run.cost_usd, run.input_tokens) == (Decimal("0.5"), 20)
    assert NodeRun.objects.get(run=run, node="sub").cost_usd == Decimal("0.5")


def test_costs_go_all_the_way_up_and_are_counted_once(engine: EngineHost, organisation: Any) -> None:
    spend = {"usage": {"cost_usd": 0.1, "input_tokens": 5, "output_tokens": 2}}
    publish(organisation, "leaf", work("a", **spend), work("b", **spend))
    publish(organisation, "middle", work(**spend), sub("left", "leaf"), sub("right", "leaf"))
    run = engine.wait_for(begin(publish(organisation, "top", work(**spend), sub("down", "middle"))))
    assert (run.cost_usd, run.input_tokens, run.output_tokens) == (Decimal("0.6"), 30, 12)
    assert all(replay(each).same for each in Run.objects.all())
    assert {child.depth for child in Run.objects.exclude(parent=None)} == {1, 2}


def test_cancelling_a_run_cancels_all_that_it_runs(engine: EngineHost, organisation: Any) -> None:
    publish(organisation, "leaf", work(waits=True))
    publish(organisation, "middle", sub("down", "leaf"), work(seconds=3600))
    run = begin(publish(organisation, "top", sub("down", "middle")))
    leaf = child_of(child_of(run, "down"), "down")
    engine.wait_for_node(leaf, "work", "waiting")
    runs.cancel_run(run=run, actor=Actor.command())
    engine.wait_for(run, "cancelled")
    for each in Run.objects.exclude(parent=None):
        engine.wait_for(each, "cancelled")


def undoable_child(organisation: Any) -> None:
    booked = node("booked", "scripted", compensate_with="unbook")
    publish(organisation, "child", booked, work("unbook"), work(waits=True), edges=[edge("booked", "work")])


@pytest.mark.parametrize("wish", [True, False])
def test_a_wish_to_undo_goes_down_with_the_cancel(engine: EngineHost, organisation: Any, wish: bool) -> None:
    undoable_child(organisation)
    publish(organisation, "middle", sub("down", "child"))
    run = begin(publish(organisation, "top", sub("down", "middle")))
    leaf = child_of(child_of(run, "down"), "down")
    engine.wait_for_node(leaf, "work", "waiting")
    runs.cancel_run(run=run, actor=Actor.command(), undo=wish)
    engine.wait_for(run, "cancelled")
    engine.wait_for(leaf, "cancelled")
    assert ("NodeSucceeded unbook" in event_types(leaf)) is wish


def test_a_run_that_fails_undoes_what_its_runs_have_done(engine: EngineHost, organisation: Any) -> None:
    undoable_child(organisation)
    hold, breaks = work("hold", waits=True), work("breaks", crash="oh")
    run = begin(publish(organisation, "parent", sub(), hold, breaks, edges=[edge("hold", "breaks")]))
    child = child_of(run)
    engine.wait_for_node(child, "work", "waiting")
    runs.signal_node(run_id=run.pk, node="hold", by="test", data={})
    engine.wait_for(run, "failed")
    engine.wait_for(child, "cancelled")
    assert "NodeSucceeded unbook" in event_types(child)


def test_a_run_that_is_being_undone_is_left_to_it(engine: EngineHost, organisation: Any) -> None:
    """The step above runs out of time while the child, which has failed by itself, undoes what it did."""
    booked = node("booked", "scripted", compensate_with="unbook")
    unbook, breaks = work("unbook", gate="unbook"), work("breaks", crash="oh")
    publish(organisation, "child", booked, unbook, breaks, edges=[edge("booked", "breaks")])
    run = engine.wait_for(begin(publish(organisation, "parent", sub(timeout_seconds=2))), "compensating")
    OPEN.add("unbook")
    engine.wait_for(run, "failed")
    assert run.error["code"] == "timeout"
    child = engine.wait_for(child_of(run), "failed")
    assert [told["node"] for told in child.error["compensation"]["undone"]] == ["booked"]


def test_a_node_that_is_out_of_time_takes_its_run_along(engine: EngineHost, organisation: Any) -> None:
    publish(organisation, "child", work(waits=True))
    run = engine.wait_for(begin(publish(organisation, "parent", sub(timeout_seconds=2))), "failed")
    assert run.error["code"] == "timeout"
    engine.wait_for(child_of(run), "cancelled")


def test_the_loser_of_a_join_is_cancelled_with_its_run(engine: EngineHost, organisation: Any) -> None:
    publish(organisation, "child", work(waits=True))
    parent = publish(
        organisation,
        "parent",
        sub(),
        work("quick", gate="quick"),
        node("end", "join", join={"rule": "any"}),
        edges=[edge("sub", "end"), edge("quick", "end")],
    )
    run = begin(parent)
    child = child_of(run)
    OPEN.add("quick")
    engine.wait_for(run)
    engine.wait_for(child, "cancelled")


def test_a_cancelled_child_fails_its_node_by_a_code_of_its_own(engine: EngineHost, organisation: Any) -> None:
    publish(organisation, "child", work(waits=True))
    parent = publish(
        organisation,
        "parent",
        sub(),
        node("after", "set", settings={"variables": {"why": "{{ error.code }}"}}),
        edges=[edge("sub", "after", "error")],
    )
    run = begin(parent)
    runs.cancel_run(run=child_of(run), actor=Actor.command())
    engine.wait_for(run)
    assert NodeRun.objects.get(run=run, node="after").outputs == {"why": "subworkflow_cancelled"}


def test_children_pause_with_their_parent(engine: EngineHost, organisation: Any) -> None:
    publish(organisation, "leaf", work(waits=True))
    publish(organisation, "middle", sub("down", "leaf"))
    run = begin(publish(organisation, "top", sub("down", "middle")))
    middle = child_of(run, "down")
    leaf = child_of(middle, "down")
    engine.wait_for_node(leaf, "work", "waiting")
    runs.pause_run(run=run, actor=Actor.command())
    for each in (run, middle, leaf):
        engine.wait_for(each, "paused")
    runs.resume_run(run=run, actor=Actor.command())
    for each in (run, middle, leaf):
        engine.wait_for(each, "waiting")
    runs.signal_node(run_id=leaf.pk, node="work", by="test", data={})
    engine.wait_for(run)


def test_a_retried_run_goes_on_inside_of_what_had_failed(engine: EngineHost, organisation: Any) -> None:
    """Finished steps of the child are kept; a child that has completed since then is not run again."""
    child = publish(organisation, "child", work("first"), work("second", waits=True), edges=[edge("first", "second")])
    run = begin(publish(organisation, "parent", sub()))
    first = child_of(run)
    engine.wait_for_node(first, "second", "waiting")
    runs.cancel_run(run=run, actor=Actor.command())
    engine.wait_for(run, "cancelled")
    engine.wait_for(first, "cancelled")
    runs.retry_run(run=run, actor=Actor.command())
    engine.wait_for(run, "waiting")
    engine.wait_for(first, "waiting")
    assert event_types(first).count("NodeStarted first") == 1
    runs.signal_node(run_id=first.pk, node="second", by="test", data={})
    engine.wait_for(run)
    assert Run.objects.filter(parent=run).count() == 1 and child.slug == "child"


def test_a_second_end_of_a_child_counts_only_while_the_parent_waits(engine: EngineHost, organisation: Any) -> None:
    publish(organisation, "child", work(waits=True, usage={"cost_usd": 0.5}))
    run = begin(publish(organisation, "parent", sub()))
    child = child_of(run)
    engine.wait_for_node(child, "work", "waiting")
    runs.cancel_run(run=child, actor=Actor.command())
    engine.wait_for(run, "failed")
    before = event_types(run)
    runs.retry_run(run=child, actor=Actor.command())
    engine.wait_for_node(child, "work", "waiting")
    runs.signal_node(run_id=child.pk, node="work", by="test", data={})
    engine.wait_for(child)
    run.refresh_from_db()
    assert run.status == "failed" and event_types(run) == before
    runs.retry_run(run=run, actor=Actor.command())
    assert engine.wait_for(run).status == "completed"
    assert Run.objects.filter(parent=run).count() == 1


def test_many_children_of_many_runs_on_two_hosts(start_engine: Any, organisation: Any) -> None:
    """Parents and children are written by two hosts at once: nothing is lost, doubled, or stuck on a lock."""
    engine = start_engine()
    start_engine()
    publish(organisation, "child", work(outputs={"n": 1}, seconds=0.01), outputs={"n": "{{ work.outputs.n }}"})
    each = node(
        "each", "loop", settings={"items": "range(12)", "mode": "parallel", "limit": 6, "output": "{{ sub.outputs.n }}"}
    )
    parent = publish(organisation, "parent", each, sub(parent="each"), outputs={"all": "{{ each.outputs.items }}"})
    started = [begin(parent) for _ in range(12)]
    for run in started:
        assert engine.wait_for(run, "completed", "failed").outputs == {"all": [1] * 12}
    assert Run.objects.filter(parent__in=started, status="completed").count() == 144
    assert RunSignal.objects.filter(run__in=started).count() == 144


def test_children_that_end_while_they_are_cancelled_do_not_hold_anything_up(
    start_engine: Any, organisation: Any
) -> None:
    """Parent and child write each other's rows at the same moment, on two hosts."""
    engine = start_engine()
    start_engine()
    publish(organisation, "child", work(seconds=0.15))
    nodes = [sub(f"s{i}") for i in range(8)]
    parent = publish(organisation, "parent", *nodes, settings={"max_parallel": 20})
    started = [begin(parent) for _ in range(8)]
    for run in started:
        engine.wait_for_node(run, "s7", "waiting", "succeeded")  # a child may have ended by now
        with suppress(runs.RunStateConflict):  # it may even be over
            runs.cancel_run(run=run, actor=Actor.command())
    for run in started:
        engine.wait_for(run, "cancelled", "completed")
    wait_until(lambda: not Run.objects.unfinished().exists(), 60, "all children to end")


def test_large_values_go_down_and_come_up_by_reference(engine: EngineHost, organisation: Any) -> None:
    large = "0123456789abcdef" * 20_000
    echo = node("say", "set", settings={"variables": {"said": "{{ inputs.text + '!' }}"}})
    publish(organisation, "child", echo, inputs=TEXT, outputs={"said": "{{ say.outputs.said }}"})
    parent = publish(
        organisation,
        "parent",
        sub(inputs={"text": "{{ inputs.text }}"}),
        node("size", "set", settings={"variables": {"size": "{{ size(sub.outputs.said) }}"}}),
        edges=[edge("sub", "size")],
        inputs=TEXT,
        outputs={"size": "{{ size.outputs.size }}"},
    )
    run = engine.wait_for(begin(parent, {"text": large}))
    assert run.outputs == {"size": len(large) + 1}
    child = child_of(run)
    assert set(child.inputs["text"]) == set(child.outputs["said"]) == {"$value", "bytes", "type"}
    child.delete()  # its values stay as long as the parent names them
    values.collect(age_seconds=0)
    row = NodeRun.objects.get(run=run, node="sub")
    assert values.whole_of(organisation.pk, row.outputs)["said"] == large + "!"


@pytest.mark.parametrize("depth", [9, 10])
def test_ten_levels_are_enough(engine: EngineHost, organisation: Any, depth: int) -> None:
    publish(organisation, "w0", work())
    for level in range(1, depth + 2):
        publish(organisation, f"w{level}", sub("down", f"w{level - 1}"))
    run = begin(organisation.workflows.get(slug=f"w{depth + 1}"))
    engine.wait_for(run, "completed" if depth == 9 else "failed")
    if depth == 10:
        deepest = Run.objects.order_by("-depth").first()
        assert deepest is not None and deepest.depth == 10 and deepest.error["code"] == "too_deep"
        assert "w11 → w10" in deepest.error["message"]


def test_a_workflow_that_leads_back_to_itself_is_named(engine: EngineHost, organisation: Any) -> None:
    """Validation refuses it; where it came to be by two publications at once, the run does."""
    from orchestration.models import WorkflowVersion
    from orchestration.services.definitions import InvalidDefinition, kept
    from orchestration.services.workflows import publish as publish_draft
    from orchestration.services.workflows import save_draft

    a = publish(organisation, "a", work())
    publish(organisation, "b", sub("to_a", "a"))
    body = definition(sub("to_b", "b"), edges=[])
    a = save_draft(workflow=a, definition=body, revision=1, actor=Actor.command())
    with pytest.raises(InvalidDefinition, match="A workflow cannot run itself: a → b → a"):
        publish_draft(workflow=a, actor=Actor.command())
    a.published = WorkflowVersion.objects.create(workflow=a, number=2, definition=kept(body))
    a.save()
    run = engine.wait_for(begin(a), "failed")
    assert "A workflow cannot run itself: a → b → a" in run.error["message"]


@pytest.mark.parametrize(
    ("own", "parents", "spent", "tokens", "expected"),
    [
        (None, None, 1, 1, None),
        ({"usd": 5}, None, 1, 1, {"usd": 5}),
        (None, {"usd": 5, "tokens": 100}, 2, 30, {"usd": 3.0, "tokens": 70}),
        ({"usd": 1, "tokens": 500}, {"usd": 5, "tokens": 100}, 2, 30, {"usd": 1, "tokens": 70}),
        ({"usd": None}, {"usd": 5}, 7, 0, {"usd": 0}),
    ],
)
def test_a_child_has_what_its_parent_has_left(own: Any, parents: Any, spent: int, tokens: int, expected: Any) -> None:
    assert least_budget(own, parents, Decimal(spent), tokens) == expected


def test_the_budget_is_in_the_row(engine: EngineHost, organisation: Any) -> None:
    publish(organisation, "child", work(), settings={"budget": {"usd": 9}})
    spend = work(usage={"cost_usd": 1.5})
    parent = publish(organisation, "parent", spend, sub(), edges=[edge("work", "sub")], settings={"budget": {"usd": 4}})
    run = engine.wait_for(begin(parent))
    assert run.budget == {"usd": 4} and child_of(run).budget == {"usd": 2.5}


def test_who_waits_for_a_run_that_cannot_be_folded_hears_of_its_end(engine: EngineHost, organisation: Any) -> None:
    """Its parent goes on, its own children end, and nobody is asked for a decision any more."""
    from approvals.models import ApprovalRequest

    sign = node("sign", "approval", settings={"title": "May it?", "assignee": {"role": "approver"}})
    publish(organisation, "lowest", work(waits=True))
    publish(organisation, "middle", sub(workflow="lowest"), sign)
    parent = begin(publish(organisation, "above", sub(workflow="middle")))
    middle = child_of(parent)
    lowest = child_of(middle)
    for run in (middle, lowest):
        engine.wait_for(run, "waiting")
    asked = wait_until(lambda: ApprovalRequest.objects.filter(run=middle).first(), 10, "a request")
    RunEvent.objects.filter(run=middle, type="NodeStarted").update(type="NodeResumed", data={})
    Run.objects.filter(pk=middle.pk).update(incident={"code": "engine_bug", "message": "It cannot be folded."})
    assert runs.cancel_run(run=middle, actor=Actor.command()).status == "cancelled"
    assert engine.wait_for(parent, "failed").error["code"] == "subworkflow_cancelled"
    engine.wait_for(lowest, "cancelled")
    asked.refresh_from_db()
    assert asked.status == "withdrawn"
