"""Workflows by API: definitions in and out as they are, in the format `ensemble.workflow/1`. Contract:
docs/reference/api.md.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Any

from django.http import HttpResponse
from ninja import Body, Field, Query, Router, Schema, Status

from orchestration import access, exports
from orchestration.definition.problems import Problem
from orchestration.definition.published import json_schema
from orchestration.models import Workflow, WorkflowVersion
from orchestration.queries import dependants, estimates
from orchestration.queries import workflows as queries
from orchestration.services import definitions
from orchestration.services import workflows as service
from portal.core.actors import Actor
from portal.core.api_auth import ApiRequest, allow
from portal.core.permissions import Permission

router = Router(tags=["workflows"])
JSON = Any
Definition = Annotated[dict[str, Any], Body(description="A definition, ensemble.workflow/1.")]


class ProblemOut(Schema):
    code: str
    message: str
    node: str | None
    path: str
    severity: str = Field(description="error, or warning (does not keep it from being published)")


class Validation(Schema):
    valid: bool = Field(description="No errors; there may be warnings.")
    problems: list[ProblemOut]


class ContractChange(Schema):
    side: str = Field(description="input or output")
    kind: str
    path: str
    message: str
    breaking: bool


class DependantOut(Schema):
    kind: str = Field(description="trigger, workflow (runs it) or program (starts it by API or command line)")
    id: str
    name: str
    detail: str
    certain: bool = Field(description="faults will go wrong for certain; otherwise it may break")
    faults: list[str]


class BreakingOut(Schema):
    changes: list[ContractChange]
    dependants: list[DependantOut]


class VersionOut(Schema):
    number: int
    note: str
    published_at: datetime
    published_by: str | None
    digest: str
    contract: str = Field(description="major.minor of what it promises; the major counts what broke.")
    breaking: list[ContractChange] = Field(description="What of the version before it no longer promises.")

    @staticmethod
    def resolve_published_by(version: WorkflowVersion) -> str | None:
        return version.published_by.get_username() if version.published_by else None

    @staticmethod
    def resolve_digest(version: WorkflowVersion) -> str:
        return version.definition_id


def _versions_out(workflow: Workflow, rows: Iterable[WorkflowVersion]) -> list[WorkflowVersion]:
    """With what each promises."""
    promised, found = dependants.promised(workflow), list(rows)
    for row in found:
        contract = promised[row.number]
        row.contract = contract.contract  # type: ignore[attr-defined]
        row.breaking = [change.as_json() for change in contract.breaking]  # type: ignore[attr-defined]
    return found


class WorkflowSummary(Schema):
    slug: str
    name: str
    description: str
    category: str
    tags: list[str]
    published: int | None = Field(description="Number of the published version.")
    archived: bool
    updated_at: datetime

    @staticmethod
    def resolve_published(workflow: Workflow) -> int | None:
        return workflow.published.number if workflow.published else None

    @staticmethod
    def resolve_archived(workflow: Workflow) -> bool:
        return workflow.archived_at is not None


class WorkflowOut(WorkflowSummary):
    revision: int = Field(description="Of the draft; send it along when you save.")
    draft: dict[str, Any]
    definition: dict[str, Any] | None = Field(description="The published one.")
    problems: list[ProblemOut] = Field(description="Of the draft.")
    breaking: BreakingOut | None = Field(
        description="What publishing the draft would take back of the published version's contract, and who relies on "
        "it. null: nothing."
    )
    expected_seconds: float | None = Field(
        description="How long a run may take (the published one, else the draft): by what its agents took in the last "
        "30 days, delays and timeouts; each loop once round, without waiting for people. null: nothing is known yet."
    )

    @staticmethod
    def resolve_expected_seconds(workflow: Workflow) -> float | None:
        published = workflow.published
        found = estimates.expected(workflow.organisation_id, published.body if published else workflow.draft)
        return found.seconds if found else None

    @staticmethod
    def resolve_breaking(workflow: Workflow) -> JSON:
        found = dependants.breaking(workflow, workflow.draft, workflow.published)
        return found and {
            "changes": [change.as_json() for change in found.changes],
            "dependants": [row.as_json() for row in found.dependants],
        }

    @staticmethod
    def resolve_revision(workflow: Workflow) -> int:
        return workflow.draft_revision

    @staticmethod
    def resolve_definition(workflow: Workflow) -> dict[str, Any] | None:
        published = workflow.published
        return published.body if published else None

    @staticmethod
    def resolve_problems(workflow: Workflow) -> list[dict[str, Any]]:
        return _as_json(definitions.problems_of(workflow.organisation, workflow.draft, workflow.slug))


class PublishIn(Schema):
    note: str = Field("", max_length=300)
    revision: int | None = Field(None, description="Publish only if the draft is still this one.")
    confirm_breaking: bool = Field(
        False, description="Publish although it takes back what the published version promises; else 409."
    )


class ListQuery(Schema):
    q: str = ""
    category: str = ""
    tags: str = Field("", description="Separated by commas; all of them.")
    state: str = Field("", pattern="^(published|draft|archived)?$")
    limit: int = Field(100, ge=1, le=500)
    offset: int = Field(0, ge=0)


@router.get("/schema", auth=None, response={200: dict[str, Any]}, summary="JSON Schema of the format")
def schema(request: ApiRequest) -> JSON:
    return json_schema()


@router.post("/validate", response=Validation, summary="Every problem of a definition")
def validate(request: ApiRequest, definition: Definition) -> JSON:
    """Nothing is stored. Agents are those of the token's organisation."""
    allow(request, Permission.WORKFLOWS_VIEW)
    found = definitions.problems_of(request.organisation, definition)
    return {"valid": not any(problem.is_error for problem in found), "problems": _as_json(found)}


