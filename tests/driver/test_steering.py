"""People steer live runs, by a real host on a real database: each wish is a signal, taken in once, with its audit."""

from __future__ import annotations

from typing import Any

import pytest

from orchestration.models import Definition, NodeRun, Run, RunEvent, Workflow, WorkflowVersion
from orchestration.queries.replay import replay
from orchestration.services import new_runs, rerun, runs
from orchestration.services.rerun import Wish
from orchestration.services.steering.refusals import (
    AskedAlready,
    AsksPerson,
    CannotMove,
    DecidedOn,
    InvalidOutcome,
    StepConflict,
)
from orchestration.services.steering.steps import override_step, retry_step_now, skip_step
from orchestration.services.steering.variables import change_variables
from orchestration.services.steering.versions import move_run
from portal.core.actors import Actor
from portal.core.models import AuditEntry, Organisation
from tests.driver.scripted import CALLS, STARTED
from tests.driver.test_runs import scripted, statuses
from tests.engine_host import EngineHost, event_types, make_definition, start, wait_until

pytestmark = pytest.mark.django_db(transaction=True)
ADA = Actor(user=None, label="ada", channel="cli")


def audited(run: Run) -> list[str]:
    entries = AuditEntry.objects.filter(target_id=str(run.pk)).order_by("id")
    return [entry.verb.removeprefix("orchestration.run.") for entry in entries]


def published(organisation: Organisation, *definitions: Definition) -> list[WorkflowVersion]:
    workflow = Workflow.objects.create(organisation=organisation, slug="way", name="Way", draft=definitions[-1].body)
    versions = [
        WorkflowVersion.objects.create(workflow=workflow, number=number, definition=definition)
        for number, definition in enumerate(definitions, 1)
    ]
    workflow.published = versions[-1]
    workflow.save()
    return versions


def replays(run: Run) -> None:
    found = replay(run)
    assert found.same, found.differences


def test_a_running_step_is_stopped_and_overridden(engine: EngineHost, organisation: Organisation) -> None:
    definition = make_definition(
        [scripted("a", seconds=3600), scripted("b", outputs={"got": "{{ a.outputs.n }}"})],
        ["a -> b"],
        outputs={"got": "{{ b.outputs.got }}"},
    )
    run = start(organisation, definition)
    engine.wait_for_node(run, "a", "running")
    override_step(run=run, node="a", outputs={"n": 7}, actor=ADA, reason="it takes too long")
    engine.wait_for(run)
    assert run.outputs == {"got": 7} and run.nodes_ended == 2
    event = RunEvent.objects.get(run=run, type="NodeOverridden")
    assert event.data == {"outputs": {"n": 7}, "by": "ada", "reason": "it takes too long"}
    entry = AuditEntry.objects.get(target_id=str(run.pk), verb="orchestration.run.step_overridden")
    assert entry.before == {"status": "running", "attempt": 1} and entry.after == {"outputs": {"n": 7}, "port": "out"}
    replays(run)


def test_a_skipped_step_leaves_its_successors_alive(engine: EngineHost, organisation: Organisation) -> None:
    run = start(organisation, make_definition([scripted("a", seconds=3600), scripted("b")], ["a -> b"]))
    engine.wait_for_node(run, "a", "running")
    skip_step(run=run, node="a", actor=ADA)
    engine.wait_for(run)
    assert statuses(run) == {"a": "skipped", "b": "succeeded"}


def test_the_second_of_two_people_is_told_who_was_first(organisation: Organisation) -> None:
    run = start(organisation, make_definition([scripted("a"), scripted("b")], ["a -> b"]))
    # nobody drives it, so what was asked is not carried out yet
    with pytest.raises(StepConflict, match="has not begun"):
        skip_step(run=run, node="a", actor=ADA)


def test_while_a_wish_is_not_carried_out_another_is_refused(engine: EngineHost, organisation: Organisation) -> None:
    run = start(organisation, make_definition([scripted("a", seconds=3600), scripted("b")], ["a -> b"]))
    engine.wait_for_node(run, "a", "running")
    engine.stop()
    skip_step(run=run, node="a", actor=ADA)
    with pytest.raises(AskedAlready, match=r"ada has already asked to skip “a”") as refused:
        override_step(run=run, node="a", outputs={}, actor=Actor.command())
    assert refused.value.status == 409 and refused.value.facts == {"state": "running"}


