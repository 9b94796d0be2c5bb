"""Policies and ended runs for the tests of retention."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from django.db.models import F

from orchestration.models import Definition, NodeRun, RetentionRule, Run, RunEvent, Workflow
from portal.core.models import Organisation
from tests.engine_host import make_definition


def rule(
    organisation: Organisation,
    *,
    archive: int | None = None,
    delete: int | None = None,
    workflow: Workflow | None = None,
    status: str = "",
) -> RetentionRule:
    return RetentionRule.objects.create(
        organisation=organisation,
        workflow=workflow,
        status=status,
        archive_after_days=archive,
        delete_after_days=delete,
    )


def ended(organisation: Organisation, *, days: float = 10, status: str = "completed", **more: Any) -> Run:
    """A run of one step, as an engine would have left it so many days ago: its row, two events, a node run."""
    definition: Definition = more.pop("definition", None) or make_definition([{"id": "a", "type": "set"}])
    run = Run.objects.create(
        organisation=organisation,
        definition=definition,
        **{"name": "A run", "status": status, "last_seq": 2, "nodes_total": 1, "nodes_ended": 1, **more},
    )
    run.refresh_from_db()
    RunEvent.objects.create(run=run, seq=1, at=run.created_at, type="RunStarted", data={"inputs": {}})
    RunEvent.objects.create(run=run, seq=2, at=run.created_at, type="RunCompleted", data={"outputs": {}})
    NodeRun.objects.create(run=run, node="a", type="set", name="a", status="succeeded")
    Run.objects.filter(pk=run.pk).update(started_at=F("created_at"), ended_at=F("created_at"))
    age([run], days)
    return run


def age(runs: Sequence[Run], days: float) -> None:
    """Let runs have ended so many days ago, by their rows and by their last events."""
    for run in runs:
        Run.objects.filter(pk=run.pk).update(ended_at=F("ended_at") - timedelta(days=days))
        RunEvent.objects.filter(run=run, seq=run.last_seq).update(at=F("at") - timedelta(days=days))
        run.refresh_from_db()
