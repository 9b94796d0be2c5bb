"""How long runs are kept, and legal holds, by API. Contract: docs/reference/api.md."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from django.http import HttpRequest
from ninja import Field, Router, Schema, Status

from orchestration import access
from orchestration.models import LegalHold, Run, Workflow
from orchestration.queries import retention as queries
from orchestration.queries.retention import Line
from orchestration.retention.choosing import Act
from orchestration.retention.rules import Rule, saved
from orchestration.services import holds
from orchestration.services import retention as service
from portal.core.actors import Actor
from portal.core.api_auth import allow
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


class HoldIn(Schema):
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
def read(request: HttpRequest) -> Any:
    allow(request, Permission.RETENTION_MANAGE)
    return {"rules": [rule.as_json() for rule in saved(request.organisation)]}  # type: ignore[attr-defined]


@router.put("", response=Policy, summary="Say how long runs are kept")
def write(request: HttpRequest, body: Policy) -> Any:
    """Replaces all rules. 422 with `problems` if they are not right. The jobs act on it within a quarter of an hour."""
    allow(request, Permission.RETENTION_MANAGE)
    organisation = request.organisation  # type: ignore[attr-defined]
    service.set_policy(organisation=organisation, rules=_rules(request, body), actor=Actor.of(request))
    return read(request)


@router.post("/preview", response=PreviewOut, summary="What a policy would do now")
def preview(request: HttpRequest, body: Policy) -> Any:
    """Changes nothing."""
    allow(request, Permission.RETENTION_MANAGE)
    rules = _rules(request, body)
    service.check(request.organisation, rules)  # type: ignore[attr-defined]
    found = queries.preview(request.organisation, rules)  # type: ignore[attr-defined]
    return {
        "archive": [_line(line) for line in found.of(Act.ARCHIVE)],
        "delete": [_line(line) for line in found.of(Act.DELETE)],
        "held": found.held,
    }


@router.get("/holds", response=list[HoldOut], summary="Legal holds that stand")
def list_holds(request: HttpRequest) -> Any:
    allow(request, Permission.RETENTION_MANAGE)
    return queries.standing(request.organisation)  # type: ignore[attr-defined]


@of_runs.post("/{uuid:run_id}/hold", response={201: HoldOut}, summary="Put a run on legal hold")
def hold_run(request: HttpRequest, run_id: UUID, body: HoldIn) -> Any:
    """409 if it is held already."""
    return Status(201, holds.hold_run(run=_run(request, run_id), **_said(request, body)))


@of_runs.post("/{uuid:run_id}/hold/lift", response=HoldOut, summary="Lift a run's legal hold")
def lift_run(request: HttpRequest, run_id: UUID, body: HoldIn) -> Any:
    """409 if it is not held by itself."""
    return holds.lift_run(run=_run(request, run_id), **_said(request, body))


@of_workflows.post("/{slug:slug}/hold", response={201: HoldOut}, summary="Put all runs of a workflow on legal hold")
def hold_workflow(request: HttpRequest, slug: str, body: HoldIn) -> Any:
    """Those to come, too. 409 if it is held already."""
    return Status(201, holds.hold_workflow(workflow=_workflow(request, slug), **_said(request, body)))


@of_workflows.post("/{slug:slug}/hold/lift", response=HoldOut, summary="Lift a workflow's legal hold")
def lift_workflow(request: HttpRequest, slug: str, body: HoldIn) -> Any:
    return holds.lift_workflow(workflow=_workflow(request, slug), **_said(request, body))


def _run(request: HttpRequest, run_id: UUID) -> Run:
    allow(request, Permission.RETENTION_MANAGE)
    return access.run_for(request.organisation, run_id)  # type: ignore[attr-defined]


def _workflow(request: HttpRequest, slug: str) -> Workflow:
    allow(request, Permission.RETENTION_MANAGE)
    return access.workflow_for(request.organisation, slug)  # type: ignore[attr-defined]


def _said(request: HttpRequest, body: HoldIn) -> dict[str, Any]:
    return {"actor": Actor.of(request), "reason": body.reason}


def _rules(request: HttpRequest, body: Policy) -> list[Rule]:
    """Raises service.InvalidPolicy for workflows that are not there."""
    organisation = request.organisation  # type: ignore[attr-defined]
    slugs = {rule.workflow for rule in body.rules if rule.workflow}
    known = dict(Workflow.objects.filter(organisation=organisation, slug__in=slugs).values_list("slug", "pk"))
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
