"""How long runs are kept, and legal holds, by API. Contract: docs/reference/api.md."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from ninja import Field, Router, Schema, Status

from orchestration import access
from orchestration.api.run_requests import Reason
from orchestration.models import LegalHold, Run, Workflow
from orchestration.queries import retention as queries
from orchestration.queries.retention import Line
from orchestration.queries.workflows import workflow_ids
from orchestration.retention.choosing import Act
from orchestration.retention.rules import Rule, saved
from orchestration.services import holds
from orchestration.services import retention as service
from portal.core.actors import Actor
from portal.core.api_auth import ApiRequest, allow
from portal.core.permissions import Permission

router = Router(tags=["retention"])
of_runs = Router(tags=["retention"])
of_workflows = Router(tags=["retention"])

Days = Annotated[int | None, Field(description="After the end of the run; null: never.")]


class RuleIn(Schema):
    workflow: str | None = Field(None, description="Slug; null: any workflow.")
    status: str | None = Field(None, description="completed, failed or cancelled; null: any.")
    archive_after_days: Days = None
    delete_after_days: Days = None


class Policy(Schema):
    rules: list[RuleIn] = Field(description="The one that names most of a run counts. None: every run is kept.")


class LineOut(Schema):
    workflow: str | None
    status: str
    runs: int = Field(description="With the runs they began.")
    events: int
    ended_from: datetime
    ended_until: datetime
    rule: RuleIn


class PreviewOut(Schema):
    archive: list[LineOut]
    delete: list[LineOut]
    held: int = Field(description="Ended runs that a legal hold keeps.")


class HoldIn(Reason):
    reason: Annotated[str, Field(min_length=1, max_length=500, description="Kept in the audit ledger.")]


class HoldOut(Schema):
    id: UUID
    run: UUID | None
    workflow: str | None
    reason: str
    set_by: str
    set_at: datetime
    lifted_by: str
    lifted_because: str
    lifted_at: datetime | None

    @staticmethod
    def resolve_run(hold: LegalHold) -> UUID | None:
        return hold.run_id

    @staticmethod
    def resolve_workflow(hold: LegalHold) -> str | None:
        return hold.workflow.slug if hold.workflow else None


@router.get("", response=Policy, summary="How long runs are kept")
def read(request: ApiRequest) -> Any:
    allow(request, Permission.RETENTION_MANAGE)
    return {"rules": [rule.as_json() for rule in saved(request.organisation)]}


@router.put("", response=Policy, summary="Say how long runs are kept")
def write(request: ApiRequest, body: Policy) -> Any:
    """Replaces all rules. 422 with `problems` if they are not right. The jobs act on it within a quarter of an hour."""
    allow(request, Permission.RETENTION_MANAGE)
    service.set_policy(organisation=request.organisation, rules=_rules(request, body), actor=Actor.of(request))
    return read(request)


@router.post("/preview", response=PreviewOut, summary="What a policy would do now")
def preview(request: ApiRequest, body: Policy) -> Any:
    """Changes nothing."""
    allow(request, Permission.RETENTION_MANAGE)
    rules = _rules(request, body)
    service.check(request.organisation, rules)
    found = queries.preview(request.organisation, rules)
    return {
        "archive": [_line(line) for line in found.of(Act.ARCHIVE)],
        "delete": [_line(line) for line in found.of(Act.DELETE)],
        "held": found.held,
    }


@router.get("/holds", response=list[HoldOut], summary="Legal holds that stand")
def list_holds(request: ApiRequest) -> Any:
    allow(request, Permission.RETENTION_MANAGE)
    return queries.standing(request.organisation)


@of_runs.post("/{uuid:run_id}/hold", response={201: HoldOut}, summary="Put a run on legal hold")
def hold_run(request: ApiRequest, run_id: UUID, body: HoldIn) -> Any:
    """409 if it is held already."""
    return Status(201, holds.hold(_run(request, run_id), **body.said(request)))


@of_runs.post("/{uuid:run_id}/hold/lift", response=HoldOut, summary="Lift a run's legal hold")
def lift_run(request: ApiRequest, run_id: UUID, body: HoldIn) -> Any:
    """409 if it is not held by itself."""
    return holds.lift(_run(request, run_id), **body.said(request))


@of_workflows.post("/{slug:slug}/hold", response={201: HoldOut}, summary="Put all runs of a workflow on legal hold")
def hold_workflow(request: ApiRequest, slug: str, body: HoldIn) -> Any:
    """Those to come, too. 409 if it is held already."""
    return Status(201, holds.hold(_workflow(request, slug), **body.said(request)))


@of_workflows.post("/{slug:slug}/hold/lift", response=HoldOut, summary="Lift a workflow's legal hold")
def lift_workflow(request: ApiRequest, slug: str, body: HoldIn) -> Any:
    return holds.lift(_workflow(request, slug), **body.said(request))


def _run(request: ApiRequest, run_id: UUID) -> Run:
    allow(request, Permission.RETENTION_MANAGE)
    return access.run_for(request.organisation, run_id)


def _workflow(request: ApiRequest, slug: str) -> Workflow:
    allow(request, Permission.RETENTION_MANAGE)
    return access.workflow_for(request.organisation, slug)


def _rules(request: ApiRequest, body: Policy) -> list[Rule]:
    """Raises service.InvalidPolicy for workflows that are not there."""
    known = workflow_ids(request.organisation, {rule.workflow for rule in body.rules if rule.workflow})
    unknown = [
        {"path": f"$.rules[{number}].workflow", "message": f"there is no workflow {rule.workflow!r}"}
        for number, rule in enumerate(body.rules)
        if rule.workflow and rule.workflow not in known
    ]
    if unknown:
        raise service.InvalidPolicy(unknown)
    return [
        Rule(
            known[rule.workflow] if rule.workflow else None,
            rule.status or "",
            rule.archive_after_days,
            rule.delete_after_days,
            rule.workflow or "",
        )
        for rule in body.rules
    ]


def _line(line: Line) -> dict[str, Any]:
    count = line.count
    return {
        "workflow": count.slug or None,
        "status": count.status,
        "runs": count.runs,
        "events": count.events,
        "ended_from": count.first_ended_at,
        "ended_until": count.last_ended_at,
        "rule": line.rule.as_json(),
    }
