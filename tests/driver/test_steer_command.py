"""`manage.py steer`: what the page and the API do to a run, on the command line."""

from __future__ import annotations

import json
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from orchestration.models import Run, RunEvent
from orchestration.monitoring import control
from portal.core.models import AuditEntry, Organisation
from tests.driver.scripted import CALLS
from tests.driver.test_runs import scripted
from tests.driver.test_steering import published
from tests.engine_host import EngineHost, make_definition, start, wait_until

pytestmark = pytest.mark.django_db(transaction=True)


def steer(action: str, run: Run, *arguments: str) -> dict[str, Any]:
    out = StringIO()
    call_command("steer", action, str(run.pk), *arguments, stdout=out, stderr=StringIO())
    said: dict[str, Any] = json.loads(out.getvalue())
    return said


def test_pause_shows_what_goes_on_and_resume_lets_the_run_end(engine: EngineHost, organisation: Organisation) -> None:
    nodes = [scripted("ask", waits=True), scripted("after")]
    run = start(organisation, make_definition(nodes, ["ask -> after"]))
    engine.wait_for_node(run, "ask", "waiting")
    steer("pause", run, "--reason", "a look first")
    engine.wait_for(run, "paused")
    assert not control.control(run).asked
    assert run.status == "paused", "a row read before the wish was carried out is read again"
    shown = steer("show", run)
    assert shown["status"] == "paused" and [step["node"] for step in shown["goes_on"]] == ["ask"]
    with pytest.raises(CommandError, match="paused") as refused:
        steer("pause", run)
    assert refused.value.returncode == 1
    steer("resume", run)
    engine.wait_for(run, "waiting")
    steer("cancel", run)
    engine.wait_for(run, "cancelled")
    entry = AuditEntry.objects.get(target_id=str(run.pk), verb="orchestration.run.pause_requested")
    assert (entry.actor_label, entry.channel, entry.data) == ("command line", "cli", {"reason": "a look first"})


def test_a_failed_run_is_retried_and_followed_to_its_outputs(engine: EngineHost, organisation: Organisation) -> None:
    nodes = [scripted("a", outputs={"n": 1}), scripted("b", crash="oh")]
    run = start(organisation, make_definition(nodes, ["a -> b"], outputs={"n": "{{ a.outputs.n }}"}))
    engine.wait_for(run, "failed")
    plan = steer("retry", run, "--plan")
    assert (plan["reused"], [step["step"] for step in plan["again"]]) == (["a"], ["b"])
    with pytest.raises(SystemExit) as ended:
        steer("retry", run, "--follow")
    assert ended.value.code == 1
    assert steer("override", run, "b", "--outputs", '{"n": 2}', "--follow") == {"n": 1}
    assert sum(number for key, number in CALLS.items() if "/a" in key) == 1, "what had succeeded is not done again"
    assert RunEvent.objects.filter(run=run, type="RunCompleted").count() == 1


def test_steps_and_variables(engine: EngineHost, organisation: Organisation) -> None:
    nodes = [
        scripted("stuck", seconds=3600),
        scripted("again", fail_times=1, retry={"max_attempts": 2, "initial_seconds": 3600, "jitter": False}),
        scripted("after", outputs={"rate": "{{ vars.rate }}"}),
    ]
    variables = {"rate": {"type": "number", "default": 1}}
    definition = make_definition(
        nodes, ["stuck -> after", "again -> after"], variables=variables, outputs={"rate": "{{ after.outputs.rate }}"}
    )
    run = start(organisation, definition)
    engine.wait_for_node(run, "again", "retrying")
    with pytest.raises(CommandError, match="rate") as wrong:
        steer("variables", run, "--set", "rate=much")
    assert wrong.value.returncode == 2
    steer("variables", run, "--set", "rate=2.5")
    wait_until(lambda: RunEvent.objects.filter(run=run, type="VariablesChanged").exists(), 10, "the variables")
    steer("retry-step", run, "again")
    engine.wait_for_node(run, "again", "succeeded")
    assert steer("skip", run, "stuck", "--follow") == {"rate": 2.5}


def test_a_plan_changes_nothing_and_the_rerun_does_what_it_said(engine: EngineHost, organisation: Organisation) -> None:
    nodes = [scripted("a", outputs={"n": 1}), scripted("b", outputs={"got": "{{ a.outputs.n }}"})]
    run = start(organisation, make_definition(nodes, ["a -> b"], outputs={"got": "{{ b.outputs.got }}"}))
    engine.wait_for(run)
    wish = ["--from", "b", "--output", 'a={"n": 5}']
    plan = steer("rerun", run, *wish, "--plan")
    assert plan["reused"] == ["a"] and [step["node"] for step in plan["again"]] == ["b"]
    assert not Run.objects.filter(origin=run).exists()
    assert steer("rerun", run, *wish, "--follow") == {"got": 5}
    assert Run.objects.get(origin=run).origin_node == "b"


def test_another_version_first_dry(engine: EngineHost, organisation: Organisation) -> None:
    first = make_definition([scripted("a", waits=True)])
    second = make_definition([scripted("a", waits=True), scripted("b")], ["a -> b"])
    versions = published(organisation, first, second)
    run = start(organisation, first, version=versions[0])
    engine.wait_for_node(run, "a", "waiting")
    plan = steer("move", run, "--plan")
    assert (plan["version"], plan["possible"], plan["under_way"], plan["new"]) == (2, True, ["a"], ["b"])
    steer("move", run)
    wait_until(lambda: RunEvent.objects.filter(run=run, type="RunMoved").exists(), 10, "the move")
    with pytest.raises(CommandError, match="already"):
        steer("move", run, "--version-number", "2")


def test_what_cannot_be_meant_is_said(organisation: Organisation) -> None:
    run = start(organisation, make_definition([scripted("a")]))
    for arguments in (
        ["pause", "nonsense"],
        ["pause", "00000000-0000-0000-0000-000000000000"],
        ["pause", str(run.pk), "--user", "nobody"],
        ["skip", str(run.pk), "a", "--path", "x"],
        ["override", str(run.pk), "a", "--outputs", "{"],
        ["variables", str(run.pk), "--set", "rate"],
        ["move", str(run.pk)],
    ):
        with pytest.raises(CommandError) as wrong:
            call_command("steer", *arguments)
        assert wrong.value.returncode == 2, arguments
    assert run.signals.count() == 0
