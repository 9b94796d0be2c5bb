"""Run a ready workflow to its end, a person deciding whatever is asked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from approvals.models import ApprovalRequest
from approvals.services.decisions import decide
from orchestration.models import NodeRun, Run, Workflow
from orchestration.samples import sample
from orchestration.services.starting import start_workflow
from portal.core.actors import Actor
from tests.cast import Cast
from tests.engine_host import EngineHost, wait_until

JSON = Any
Decide = Callable[[ApprovalRequest], tuple[str, str]]
"""From a request to (option, comment)."""


def start_sample(cast: Cast, slug: str, inputs: dict[str, JSON] | None = None) -> Run:
    workflow = Workflow.objects.get(organisation=cast.organisation, slug=slug)
    run, _ = start_workflow(
        workflow=workflow, inputs=inputs or sample(slug).example, actor=Actor.command(), source="test"
    )
    return run


def run_to_end(engine: EngineHost, cast: Cast, run: Run, verdict: Decide, seconds: float = 60) -> Run:
    """Until the run has ended; every request that opens on the way is decided by the approver."""
    approver = cast.by_role["approver"]

    def ended() -> bool:
        if engine.error:
            raise engine.error
        for request in ApprovalRequest.objects.filter(run_id=run.pk, status="open"):
            option, comment = verdict(request)
            decide(request=request, user=approver, actor=Actor.command(approver), option=option, comment=comment)
        run.refresh_from_db()
        return run.status in ("completed", "failed", "cancelled")

    wait_until(ended, seconds, lambda: f"the end; the run is {run.status}")
    assert run.status == "completed", run.error
    return run


def outputs_of(run: Run, node: str) -> JSON:
    return NodeRun.objects.get(run=run, node=node, path="").outputs