def test_a_failed_run_goes_on_with_what_a_person_says(engine: EngineHost, organisation: Organisation) -> None:
    definition = make_definition(
        [scripted("a", fail_times=9, retryable=False), scripted("b", outputs={"n": "{{ a.outputs.n }}"})],
        ["a -> b"],
        outputs={"n": "{{ b.outputs.n }}"},
    )
    run = engine.wait_for(start(organisation, definition), "failed")
    override_step(run=run, node="a", outputs={"n": 1}, actor=ADA)
    engine.wait_for(run)
    assert run.outputs == {"n": 1} and run.error is None
    replays(run)


def test_no_path_leads_round_a_decision(engine: EngineHost, organisation: Organisation) -> None:
    definition = make_definition(
        [{"id": "sign", "type": "approval", "name": "Sign off"}, scripted("b")], ["sign:approve -> b"]
    )
    run = engine.wait_for(start(organisation, definition), "waiting")
    for act in (
        lambda: skip_step(run=run, node="sign", actor=ADA),
        lambda: override_step(run=run, node="sign", outputs={"option": "approve"}, port="approve", actor=ADA),
    ):
        with pytest.raises(AsksPerson, match="no path leads round that"):
            act()
    assert NodeRun.objects.get(run=run, node="sign").status == "waiting"


def test_outputs_are_checked_against_what_the_steps_type_promises(
    engine: EngineHost, organisation: Organisation
) -> None:
    definition = make_definition([{"id": "wait", "type": "delay", "settings": {"seconds": 600}}, scripted("b")])
    run = start(organisation, definition)
    engine.wait_for_node(run, "wait", "waiting")
    with pytest.raises(InvalidOutcome, match="must be one of out"):
        override_step(run=run, node="wait", outputs={}, port="elsewhere", actor=ADA)
    override_step(run=run, node="wait", outputs={}, actor=ADA)
    engine.wait_for(run)


def test_the_time_of_a_retry_need_not_be_waited_for(engine: EngineHost, organisation: Organisation) -> None:
    retry = {"max_attempts": 2, "initial_seconds": 3600, "max_seconds": 3600}
    run = start(organisation, make_definition([scripted("a", fail_times=1, retry=retry)]))
    engine.wait_for_node(run, "a", "retrying")
    retry_step_now(run=run, node="a", actor=ADA)
    engine.wait_for(run)
    assert "step_retried_now" in audited(run)


def test_variables_of_a_live_run_change(engine: EngineHost, organisation: Organisation) -> None:
    definition = make_definition(
        [scripted("a", waits=True), scripted("b", outputs={"n": "{{ vars.n }}"})],
        ["a -> b"],
        variables={"n": {"type": "integer", "default": 1}},
        outputs={"n": "{{ b.outputs.n }}"},
    )
    run = engine.wait_for(start(organisation, definition), "waiting")
    with pytest.raises(InvalidOutcome) as wrong:
        change_variables(run=run, values={"n": "seven", "m": 1}, actor=ADA)
    assert {problem["path"] for problem in wrong.value.problems} == {"$.n", "$.m"}
    with pytest.raises(StepConflict, match="has changed since you looked"):
        change_variables(run=run, values={"n": 7}, seen={"n": 5}, actor=ADA)
    change_variables(run=run, values={"n": 7}, seen={"n": 1}, actor=ADA, reason="new rate")
    wait_until(lambda: "VariablesChanged" in event_types(run), 10, "the variables to change")
    entry = AuditEntry.objects.get(target_id=str(run.pk), verb="orchestration.run.variables_changed")
    assert (entry.before, entry.after) == ({"n": 1}, {"n": 7})
    runs.signal_node(run_id=run.pk, node="a", by="ada", data=1)
    engine.wait_for(run)
    assert run.outputs == {"n": 7}


