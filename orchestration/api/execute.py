"""`POST /api/workflows/execute`: run a workflow by its id, or a list of tasks, and follow it in the same answer."""

from __future__ import annotations

from typing import Any, Literal
from uuid import UUID

from django.http import HttpResponse, JsonResponse, StreamingHttpResponse
from django.urls import reverse
from ninja import Header, Query, Router, Schema
from pydantic import ConfigDict, Field
from pydantic.alias_generators import to_camel

from agents.queries import known
from orchestration import access
from orchestration.adhoc import AdHocError, Task, adhoc
from orchestration.api import sse
from orchestration.api.story import Story
from orchestration.models import Run
from orchestration.services import definitions, new_runs, starting
from portal.core import reading
from portal.core.actors import Actor
from portal.core.api_auth import ApiRequest, allow
from portal.core.errors import UserError
from portal.core.permissions import Permission

router = Router(tags=["workflows"])


class _Camel(Schema):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="forbid")


class TaskIn(_Camel):
    id: str = Field(min_length=1, max_length=100)
    agent_name: str = Field(description="Slug of an agent of the catalogue.")
    description: str = Field("", max_length=500)
    prompt: str = Field(min_length=1)
    dependencies: list[str] = Field(default_factory=list, description="Ids of tasks that come before.")
    priority: int = Field(5, ge=1, le=10)
    max_tokens: int | None = Field(None, ge=1, description="Accepted; the agent's own limit holds.")
    context: dict[str, Any] | None = Field(None, description="Accepted; results of the dependencies are passed anyway.")


class Config(_Camel):
    max_parallel_agents: int = Field(default=3, ge=1, le=50)
    context_strategy: Literal["shared", "isolated", "hierarchical"] = Field(
        default="shared", description="Accepted; a task sees the results of its dependencies."
    )
    enable_communication: bool = Field(default=True, description="Accepted.")


class Execute(_Camel):
    workflow_id: str | None = Field(None, description="Slug of a published workflow.")
    parameters: dict[str, Any] = Field(default_factory=dict, description="Inputs of that workflow.")
    workflow_name: str = Field("", max_length=200, description="Name of the run of a list of tasks.")
    tasks: list[TaskIn] = Field(default_factory=list, max_length=500)
    config: Config = Config()


class WrongTasks(UserError):
    def __init__(self, error: AdHocError) -> None:
        super().__init__(str(error), code="invalid_tasks")
        self.problems = error.problems


@router.post("/execute", response={200: None, 202: None}, summary="Run a workflow or a list of tasks, and follow it")
def execute(
    request: ApiRequest,
    body: Execute,
    accept: str = Header(""),
    idempotency_key: str | None = Header(None, description="The same key again follows the same run."),
    stream: bool = Query(True, description="false: 202 with the run's addresses."),
) -> HttpResponse | StreamingHttpResponse:
    """An SSE stream of `data:` lines, or 202 when JSON is what is accepted."""
    allow(request, Permission.RUNS_START)
    run = _start(request, body, idempotency_key)
    if not stream or ("application/json" in accept and "text/event-stream" not in accept):
        return _accepted(request, run)
    return _follow(request, run)


@router.get("/executions/{uuid:run_id}", response={200: None}, summary="Follow an execution again")
def follow(request: ApiRequest, run_id: UUID) -> StreamingHttpResponse:
    """The same stream; with Last-Event-ID it goes on behind that event."""
    allow(request, Permission.RUNS_VIEW)
    return _follow(request, access.run_for(request.organisation, run_id))


def _start(request: ApiRequest, body: Execute, key: str | None) -> Run:
    actor = Actor.of(request)
    organisation = request.organisation
    if bool(body.workflow_id) == bool(body.tasks):
        raise UserError("Give either workflowId or tasks.", code="either_or")
    if body.workflow_id:
        workflow = access.workflow_for(organisation, body.workflow_id)
        run, _ = starting.start_workflow(
            workflow=workflow, inputs=body.parameters, actor=actor, source="api", idempotency_key=key
        )
        return run
    tasks = [
        Task(task.id, task.agent_name, task.description, task.prompt, tuple(task.dependencies), task.priority)
        for task in body.tasks
    ]
    contracts = known(organisation.pk, {(task.agent, None) for task in tasks})
    schemas = {slug: contract.input_schema for (slug, _), contract in contracts.items()}
    try:
        made = adhoc(
            name=body.workflow_name or "Tasks",
            tasks=tasks,
            input_schemas=schemas,
            max_parallel=body.config.max_parallel_agents,
        )
    except AdHocError as error:
        raise WrongTasks(error) from error
    definition = definitions.checked(organisation=organisation, definition=made.definition)
    return new_runs.start_run(
        new_runs.NewRun(
            organisation=organisation,
            definition=definitions.kept(definition),
            inputs=made.inputs,
            actor=actor,
            source="api",
            idempotency_key=key,
        )
    )


def _accepted(request: ApiRequest, run: Run) -> HttpResponse:
    link = request.build_absolute_uri
    links = {
        "run": link(f"/api/v1/runs/{run.pk}"),
        "stream": link(f"/api/workflows/executions/{run.pk}"),
        "page": link(reverse("runs:detail", args=[run.organisation.slug, run.pk])),
    }
    body = {"executionId": str(run.pk), "status": run.status, "links": links}
    return JsonResponse(body, status=202, headers={"Location": links["run"]})


def _follow(request: ApiRequest, run: Run) -> StreamingHttpResponse:
    last = request.headers.get("Last-Event-ID", "")
    story = Story(run, run.definition.body, after=reading.number(last) or 0)
    return sse.response(sse.follow(run.pk, after=0, translate=story, last=lambda _: []))
