"""Approvals by API. A decision is a POST by a token of a person who may decide."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime
from typing import Any
from uuid import UUID

from ninja import Field, Query, Router, Schema

from approvals import access, queries
from approvals.models import ApprovalRequest, Decision
from approvals.services import decisions
from orchestration.monitoring import large
from portal.core.access import MissingPermission
from portal.core.actors import Actor
from portal.core.api_auth import ApiRequest, allow
from portal.core.permissions import Permission

router = Router(tags=["approvals"])


class DecisionOut(Schema):
    option: str
    label: str
    comment: str
    values: Any = None
    decided_by: str = Field(alias="decided_by_label")
    decided_at: datetime
    right: str


class ApprovalOut(Schema):
    id: UUID
    status: str
    kind: str
    title: str
    message: str
    run: UUID = Field(alias="run_id")
    node: str
    path: str
    options: list[dict[str, Any]]
    recommended: str
    context: Any
    fields: dict[str, Any] = Field(alias="fields_schema", description="JSON Schema of what the person fills in.")
    assignee_user: str | None
    assignee_role: str
    opened_at: datetime
    closed_at: datetime | None
    closed_because: str
    decision: DecisionOut | None

    @staticmethod
    def resolve_context(asked: ApprovalRequest) -> Any:
        """Large values as references with a `url`."""
        return large.linked(asked.context, asked.run)

    @staticmethod
    def resolve_assignee_user(asked: ApprovalRequest) -> str | None:
        return asked.assignee_user.get_username() if asked.assignee_user else None

    @staticmethod
    def resolve_decision(asked: ApprovalRequest) -> Decision | None:
        return getattr(asked, "decision", None)


class Decide(Schema):
    option: str = Field(description="Port of one of the request's options.")
    comment: str = Field("", max_length=10_000)
    fields: dict[str, Any] | None = Field(
        None,
        description="By the request's JSON Schema `fields`. Of a failed step: `settings` with the option retry_with, "
        "`outputs` (and `port`) with skip.",
    )


class ListQuery(Schema):
    view: str = Field("mine", pattern="^(mine|open|decided|withdrawn)$")
    q: str = ""
    workflow: str = ""
    limit: int = Field(50, ge=1, le=200)
    offset: int = Field(0, ge=0)


@router.get("/approvals", response=list[ApprovalOut], summary="List approval requests")
def list_requests(request: ApiRequest, query: Query[ListQuery]) -> Any:
    """`mine` are the open ones the token's user may decide."""
    allow(request, Permission.APPROVALS_VIEW)
    chosen = queries.InboxFilter(view=query.view, q=query.q, workflow=query.workflow)
    found = queries.inbox(request.user, request.organisation, chosen)
    return list(found[query.offset : query.offset + query.limit])


@router.get("/approvals/{uuid:request_id}", response=ApprovalOut, summary="One approval request")
def read(request: ApiRequest, request_id: UUID) -> Any:
    allow(request, Permission.APPROVALS_VIEW)
    return access.request_for(request.organisation, request_id)


def _allow_deciding(request: ApiRequest, asked: ApprovalRequest) -> None:
    """A failed step may also be answered with the right to control runs."""
    if asked.kind == ApprovalRequest.Kind.ESCALATION:
        with suppress(MissingPermission):
            return allow(request, Permission.RUNS_CONTROL)
    return allow(request, Permission.APPROVALS_DECIDE)


@router.post("/approvals/{uuid:request_id}/decide", response=ApprovalOut, summary="Decide")
def decide(request: ApiRequest, request_id: UUID, body: Decide) -> Any:
    """200 and the request with its decision; 409 when it is closed already, 403 when it is not yours."""
    asked = access.request_for(request.organisation, request_id)
    _allow_deciding(request, asked)
    decisions.decide(
        request=asked,
        user=request.user,
        actor=Actor.of(request),
        option=body.option,
        comment=body.comment,
        values=body.fields,
    )
    return access.request_for(request.organisation, request_id)