def test_a_variable_that_a_decision_shows_is_not_changed_behind_it(
    engine: EngineHost, organisation: Organisation
) -> None:
    asks = {"id": "sign", "type": "approval", "name": "Sign off", "settings": {"message": "Pay {{ vars.n }}?"}}
    variables = {"n": {"type": "integer", "default": 1}, "m": {"type": "integer", "default": 1}}
    run = start(organisation, make_definition([asks], variables=variables))
    engine.wait_for(run, "waiting")
    with pytest.raises(DecidedOn, match=r"“Sign off” shows the variable n"):
        change_variables(run=run, values={"n": 1_000_000}, actor=ADA)
    change_variables(run=run, values={"m": 2}, actor=ADA)


# Another version


def test_a_live_run_is_moved_to_another_version(engine: EngineHost, organisation: Organisation) -> None:
    old = make_definition([scripted("a"), scripted("b", waits=True), scripted("c")], ["a -> b", "b -> c"])
    new = make_definition(
        [scripted("a"), scripted("b", waits=True), scripted("check", outputs={"ok": True})],
        ["a -> b", "b -> check"],
        outputs={"ok": "{{ check.outputs.ok }}"},
    )
    first, second = published(organisation, old, new)
    run = new_runs.start_run(new_runs.NewRun(organisation=organisation, actor=ADA, version=first, inputs={}))
    engine.wait_for(run, "waiting")
    move_run(run=run, version=second, actor=ADA, reason="better")
    wait_until(lambda: "RunMoved" in event_types(run), 10, "the run to be moved")
    run.refresh_from_db()
    assert (run.version, run.definition) == (second, new)
    runs.signal_node(run_id=run.pk, node="b", by="ada", data=1)
    engine.wait_for(run)
    assert run.outputs == {"ok": True} and statuses(run) == {"a": "succeeded", "b": "succeeded", "check": "succeeded"}
    assert run.nodes_total == run.nodes_ended == 3
    assert CALLS[f"{run.pk}/a"] == 1
    replays(run)


def test_a_moved_run_that_is_taken_over_is_folded_with_both_definitions(
    start_engine: Any, organisation: Organisation
) -> None:
    old = make_definition([scripted("gone"), scripted("b", waits=True)], ["gone -> b"])
    new = make_definition([scripted("b", waits=True), scripted("c")], ["b -> c"])
    first, second = published(organisation, old, new)
    engine = start_engine()
    run = new_runs.start_run(new_runs.NewRun(organisation=organisation, actor=ADA, version=first, inputs={}))
    engine.wait_for(run, "waiting")
    move_run(run=run, version=second, actor=ADA)
    wait_until(lambda: "RunMoved" in event_types(run), 10, "the run to be moved")
    engine.stop()
    other = start_engine()
    runs.signal_node(run_id=run.pk, node="b", by="ada", data=1)
    other.wait_for(run)
    assert statuses(run)["c"] == "succeeded"
    replays(run)


def test_a_run_that_does_not_match_is_not_moved(engine: EngineHost, organisation: Organisation) -> None:
    old = make_definition([scripted("a", waits=True)])
    new = make_definition([scripted("z")])
    first, second = published(organisation, old, new)
    run = new_runs.start_run(new_runs.NewRun(organisation=organisation, actor=ADA, version=first, inputs={}))
    engine.wait_for(run, "waiting")
    with pytest.raises(CannotMove, match="no place in the other version") as refused:
        move_run(run=run, version=second, actor=ADA)
    assert refused.value.problems[0]["code"] == "under_way"


# Re-runs


CHAIN = [
    scripted("a", outputs={"n": 1}),
    scripted("b", outputs={"n": "{{ a.outputs.n }}"}),
    scripted("c", outputs={"n": "{{ b.outputs.n }}", "who": "{{ inputs.who }}"}),
]
CHAIN_EDGES = ["a -> b", "b -> c"]
CHAIN_OUTPUTS = {"n": "{{ c.outputs.n }}", "who": "{{ c.outputs.who }}"}


def chain() -> Definition:
    return make_definition(CHAIN, CHAIN_EDGES, outputs=CHAIN_OUTPUTS)


