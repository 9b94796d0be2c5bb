"""Steering by API: what is answered, who may, and what the second of two people is told."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from orchestration.models import Run
from portal.core.models import AuditEntry, Organisation
from tests.driver.test_runs import scripted
from tests.engine_host import EngineHost, make_definition, start
from tests.factories import bearer, make_member, make_organisation, make_token

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("scripted_nodes")]


class Caller:
    def __init__(self, organisation: Organisation, role: str) -> None:
        self.headers = bearer(make_token(organisation, make_member(organisation, role)))

    def post(self, run: Run, path: str, body: Any = None) -> Any:
        return Client().post(
            f"/api/v1/runs/{run.pk}/{path}", body or {}, content_type="application/json", headers=self.headers
        )

    def get(self, run: Run) -> Any:
        return Client().get(f"/api/v1/runs/{run.pk}", headers=self.headers).json()


def waiting_run(engine: EngineHost, organisation: Organisation, **more: Any) -> Run:
    definition = make_definition(
        [scripted("a"), scripted("b", waits=True), scripted("c")], ["a -> b", "b -> c"], **more
    )
    return engine.wait_for(start(organisation, definition), "waiting")


def test_what_is_large_stands_in_the_ledger_by_its_digest(engine: EngineHost, organisation: Organisation) -> None:
    run = waiting_run(engine, organisation)
    engine.stop()
    outputs = {"text": "x" * 300_000, "short": "a\0b"}
    assert Caller(organisation, "operator").post(run, "steps/c/override", {"outputs": outputs}).status_code == 202
    told = AuditEntry.objects.get(verb="orchestration.run.step_overridden").after["outputs"]
    assert told["text"]["$value"] and told["text"]["bytes"] == 300_000
    assert told["short"] == "a\ufffdb", "as the run has it"


def test_a_step_is_overridden_and_the_second_is_told(engine: EngineHost, organisation: Organisation) -> None:
    run = waiting_run(engine, organisation)
    engine.stop()
    # what waits here is called an approval by its reason, so the engine refuses to go round it
    caller = Caller(organisation, "operator")
    refused = caller.post(run, "steps/b/override", {"outputs": {}})
    assert refused.status_code == 409 and "No path leads round it" in refused.json()["detail"]
    assert caller.post(run, "steps/c/override", {"outputs": {"n": 1}, "reason": "known"}).status_code == 202
    second = caller.post(run, "steps/c/skip")
    assert second.status_code == 409
    assert second.json()["code"] == "asked" and second.json()["state"] == "waiting"
    [asked] = caller.get(run)["asked"]
    assert (asked["kind"], asked["node"], asked["reason"]) == ("override", "c", "known")


def test_variables_and_plans(engine: EngineHost, organisation: Organisation) -> None:
    run = waiting_run(engine, organisation, variables={"n": {"type": "integer", "default": 1}})
    caller = Caller(organisation, "operator")
    wrong = caller.post(run, "variables", {"values": {"n": "x"}})
    assert wrong.status_code == 422 and wrong.json()["problems"][0]["path"] == "$.n"
    assert caller.post(run, "variables", {"values": {"n": 2}}).status_code == 202

    plan = caller.post(run, "rerun/plan", {"nodes": ["b"]}).json()
    assert [step["node"] for step in plan["reused"]] == ["a"]
    assert [(step["node"], step["why"]) for step in plan["again"]] == [("b", "chosen"), ("c", "unfinished")]
    stale = caller.post(run, "rerun", {"nodes": ["b"], "plan": "another"})
    assert stale.status_code == 409 and stale.json()["code"] == "plan_changed"
    made = caller.post(run, "rerun", {"nodes": ["b"], "plan": plan["digest"]})
    assert made.status_code == 201
    linked = caller.get(Run.objects.get(pk=made.json()["id"]))
    assert linked["origin"] == str(run.pk)
    assert caller.get(run)["reruns"] == [made.json()["id"]]
    assert caller.post(run, "move/plan").json()["code"] == "no_workflow"


def test_pause_says_what_goes_on_meanwhile(engine: EngineHost, organisation: Organisation) -> None:
    run = start(organisation, make_definition([scripted("a", seconds=3600), scripted("b", waits=True)]))
    engine.wait_for_node(run, "a", "running")
    engine.wait_for_node(run, "b", "waiting")
    answer = Caller(organisation, "operator").post(run, "pause", {"reason": "look at it"}).json()
    assert {(step["node"], step["status"], step["waiting_for"]) for step in answer["goes_on"]} == {
        ("a", "running", ""),
        ("b", "waiting", "approval"),
    }


STEERING = [
    "steps/a/skip",
    "steps/a/override",
    "steps/a/retry",
    "variables",
    "move/plan",
    "move",
    "rerun/plan",
    "rerun",
]


@pytest.mark.parametrize("path", STEERING)
def test_who_may_not_control_runs_may_not_steer_them(organisation: Organisation, path: str) -> None:
    run = start(organisation, make_definition([scripted("a")]))
    body = {"outputs": {}, "values": {}, "nodes": ["a"]}
    assert Caller(organisation, "viewer").post(run, path, body).status_code == 403
    assert Caller(make_organisation(), "operator").post(run, path, body).status_code == 404
