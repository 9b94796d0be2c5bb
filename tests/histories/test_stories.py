"""What people do to a live run, told by real runs, so that each has a history to keep (`stored.py`)."""

from typing import Any

import pytest

from orchestration.engine.signals import SignalKind
from orchestration.models import Run
from orchestration.services import runs
from orchestration.services.runs import post_signal
from portal.core.actors import Actor
from portal.core.models import Organisation
from tests.engine_host import EngineHost, event_types, make_definition, start

pytestmark = pytest.mark.django_db(transaction=True)

SLEEP = {"id": "sleep", "type": "delay", "settings": {"seconds": 3600}}


def keeps(name: str, value: str) -> dict[str, Any]:
    return {"id": name, "type": "set", "settings": {"variables": {"kept": value}}}


def asleep(engine: EngineHost, organisation: Organisation, *edges: str) -> Run:
    definition = make_definition([SLEEP, keeps("end", "x")], ["sleep -> end"], variables={"kept": {"type": "string"}})
    return engine.wait_for(start(organisation, definition), "waiting")


def test_a_waiting_step_is_overridden(engine: EngineHost, organisation: Organisation) -> None:
    run = asleep(engine, organisation)
    post_signal(run_id=run.pk, kind=SignalKind.OVERRIDE, node="sleep", by="ada", data={"outputs": {"n": 1}})
    engine.wait_for(run)
    assert "NodeOverridden sleep" in event_types(run)


def test_a_waiting_step_is_skipped(engine: EngineHost, organisation: Organisation) -> None:
    run = asleep(engine, organisation)
    post_signal(run_id=run.pk, kind=SignalKind.SKIP, node="sleep", by="ada")
    engine.wait_for(run)
    assert "NodeSkipped sleep" in event_types(run)


def test_variables_are_edited(engine: EngineHost, organisation: Organisation) -> None:
    run = asleep(engine, organisation)
    post_signal(run_id=run.pk, kind=SignalKind.VARIABLES, by="ada", data={"values": {"kept": "edited"}})
    runs.cancel_run(run=run, actor=Actor.command())
    engine.wait_for(run, "cancelled")
    assert "VariablesChanged" in event_types(run)


def test_a_run_is_moved_to_another_version(engine: EngineHost, organisation: Organisation) -> None:
    run = asleep(engine, organisation)
    later = make_definition(
        [SLEEP, keeps("end", "of the next version"), keeps("more", "more")],
        ["sleep -> end", "end -> more"],
        variables={"kept": {"type": "string"}},
    )
    data = {"definition": later.digest, "version": 2, "previous": run.definition_id, "previous_version": 1}
    post_signal(run_id=run.pk, kind=SignalKind.MOVE, by="ada", data=data)
    post_signal(run_id=run.pk, kind=SignalKind.SKIP, node="sleep", by="ada")
    engine.wait_for(run)
    assert "RunMoved" in event_types(run) and "NodeSucceeded more" in event_types(run)


def test_a_paused_run_goes_on(engine: EngineHost, organisation: Organisation) -> None:
    run = asleep(engine, organisation)
    runs.pause_run(run=run, actor=Actor.command(), reason="lunch")
    engine.wait_for(run, "paused")
    runs.resume_run(run=run, actor=Actor.command())
    engine.wait_for(run, "waiting")
    runs.cancel_run(run=run, actor=Actor.command())
    engine.wait_for(run, "cancelled")


def test_branches_by_condition_and_switch(engine: EngineHost, organisation: Organisation) -> None:
    nodes = [
        {"id": "split", "type": "parallel"},
        {"id": "check", "type": "condition", "settings": {"condition": "inputs.n > 1"}},
        {
            "id": "choose",
            "type": "switch",
            "settings": {"cases": [{"port": "a", "when": "inputs.kind == 'a'"}]},
        },
        {"id": "bad", "type": "fail", "settings": {"message": "No."}},
        {"id": "join", "type": "join"},
    ]
    edges = ["split -> check", "split -> choose", "check:true -> join", "check:false -> bad", "choose:a -> join"]
    run = start(organisation, make_definition(nodes, edges), {"n": 2, "kind": "a"})
    engine.wait_for(run)


def test_a_run_that_fails_by_its_own_word(engine: EngineHost, organisation: Organisation) -> None:
    run = start(organisation, make_definition([{"id": "bad", "type": "fail", "settings": {"message": "No."}}]))
    engine.wait_for(run, "failed")


def test_data_is_reshaped(engine: EngineHost, organisation: Organisation) -> None:
    settings = {"input": "{{ inputs.rows }}", "output": "value.size()"}
    run = start(
        organisation, make_definition([{"id": "shape", "type": "transform", "settings": settings}]), {"rows": [1]}
    )
    engine.wait_for(run)