def test_a_rerun_takes_over_what_lies_before_the_chosen_step(engine: EngineHost, organisation: Organisation) -> None:
    origin = engine.wait_for(start(organisation, chain(), {"who": "ada"}))
    wish = Wish(nodes=["b"])
    plan = rerun.plan_of(run=origin, wish=wish)
    assert [step.node for step in plan.reused] == ["a"]
    assert [(step.node, step.why) for step in plan.again] == [("b", "chosen"), ("c", "depends")]
    made = rerun.rerun_from(run=origin, wish=wish, actor=ADA, digest=plan.digest, reason="once more")
    engine.wait_for(made)
    assert made.outputs == {"n": 1, "who": "ada"} == origin.outputs
    assert (made.origin, made.origin_node) == (origin, "b")
    assert CALLS[f"{made.pk}/a"] == 0 and CALLS[f"{made.pk}/b"] == 1
    assert statuses(made) == dict.fromkeys("abc", "succeeded") and made.nodes_ended == made.nodes_total == 3
    replays(made)
    entry = AuditEntry.objects.get(target_id=str(made.pk), verb="orchestration.run.started")
    assert entry.data["origin"] == str(origin.pk) and entry.data["reused"] == ["a"]


def test_a_rerun_may_have_other_inputs_outputs_and_variables(engine: EngineHost, organisation: Organisation) -> None:
    definition = make_definition(
        [*CHAIN[:2], scripted("c", outputs={"n": "{{ b.outputs.n + vars.more }}", "who": "{{ inputs.who }}"})],
        CHAIN_EDGES,
        outputs=CHAIN_OUTPUTS,
        variables={"more": {"type": "integer", "default": 0}},
    )
    origin = engine.wait_for(start(organisation, definition, {"who": "ada"}))
    wish = Wish(nodes=["c"], inputs={"who": "eve"}, outputs={"b": {"n": 10}}, variables={"more": 5})
    made = engine.wait_for(rerun.rerun_from(run=origin, wish=wish, actor=ADA))
    assert made.outputs == {"n": 15, "who": "eve"}
    assert NodeRun.objects.get(run=made, node="b").outputs == {"n": 10}
    assert [step.edited for step in rerun.plan_of(run=origin, wish=wish).reused] == [False, True]
    replays(made)


@pytest.mark.parametrize("ended", ["failed", "cancelled", "live"])
def test_a_run_can_be_rerun_whatever_has_become_of_it(
    engine: EngineHost, organisation: Organisation, ended: str
) -> None:
    second = {"failed": {"fail_times": 1, "retryable": False}}.get(ended, {"waits": True})
    origin = start(organisation, make_definition([scripted("a"), scripted("b", **second)], ["a -> b"]))
    engine.wait_for(origin, "failed" if ended == "failed" else "waiting")
    if ended == "cancelled":
        runs.cancel_run(run=origin, actor=ADA)
        engine.wait_for(origin, "cancelled")
    made = rerun.rerun_from(run=origin, wish=Wish(nodes=["b"]), actor=ADA)
    engine.wait_for(made, "failed" if ended == "failed" else "waiting")
    assert STARTED.count("a") == 1 and STARTED.count("b") == 2


def test_a_loop_is_taken_over_whole_or_runs_again_whole(engine: EngineHost, organisation: Organisation) -> None:
    definition = make_definition(
        [
            {"id": "each", "type": "loop", "settings": {"items": "inputs.items", "output": "{{ work.outputs.v }}"}},
            scripted("work", parent="each", outputs={"v": "{{ loop.item }}"}),
            scripted("after", outputs={"all": "{{ each.outputs.items }}"}),
        ],
        ["each -> after"],
        outputs={"all": "{{ after.outputs.all }}"},
    )
    origin = engine.wait_for(start(organisation, definition, {"items": [1, 2]}))
    made = engine.wait_for(rerun.rerun_from(run=origin, wish=Wish(nodes=["after"]), actor=ADA))
    assert made.outputs == {"all": [1, 2]} and STARTED.count("work") == 2
    plan = rerun.plan_of(run=origin, wish=Wish(nodes=["work"]))
    assert [(step.node, step.why) for step in plan.again] == [
        ("each", "chosen"),
        ("work", "inside"),
        ("after", "depends"),
    ]


