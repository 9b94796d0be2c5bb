"""Steering a run by API: steps, variables, another version, re-runs. Contract: docs/reference/api.md."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from ninja import Field, Router, Schema, Status

from orchestration import access
from orchestration.api.run_answers import RunSummary
from orchestration.api.run_requests import Reason
from orchestration.engine.ids import Path, path_of, path_text
from orchestration.models import Run, WorkflowVersion
from orchestration.services import rerun
from orchestration.services.retrying import retry_plan
from orchestration.services.starting import NotPublished
from orchestration.services.steering.steps import override_step, retry_step_now, skip_step
from orchestration.services.steering.variables import change_variables
from orchestration.services.steering.versions import move_run, plan_move
from portal.core.api_auth import ApiRequest, allow
from portal.core.errors import UserError
from portal.core.permissions import Permission

router = Router(tags=["runs"])
PATH = r"^(\d{1,9}(\.\d{1,9}){0,20})?$"


class Place(Reason):
    path: Annotated[
        str, Field(pattern=PATH, description="Iteration indexes joined by dots; empty outside of loops.")
    ] = ""


class Override(Place):
    outputs: Any = Field(description="What the step is to have yielded.")
    port: str = Field("out", description="The way out it is to have taken.")


class Variables(Reason):
    values: dict[str, Any]
    seen: dict[str, Any] | None = Field(
        None, description="The values you saw: 409 if one that you change is another meanwhile."
    )


class MovePlanIn(Schema):
    version: Annotated[int | None, Field(description="Number of a published version; the newest if left out.")] = None


class Move(MovePlanIn, Reason):
    """Without a version: to the newest."""


class Obstacle(Schema):
    code: str
    message: str
    node: str


class StepKey(Schema):
    node: str
    path: str


class MovePlanOut(Schema):
    version: int
    possible: bool
    problems: list[Obstacle]
    finished: list[StepKey] = Field(description="Their results carry over.")
    under_way: list[StepKey] = Field(description="They go on as they are.")
    vanishing: list[StepKey] = Field(description="Finished, but not part of that version.")
    new: list[str]
    changed: list[str] = Field(description="Begun or finished with settings that read differently there.")


class RerunPlanIn(Schema):
    nodes: list[str] = Field(min_length=1, description="The steps to do again, with all that lies behind them.")
    version: int | None = Field(None, description="A published version; the run's own definition if left out.")
    inputs: dict[str, Any] | None = Field(None, description="Other inputs; those of the run if left out.")
    outputs: dict[str, Any] = Field(default_factory=dict, description="Edited outputs of steps that are taken over.")
    variables: dict[str, Any] = Field(default_factory=dict)


class Rerun(RerunPlanIn, Reason):
    plan: str | None = Field(None, description="Digest of the plan you saw: 409 if it is another one meanwhile.")


class CallOut(Schema):
    kind: str
    target: str
    outcome: str
    began_at: datetime
    maybe_twice: bool


class StepOut(Schema):
    node: str
    name: str
    type: str
    edited: bool
    before: str = Field(description="Its status in the origin.")
    why: str = Field(
        description="chosen, depends, unfinished, undone, new, asked_again, inside; empty for what is reused."
    )
    first_time: bool
    effect: str = Field(description="What it does to the outside world; empty if nothing.")
    at_most_once: bool
    calls: list[CallOut] = Field(description="Calls it made that took effect, or may have.")
    stands: bool = Field(description="It can be undone, and what it did stands: the new run does not undo that.")
    ended_at: datetime | None


class RerunPlanOut(Schema):
    digest: str
    problems: list[Obstacle]
    reused: list[StepOut]
    again: list[StepOut]
    left_out: list[str]
    variables: dict[str, Any]


class RetriedStepOut(Schema):
    node: str
    path: str
    before: str = Field(description="Its status.")
    undone: bool = Field(description="It was undone, or stands on what was: it begins from nothing.")
    effect: str = Field(description="What it does to the outside world; empty if nothing.")
    at_most_once: bool
    calls: list[CallOut] = Field(description="Calls it made that took effect, or may have.")


class RetryPlanOut(Schema):
    reused: list[RetriedStepOut]
    again: list[RetriedStepOut] = Field(description="What has not begun yet is not listed.")


@router.post("/{uuid:run_id}/retry/plan", response=RetryPlanOut, summary="What a retry would reuse and do again")
def plan_retry(request: ApiRequest, run_id: UUID) -> Any:
    """Changes nothing; 409 with the state for a run that cannot be retried."""
    return retry_plan(_controlled(request, run_id))


@router.post("/{uuid:run_id}/steps/{node}/skip", response={202: RunSummary}, summary="Go on without a step")
def skip(request: ApiRequest, run_id: UUID, node: str, body: Place | None = None) -> Any:
    run, given = _controlled(request, run_id), body or Place()
    return Status(202, skip_step(run=run, node=node, **given.said(request), path=_path(given)))


@router.post("/{uuid:run_id}/steps/{node}/override", response={202: RunSummary}, summary="Say what a step yields")
def override(request: ApiRequest, run_id: UUID, node: str, body: Override) -> Any:
    run = _controlled(request, run_id)
    made = override_step(
        run=run, node=node, path=_path(body), outputs=body.outputs, port=body.port, **body.said(request)
    )
    return Status(202, made)


@router.post("/{uuid:run_id}/steps/{node}/retry", response={202: RunSummary}, summary="Do not wait for the next try")
def retry_now(request: ApiRequest, run_id: UUID, node: str, body: Place | None = None) -> Any:
    run, given = _controlled(request, run_id), body or Place()
    return Status(202, retry_step_now(run=run, node=node, **given.said(request), path=_path(given)))


@router.post("/{uuid:run_id}/variables", response={202: RunSummary}, summary="Change variables of a live run")
def variables(request: ApiRequest, run_id: UUID, body: Variables) -> Any:
    run = _controlled(request, run_id)
    made = change_variables(run=run, values=body.values, seen=body.seen, **body.said(request))
    return Status(202, made)


@router.post("/{uuid:run_id}/move/plan", response=MovePlanOut, summary="What moving to another version would do")
def move_plan(request: ApiRequest, run_id: UUID, body: MovePlanIn | None = None) -> Any:
    """Changes nothing."""
    run = _controlled(request, run_id)
    version = _version(run, body.version if body else None)
    _, plan = plan_move(run=run, version=version)
    return {
        "version": version.number,
        "possible": not plan.obstacles,
        "problems": [found.as_json() for found in plan.obstacles],
        "finished": list(map(_key, plan.finished)),
        "under_way": list(map(_key, plan.under_way)),
        "vanishing": list(map(_key, plan.vanishing)),
        "new": list(plan.new),
        "changed": list(plan.changed),
    }


@router.post("/{uuid:run_id}/move", response={202: RunSummary}, summary="Go on with another version")
def move(request: ApiRequest, run_id: UUID, body: Move | None = None) -> Any:
    run, given = _controlled(request, run_id), body or Move()
    version = _version(run, given.version)
    made = move_run(run=run, version=version, **given.said(request))
    return Status(202, made)


@router.post("/{uuid:run_id}/rerun/plan", response=RerunPlanOut, summary="What a re-run would reuse and do again")
def rerun_plan(request: ApiRequest, run_id: UUID, body: RerunPlanIn) -> Any:
    """Changes nothing. Send its `digest` along to start exactly this."""
    run = _controlled(request, run_id)
    prepared = rerun.plan_of(run=run, wish=_wish(run, body))
    return {
        "digest": prepared.digest,
        "problems": [found.as_json() for found in prepared.plan.obstacles],
        "reused": prepared.reused,
        "again": prepared.again,
        "left_out": list(prepared.plan.left_out),
        "variables": prepared.plan.variables,
    }


@router.post("/{uuid:run_id}/rerun", response={201: RunSummary}, summary="Re-run from a step, as a linked run")
def rerun_from(request: ApiRequest, run_id: UUID, body: Rerun) -> Any:
    run = _controlled(request, run_id)
    allow(request, Permission.RUNS_START)
    wish = _wish(run, body)
    return Status(201, rerun.rerun_from(run=run, wish=wish, digest=body.plan, source="api", **body.said(request)))


def _controlled(request: ApiRequest, run_id: UUID) -> Run:
    allow(request, Permission.RUNS_CONTROL)
    return access.run_for(request.organisation, run_id)


def _path(body: Place) -> Path:
    return path_of(body.path)


def _key(key: tuple[str, Path]) -> dict[str, str]:
    return {"node": key[0], "path": path_text(key[1])}


def _wish(run: Run, body: RerunPlanIn) -> rerun.Wish:
    version = None if body.version is None else _version(run, body.version)
    return rerun.Wish(
        nodes=body.nodes, version=version, inputs=body.inputs, outputs=body.outputs, variables=body.variables
    )


def _version(run: Run, number: int | None) -> WorkflowVersion:
    if run.workflow is None:
        raise UserError("This run belongs to no workflow, so it has no other versions.", code="no_workflow")
    if number is not None:
        return access.version_for(run.workflow, number)
    if run.workflow.published_id is None:
        raise NotPublished(run.workflow)
    return WorkflowVersion.objects.select_related("definition").get(pk=run.workflow.published_id)
