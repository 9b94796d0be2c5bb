"""Joins in real runs. The first ones are how other products' joins fail their users (research/product.md)."""

from __future__ import annotations

from typing import Any

import pytest

from orchestration.models import NodeRun, Run
from orchestration.services import runs
from portal.core.actors import Actor
from portal.core.models import Organisation
from tests.driver.scripted import CALLS
from tests.engine_host import EngineHost, event_types, make_definition, start, wait_until

pytestmark = pytest.mark.django_db(transaction=True)

OUTPUTS = {"got": "{{ j.outputs }}"}


def branch(id: str, **settings: Any) -> dict[str, Any]:
    return {"id": id, "type": "scripted", "settings": {"outputs": {"from": id}, **settings}}


def failing(id: str, **more: Any) -> dict[str, Any]:
    return branch(id, fail_times=99, retryable=False, **more)


def join(**join: Any) -> dict[str, Any]:
    return {"id": "j", "type": "join", "join": join}


def run_of(organisation: Organisation, *nodes: dict[str, Any], **more: Any) -> Run:
    """Every node but the join leads to it."""
    edges = [f"{node['id']} -> j" for node in nodes if node["id"] != "j"]
    return start(organisation, make_definition(nodes, edges, outputs=OUTPUTS, **more))


def statuses(run: Run) -> dict[str, str]:
    return {str(row): row.status for row in NodeRun.objects.filter(run=run)}


def test_a_join_takes_every_branch_and_not_only_the_first(engine: EngineHost, organisation: Organisation) -> None:
    run = run_of(organisation, branch("a"), branch("b"), branch("c"), join(rule="all"))
    assert engine.wait_for(run).outputs["got"] == {"a": {"from": "a"}, "b": {"from": "b"}, "c": {"from": "c"}}


def test_a_slow_branch_gives_its_result_to_the_join_and_never_null(
    engine: EngineHost, organisation: Organisation
) -> None:
    run = run_of(organisation, branch("quick"), branch("slow", seconds=0.5), join(rule="all"))
    assert engine.wait_for(run).outputs["got"] == {"quick": {"from": "quick"}, "slow": {"from": "slow"}}
    order = event_types(run)
    assert order.index("NodeSucceeded slow") < order.index("NodeStarted j")


def test_a_join_goes_on_with_two_of_three_only_where_it_says_so(engine: EngineHost, organisation: Organisation) -> None:
    nodes = [branch("a"), branch("b"), branch("slow", seconds=3600)]
    run = engine.wait_for(run_of(organisation, *nodes, join(rule="n_of_m", count=2)))
    assert run.outputs["got"] == {"a": {"from": "a"}, "b": {"from": "b"}}
    assert statuses(run)["slow"] == "cancelled"


def test_a_failed_branch_does_not_silently_count_as_come(engine: EngineHost, organisation: Organisation) -> None:
    run = engine.wait_for(run_of(organisation, branch("a"), failing("b"), join(rule="all")), "failed")
    assert run.error["node"] == "b" and "j" not in statuses(run)


def test_first_success_goes_past_a_failure_and_does_not_wait_for_the_slow(
    engine: EngineHost, organisation: Organisation
) -> None:
    nodes = [failing("a"), branch("b", seconds=0.2), branch("c", seconds=3600)]
    run = engine.wait_for(run_of(organisation, *nodes, join(rule="first_success")))
    assert run.outputs["got"] == {"b": {"from": "b"}}
    assert statuses(run) == {"a": "failed", "b": "succeeded", "c": "cancelled", "j": "succeeded"}
    assert run.error is None


def test_first_success_without_any_fails_with_each_branches_error_and_can_be_retried(
    engine: EngineHost, organisation: Organisation
) -> None:
    nodes = [failing("a", code="busy"), failing("b"), join(rule="first_success")]
    run = engine.wait_for(run_of(organisation, *nodes), "failed")
    assert run.error["code"] == "no_branch_succeeded" and run.error["node"] == "j"
    assert [(found["branch"], found["code"]) for found in run.error["detail"]["branches"]] == [
        ("a", "busy"),
        ("b", "scripted"),
    ]
    runs.retry_run(run=run, actor=Actor.command())
    wait_until(lambda: CALLS[f"{run.id}/a"] == CALLS[f"{run.id}/b"] == 2, 20, "the branches to be tried again")
    engine.wait_for(run, "failed")


def test_all_settled_passes_on_how_each_branch_ended(engine: EngineHost, organisation: Organisation) -> None:
    nodes = [
        branch("a"),
        failing("b"),
        {"id": "c", "type": "condition", "settings": {"condition": "false"}},
        join(rule="all_settled"),
    ]
    edges = ["a -> j", "b -> j", "c:true -> j"]
    run = engine.wait_for(start(organisation, make_definition(nodes, edges, outputs=OUTPUTS)))
    got = run.outputs["got"]
    assert {name: found["status"] for name, found in got.items()} == {"a": "succeeded", "b": "failed", "c": "skipped"}
    assert got["a"]["outputs"] == {"from": "a"} and got["b"]["error"]["node"] == "b"


def test_an_error_deep_in_a_branch_is_named_at_the_join(engine: EngineHost, organisation: Organisation) -> None:
    nodes = [failing("a"), branch("after"), branch("b"), join(rule="all_settled", combine="list")]
    definition = make_definition(nodes, ["a -> after", "after -> j", "b -> j"], outputs=OUTPUTS)
    run = engine.wait_for(start(organisation, definition))
    assert [(found["node"], found["status"]) for found in run.outputs["got"]] == [
        ("after", "failed"),
        ("b", "succeeded"),
    ]
    assert run.outputs["got"][0]["error"]["node"] == "a"
    assert statuses(run)["after"] == "skipped"


def test_a_list_is_in_the_order_of_the_edges(engine: EngineHost, organisation: Organisation) -> None:
    run = run_of(organisation, branch("b", seconds=0.2), branch("a"), join(combine="list"))
    assert engine.wait_for(run).outputs["got"] == [{"from": "b"}, {"from": "a"}]


def test_an_expression_combines_the_branches(engine: EngineHost, organisation: Organisation) -> None:
    combine = "{{ branches.b.status == 'succeeded' ? branches.b.outputs.from : branches.a.error.code + inputs.mark }}"
    nodes = [failing("a"), branch("b"), join(rule="all_settled", combine=combine)]
    definition = make_definition(nodes, ["a -> j", "b -> j"], outputs=OUTPUTS)
    run = engine.wait_for(start(organisation, definition, {"mark": "!"}))
    assert run.outputs["got"] == "b"


def test_an_expression_that_goes_wrong_fails_the_join(engine: EngineHost, organisation: Organisation) -> None:
    run = run_of(organisation, branch("a"), join(combine="{{ branches.a.outputs.nothing }}"))
    run = engine.wait_for(run, "failed")
    assert run.error["node"] == "j" and run.error["code"] == "expression"
    assert run.error["message"].startswith("combine: ")


def test_any_node_may_have_a_rule_and_sees_its_branches(engine: EngineHost, organisation: Organisation) -> None:
    nodes = [
        failing("a"),
        branch("b"),
        {
            "id": "judge",
            "type": "scripted",
            "join": {"rule": "all_settled"},
            "settings": {"outputs": {"a": "{{ branches.a.status }}", "b": "{{ branches.b.outputs.from }}"}},
        },
    ]
    definition = make_definition(nodes, ["a -> judge", "b -> judge"], outputs={"got": "{{ judge.outputs }}"})
    assert engine.wait_for(start(organisation, definition)).outputs["got"] == {"a": "failed", "b": "b"}