def test_a_decision_is_asked_for_again_when_what_it_was_made_on_is_edited(
    engine: EngineHost, organisation: Organisation
) -> None:
    definition = make_definition(
        [scripted("draft", outputs={"text": "x"}), scripted("sign", waits=True), scripted("send")],
        ["draft -> sign", "sign -> send"],
    )
    origin = engine.wait_for(start(organisation, definition), "waiting")
    runs.signal_node(run_id=origin.pk, node="sign", by="ada", data=1)
    engine.wait_for(origin)
    from tests.driver.scripted import Scripted

    Scripted.asks_person = True  # type: ignore[misc]
    try:
        # every node is of this type here, so the draft asks, too, and is a decision that is not edited
        plan = rerun.plan_of(run=origin, wish=Wish(nodes=["send"], outputs={"draft": {"text": "y"}}))
    finally:
        Scripted.asks_person = False  # type: ignore[misc]
    assert [(step.node, step.why) for step in plan.again] == [("sign", "asked_again"), ("send", "chosen")]
    assert [obstacle.code for obstacle in plan.plan.obstacles] == ["decision_edited"]


def test_what_is_taken_over_is_not_undone_by_the_rerun(engine: EngineHost, organisation: Organisation) -> None:
    """It is the origin's work, which may have completed with it. The plan says so, and what is done once more."""
    nodes = [scripted("a"), scripted("un_a"), scripted("b"), scripted("un_b"), scripted("c"), scripted("d", waits=True)]
    nodes[0]["compensate_with"], nodes[2]["compensate_with"] = "un_a", "un_b"
    definition = make_definition(nodes, ["a -> b", "b -> c", "c -> d"])
    origin = engine.wait_for(start(organisation, definition), "waiting")
    runs.signal_node(run_id=origin.pk, node="d", by="ada", data=1)
    engine.wait_for(origin)
    plan = rerun.plan_of(run=origin, wish=Wish(nodes=["b"]))
    assert [step.node for step in plan.kept_up] == ["a"] and [step.node for step in plan.done_twice] == ["b"]
    made = engine.wait_for(rerun.rerun_from(run=origin, wish=Wish(nodes=["b"]), actor=ADA), "waiting")
    runs.cancel_run(run=made, actor=ADA, undo=True)
    engine.wait_for(made, "cancelled")
    assert "NodeSucceeded un_b" in event_types(made) and "NodeStarted un_a" not in event_types(made)


def test_a_plan_that_has_changed_is_shown_again(engine: EngineHost, organisation: Organisation) -> None:
    definition = make_definition([scripted("a", waits=True), scripted("b", waits=True)])
    origin = engine.wait_for(start(organisation, definition), "waiting")
    wish = Wish(nodes=["b"])
    digest = rerun.plan_of(run=origin, wish=wish).digest
    runs.signal_node(run_id=origin.pk, node="a", by="ada", data=1)
    engine.wait_for_node(origin, "a")
    with pytest.raises(rerun.PlanChanged):
        rerun.rerun_from(run=origin, wish=wish, actor=ADA, digest=digest)
    assert not Run.objects.filter(origin=origin).exists()


def test_a_rerun_may_go_on_with_the_newest_version(engine: EngineHost, organisation: Organisation) -> None:
    better = make_definition(
        [*CHAIN[:2], scripted("c", outputs={"n": "{{ b.outputs.n * 100 }}", "who": "{{ inputs.who }}"})],
        CHAIN_EDGES,
        outputs=CHAIN_OUTPUTS,
    )
    first, second = published(organisation, chain(), better)
    origin = new_runs.start_run(
        new_runs.NewRun(organisation=organisation, actor=ADA, version=first, inputs={"who": "ada"})
    )
    engine.wait_for(origin)
    made = rerun.rerun_from(run=origin, wish=Wish(nodes=["c"], version=second), actor=ADA)
    engine.wait_for(made)
    assert made.outputs == {"n": 100, "who": "ada"} and made.version == second
    assert STARTED.count("a") == 1


def test_a_rerun_of_a_step_that_is_not_there_is_refused(engine: EngineHost, organisation: Organisation) -> None:
    origin = engine.wait_for(start(organisation, chain(), {"who": "ada"}))
    with pytest.raises(rerun.CannotRerun, match="no step 'zzz'"):
        rerun.rerun_from(run=origin, wish=Wish(nodes=["zzz"]), actor=ADA)