@router.get("", response=list[WorkflowSummary], summary="List workflows, by name")
def list_workflows(request: ApiRequest, query: Query[ListQuery]) -> JSON:
    allow(request, Permission.WORKFLOWS_VIEW)
    chosen = queries.WorkflowFilter(
        q=query.q, category=query.category, tags=queries.tags_in(query.tags), state=query.state
    )
    found = queries.workflows(request.organisation, chosen)
    return list(found[query.offset : query.offset + query.limit])


@router.post("", response={201: WorkflowOut}, summary="Create a workflow, or import one")
def create(
    request: ApiRequest,
    definition: Definition,
    slug: str = Query("", pattern="^[a-z0-9-]*$", max_length=80, description="Made from the name if left out."),
    with_problems: bool = Query(False, description="Keep it as a draft although it has errors."),
) -> JSON:
    """The body is the definition itself. 422 with every problem, unless `with_problems`."""
    allow(request, Permission.WORKFLOWS_EDIT)
    workflow = service.import_definition(
        organisation=request.organisation,
        definition=definition,
        actor=Actor.of(request),
        slug=slug,
        with_problems=with_problems,
    )
    return Status(201, workflow)


@router.get("/{slug:slug}", response=WorkflowOut, summary="A workflow with its draft and its published definition")
def read(request: ApiRequest, slug: str) -> JSON:
    return _workflow(request, slug, Permission.WORKFLOWS_VIEW)


@router.put("/{slug:slug}/draft", response=WorkflowOut, summary="Replace the draft")
def save_draft(
    request: ApiRequest,
    slug: str,
    definition: Definition,
    revision: int = Query(..., ge=0, description="The revision this is based on; 409 if it is not the last."),
) -> JSON:
    """Errors do not keep a draft from being saved; they are in `problems`."""
    workflow = _workflow(request, slug, Permission.WORKFLOWS_EDIT)
    return service.save_draft(workflow=workflow, definition=definition, revision=revision, actor=Actor.of(request))


@router.post("/{slug:slug}/publish", response={201: VersionOut}, summary="Publish the draft as the next version")
def publish(request: ApiRequest, slug: str, body: PublishIn | None = None) -> JSON:
    """422 with every problem if it has errors, 409 if it is what the published version already says, or breaks what
    that promises (`breaking_change`: `problems` are the changes, `dependants` who relies on it).
    """
    workflow = _workflow(request, slug, Permission.WORKFLOWS_PUBLISH)
    body = body or PublishIn(note="", revision=None, confirm_breaking=False)
    version = service.publish(
        workflow=workflow,
        actor=Actor.of(request),
        note=body.note,
        revision=body.revision,
        confirmed=body.confirm_breaking,
    )
    return Status(201, _versions_out(workflow, [version])[0])


@router.get("/{slug:slug}/versions", response=list[VersionOut], summary="Published versions, newest first")
def versions(request: ApiRequest, slug: str) -> JSON:
    workflow = _workflow(request, slug, Permission.WORKFLOWS_VIEW)
    return _versions_out(workflow, queries.versions(workflow))


@router.get("/{slug:slug}/export", response={200: dict[str, Any]}, summary="The definition as a file")
def export(
    request: ApiRequest,
    slug: str,
    version: int | None = Query(None, description="The draft, if left out and nothing is published."),
    draft: bool = Query(False, description="The draft, although there is a published version."),
) -> HttpResponse:
    """Importing it again gives the same definition."""
    workflow = _workflow(request, slug, Permission.WORKFLOWS_VIEW)
    return exports.file_of(workflow, exports.definition_of(workflow, version, draft=draft))


@router.post("/{slug:slug}/archive", response=WorkflowSummary, summary="Take it out of the lists")
def archive(request: ApiRequest, slug: str) -> JSON:
    workflow = _workflow(request, slug, Permission.WORKFLOWS_DELETE)
    return service.archive(workflow=workflow, actor=Actor.of(request))


@router.post("/{slug:slug}/restore", response=WorkflowSummary, summary="Bring it back")
def restore(request: ApiRequest, slug: str) -> JSON:
    workflow = _workflow(request, slug, Permission.WORKFLOWS_DELETE)
    return service.restore(workflow=workflow, actor=Actor.of(request))


def _workflow(request: ApiRequest, slug: str, permission: Permission) -> Workflow:
    allow(request, permission)
    return access.workflow_for(request.organisation, slug)


def _as_json(found: list[Problem]) -> list[dict[str, JSON]]:
    return [problem.as_json() for problem in found]
