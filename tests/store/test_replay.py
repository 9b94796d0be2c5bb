"""`manage.py replay_run`: real runs fold to what is stored; whatever was changed is named with its place."""

import json
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from orchestration.models import NodeRun, Run, RunEvent
from orchestration.queries.replay import replay
from orchestration.services import runs
from orchestration.store import snapshots
from portal.core.actors import Actor
from portal.core.models import Organisation
from tests.engine_host import EngineHost, make_definition, start, wait_until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("scripted_nodes")]


LOOP = [
    {"id": "begin", "type": "scripted", "settings": {"usage": {"cost_usd": 0.0125, "input_tokens": 3}}},
    {"id": "each", "type": "loop", "settings": {"items": "[1, 2, 3]", "output": "{{ inside.outputs.n }}"}},
    {"id": "inside", "type": "scripted", "parent": "each", "settings": {"outputs": {"n": "{{ loop.item }}"}}},
    {
        "id": "flaky",
        "type": "scripted",
        "settings": {"fail_times": 1},
        "retry": {"max_attempts": 2, "initial_seconds": 0.1},
    },
]
EDGES = ["begin -> each", "each -> flaky"]


@pytest.fixture
def run(engine: EngineHost, organisation: Organisation) -> Run:
    return engine.wait_for(start(organisation, make_definition(LOOP, EDGES)))


def command(*arguments: str) -> tuple[int, list[dict[str, Any]]]:
    out = StringIO()
    try:
        call_command("replay_run", *arguments, "--json", stdout=out)
        status = 0
    except CommandError as error:
        status = error.returncode
    return status, [json.loads(line) for line in out.getvalue().splitlines()]


def test_a_run_folds_to_what_is_stored(run: Run) -> None:
    status, (found,) = command(str(run.pk))
    assert (status, found["differences"], found["planned"]) == (0, [], 0)
    assert found["events"] == run.last_seq and found["same"]


def test_a_failed_run_that_was_retried_folds_too(engine: EngineHost, organisation: Organisation) -> None:
    run = engine.wait_for(
        start(organisation, make_definition([{"id": "a", "type": "scripted", "settings": {"fail_times": 1}}])), "failed"
    )
    assert replay(run).same
    runs.retry_run(run=run, actor=Actor.command())
    engine.wait_for(run, "completed", "failed")
    assert replay(run).differences == []


def test_a_run_that_waits_is_compared_as_far_as_it_is(
    engine: EngineHost, organisation: Organisation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshots, "LONG", 2)
    definition = make_definition([{"id": "wait", "type": "delay", "settings": {"seconds": 60}}])
    run = engine.wait_for(start(organisation, definition), "waiting")
    wait_until(lambda: Run.objects.filter(pk=run.pk, snapshot__isnull=False).exists(), 10, "its snapshot")
    assert replay(run).same
    run.snapshot.body = b"torn"
    run.snapshot.save()
    (found,) = replay(run).differences
    assert found.place == "snapshot at 3" and "cannot be read" in found.stored


@pytest.mark.parametrize(
    ("change", "place"),
    [
        (lambda run: Run.objects.filter(pk=run.pk).update(status="failed"), "run.status"),
        (lambda run: Run.objects.filter(pk=run.pk).update(cost_usd=1), "run.cost_usd"),
        (lambda run: NodeRun.objects.filter(run=run, path="1").update(outputs={}), "node run inside[1].outputs"),
        (lambda run: NodeRun.objects.filter(run=run, node="begin").delete(), "node run begin"),
        (lambda run: RunEvent.objects.filter(run=run, seq=3).delete(), "event 3"),
        (lambda run: RunEvent.objects.filter(run=run, seq=3).update(type="NodeResumed", data={}), "event 3"),
    ],
)
def test_what_was_changed_is_named(run: Run, change: Any, place: str) -> None:
    change(run)
    status, (found,) = command(str(run.pk))
    assert status == 1 and place in [difference["place"] for difference in found["differences"]]


def test_an_event_of_newer_code_is_said(run: Run) -> None:
    RunEvent.objects.filter(run=run, seq=2).update(type="NodeTeleported")
    status, (found,) = command(str(run.pk))
    assert status == 1 and found["unknown"] == "event 2: events of the type NodeTeleported"


def test_all_runs_and_bad_input(run: Run) -> None:
    status, found = command("--all")
    assert status == 0 and len(found) == 1
    for arguments in ([], ["nothing"], ["00000000-0000-0000-0000-000000000000"], ["--all", str(run.pk)]):
        assert command(*arguments)[0] == 2
