"""Runs by API: start, read, follow, control. Contract: docs/reference/api.md."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import Annotated, Any, Literal
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.urls import reverse
from ninja import Field, Form, Query, Router, Schema, Status
from pydantic import ValidationError

from orchestration import access
from orchestration.api import sse, uploads
from orchestration.models import NodeRun, Run, RunEvent
from orchestration.monitoring import control, large, queries, sharing
from orchestration.services import batches, starting
from orchestration.services import runs as service
from orchestration.services import values as stored
from orchestration.views.values import streamed
from portal.core.actors import Actor
from portal.core.api_auth import allow
from portal.core.permissions import Permission

router = Router(tags=["runs"])

MOST_EVENTS = 1000


class StartRun(Schema):
    workflow: str = Field(description="Slug of the workflow.")
    version: int | None = Field(None, description="Number of a published version; the published one if left out.")
    inputs: dict[str, Any] = Field(default_factory=dict, description="By the workflow's input schema.")
    idempotency_key: Annotated[str, Field(max_length=200)] | None = Field(
        None, description="The same key again gives the same run and starts nothing."
    )
    priority: int = Field(5, ge=1, le=10, description="10 is served first.")


class OneOfBatch(Schema):
    inputs: dict[str, Any] = Field(default_factory=dict, description="By the workflow's input schema.")
    idempotency_key: Annotated[str, Field(max_length=200)] | None = None


class StartBatch(Schema):
    workflow: str = Field(description="Slug of the workflow.")
    version: int | None = Field(None, description="Number of a published version; the published one if left out.")
    runs: list[OneOfBatch] = Field(min_length=1, max_length=batches.MOST_RUNS)
    priority: int = Field(5, ge=1, le=10, description="10 is served first.")


class StartedOut(Schema):
    id: UUID
    new: bool = Field(description="False: the idempotency key had been used before, and this is that run.")


class BatchOut(Schema):
    runs: list[StartedOut] = Field(description="In the order they were asked for.")


class NodeRunOut(Schema):
    node: str
    path: str = Field(description="Iteration indexes joined by dots; empty outside of loops.")
    type: str
    name: str
    status: str
    attempts: int
    port: str
    inputs: Any = None
    outputs: Any = None
    error: Any = None
    waiting: Any = None
    agent: str
    agent_version: int | None
    model: str
    cost_usd: float | None
    input_tokens: int | None
    output_tokens: int | None
    started_at: datetime | None
    ended_at: datetime | None


class Progress(Schema):
    nodes_total: int
    nodes_ended: int


class Cost(Schema):
    usd: float
    input_tokens: int
    output_tokens: int


class RunSummary(Schema):
    id: UUID
    workflow: str | None = Field(description="Slug; null for a run of no workflow.")
    version: int | None
    name: str
    status: str
    priority: int
    progress: Progress
    cost: Cost
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    parent: UUID | None = Field(None, alias="parent_id", description="The run that began this one.")
    last_seq: int = Field(description="Number of the newest event.")
    url: str = Field(description="The run's page.")

    @staticmethod
    def resolve_workflow(run: Run) -> str | None:
        return run.workflow.slug if run.workflow else None

    @staticmethod
    def resolve_version(run: Run) -> int | None:
        return run.version.number if run.version else None

    @staticmethod
    def resolve_progress(run: Run) -> dict[str, int]:
        return {"nodes_total": run.nodes_total, "nodes_ended": run.nodes_ended}

    @staticmethod
    def resolve_cost(run: Run) -> dict[str, Any]:
        return {"usd": run.cost_usd, "input_tokens": run.input_tokens, "output_tokens": run.output_tokens}

    @staticmethod
    def resolve_url(run: Run, context: dict[str, Any]) -> str:
        address = reverse("runs:detail", args=[run.organisation.slug, run.pk])
        return str(context["request"].build_absolute_uri(address))


class AskedOut(Schema):
    kind: str
    by: str
    reason: str
    node: str
    path: str
    asked_at: datetime


class CancellationOut(Schema):
    """Asked, reached, ended: each moment is null until it comes."""

    by: str
    reason: str
    asked_at: datetime | None
    reached_at: datetime | None
    ended_at: datetime | None
    stopped: list[str] = Field(description="Steps under way that were told to stop.")


class GoesOnOut(Schema):
    node: str
    path: str
    name: str
    status: str
    waiting_for: str


class Controlled(RunSummary):
    """The answer to pause, resume, cancel and retry."""

    asked: list[AskedOut] = Field(description="What people asked for and no engine has taken in yet.")
    cancellation: CancellationOut | None
    goes_on: list[GoesOnOut] = Field(description="While paused: steps at work, which end, and steps that wait.")

    @staticmethod
    def resolve_asked(run: Run) -> Any:
        return control.control(run).asked

    @staticmethod
    def resolve_cancellation(run: Run) -> Any:
        return control.cancellation(run)

    @staticmethod
    def resolve_goes_on(run: Run) -> Any:
        return control.control(run).goes_on


class RunOut(Controlled):
    origin: UUID | None = Field(description="The run this one is a re-run of.")
    origin_node: str = Field(description="The steps it was re-run from, joined by commas.")
    reruns: list[UUID] = Field(description="Runs that are re-runs of this one, newest first; at most 100.")
    inputs: Any
    outputs: Any = None
    error: Any = None
    waiting_for: list[str] = Field(description="Why it is not moving, in sentences; empty once it has ended.")
    shared: dict[str, Any] = Field(
        description="The shared context: {key: {value, node, path, at, writes}} as each was left."
    )
    nodes: list[NodeRunOut] = Field(description="The first 1,000 node runs.")

    @staticmethod
    def resolve_origin(run: Run) -> UUID | None:
        return run.origin_id

    @staticmethod
    def resolve_reruns(run: Run) -> list[UUID]:
        return list(run.reruns.order_by("-created_at").values_list("id", flat=True)[:100])

    @staticmethod
    def resolve_waiting_for(run: Run) -> list[str]:
        return [reason.text for reason in queries.reasons(run)]

    @staticmethod
    def resolve_shared(run: Run) -> dict[str, Any]:
        return {one.key: large.linked(one.as_json(), run) for one in sharing.of_run(run, run.definition.body)}

    @staticmethod
    def resolve_inputs(run: Run) -> Any:
        return run.whole["inputs"] if hasattr(run, "whole") else large.linked(run.inputs, run)

    @staticmethod
    def resolve_outputs(run: Run) -> Any:
        return run.whole["outputs"] if hasattr(run, "whole") else large.linked(run.outputs, run)

    @staticmethod
    def resolve_nodes(run: Run) -> list[NodeRun]:
        found = list(NodeRun.objects.filter(run=run).order_by("id")[:1000])
        for node_run in found:
            for name in ("inputs", "outputs", "error", "waiting"):
                setattr(node_run, name, large.linked(getattr(node_run, name), run))
        return found


class EventOut(Schema):
    seq: int
    type: str
    at: datetime
    node: str
    path: str
    data: dict[str, Any]


class Reason(Schema):
    reason: Annotated[str, Field(max_length=500)] = ""


class Cancel(Reason):
    undo: bool = Field(False, description="First undo what has succeeded and can be undone.")


class RunQuery(Schema):
    status: str = ""
    workflow: str = ""
    q: str = ""
    parent: UUID | None = Field(None, description="Only the runs that this one began; else those that people began.")
    limit: int = Field(50, ge=1, le=200)
    offset: int = Field(0, ge=0)


@router.post("", response={201: RunSummary, 200: RunSummary}, summary="Start a run")
def start(request: HttpRequest, body: StartRun) -> Any:
    """201 and the new run; 200 and the run there is when the idempotency key was used before."""
    return _start(request, body)


@router.post("/upload", response={201: RunSummary, 200: RunSummary}, summary="Start a run with large inputs as files")
def start_with_files(request: HttpRequest, run: str = Form("", description="What `POST /runs` takes, as JSON.")) -> Any:
    """Multipart: `run`, and a file for each large input by the input's name (`*.json` as JSON, else text), up to
    100 MiB each."""
    allow(request, Permission.RUNS_START)
    try:
        body = StartRun.model_validate_json(run)
    except ValidationError as error:
        raise uploads.InvalidUpload(uploads.words(error)) from None
    return _start(request, body.model_copy(update={"inputs": {**body.inputs, **uploads.inputs_of(request)}}))


def _start(request: HttpRequest, body: StartRun) -> Any:
    allow(request, Permission.RUNS_START)
    workflow = access.workflow_for(request.organisation, body.workflow)  # type: ignore[attr-defined]
    run, created = starting.start_workflow(
        workflow=workflow,
        version=body.version,
        inputs=body.inputs,
        actor=Actor.of(request),
        source="api",
        idempotency_key=body.idempotency_key,
        priority=body.priority,
    )
    return Status(201 if created else 200, run)


@router.post("/batch", response={201: BatchOut}, summary="Start many runs of a workflow")
def start_many(request: HttpRequest, body: StartBatch) -> Any:
    """In one transaction: all of them or, if the inputs of one are wrong, none."""
    allow(request, Permission.RUNS_START)
    started = batches.start_batch(
        workflow=access.workflow_for(request.organisation, body.workflow),  # type: ignore[attr-defined]
        version=body.version,
        wanted=[batches.Wanted(one.inputs, one.idempotency_key) for one in body.runs],
        actor=Actor.of(request),
        source="api",
        priority=body.priority,
    )
    return Status(201, {"runs": [{"id": one.run.pk, "new": one.new} for one in started]})


@router.get("", response=list[RunSummary], summary="List runs, newest first")
def list_runs(request: HttpRequest, query: Query[RunQuery]) -> Any:
    allow(request, Permission.RUNS_VIEW)
    chosen = queries.RunFilter(q=query.q, status=query.status, workflow=query.workflow, parent=query.parent)
    found = queries.runs(request.organisation, chosen)  # type: ignore[attr-defined]
    return found[query.offset : query.offset + query.limit]


@router.get("/{uuid:run_id}", response=RunOut, summary="A run with its steps")
def read(
    request: HttpRequest,
    run_id: UUID,
    values: Literal["reference", "inline"] = Query(
        "reference", description="inline: inputs and outputs of the run whole, up to 8 MiB each; 413 beyond."
    ),
) -> Any:
    """Values over 64 KiB are references: `{"$value": digest, "bytes", "type", "url"}`."""
    run = _run(request, run_id)
    if values == "inline":
        run.whole = {  # type: ignore[attr-defined]
            "inputs": stored.whole_of(run.organisation_id, run.inputs),
            "outputs": stored.whole_of(run.organisation_id, run.outputs),
        }
    return run


@router.get("/{uuid:run_id}/values/{str:digest}", response={200: None}, summary="A large value of the run")
def value(request: HttpRequest, run_id: UUID, digest: str) -> HttpResponseBase:
    """Streamed: a text as it is, everything else as JSON. 404 for a value that this run does not name."""
    file = stored.download(_run(request, run_id), digest)
    if file is None:
        raise Http404("The run has no such value.")
    return streamed(file)


@router.get("/{uuid:run_id}/events", response=list[EventOut], summary="The run's event log")
def events(
    request: HttpRequest,
    run_id: UUID,
    after: int = Query(0, ge=0, description="Events with a greater number."),
    limit: int = Query(MOST_EVENTS, ge=1, le=MOST_EVENTS),
) -> list[RunEvent]:
    return list(queries.events(_run(request, run_id), after=after, limit=limit))


@router.get("/{uuid:run_id}/stream", response={200: None}, summary="The event log as server-sent events")
def stream(
    request: HttpRequest, run_id: UUID, after: int = Query(0, ge=0, description="Or the header Last-Event-ID.")
) -> HttpResponse | StreamingHttpResponse:
    """Each event has its number as `id`, its type as `event`; `event: end` closes the stream of an ended run."""
    run = _run(request, run_id)
    last = request.headers.get("Last-Event-ID", "")
    return sse.response(sse.run_events(run.id, after=int(last) if last.isdecimal() else after))


@router.post("/{uuid:run_id}/cancel", response={202: Controlled}, summary="Cancel")
def cancel(request: HttpRequest, run_id: UUID, body: Cancel | None = None) -> Any:
    """With `undo`, what has succeeded and can be undone is undone first."""
    ask = partial(service.cancel_run, undo=body.undo if body else False)
    return _control(request, run_id, ask, body)


@router.post("/{uuid:run_id}/pause", response={202: Controlled}, summary="Pause")
def pause(request: HttpRequest, run_id: UUID, body: Reason | None = None) -> Any:
    return _control(request, run_id, service.pause_run, body)


@router.post("/{uuid:run_id}/resume", response={202: Controlled}, summary="Resume")
def resume(request: HttpRequest, run_id: UUID, body: Reason | None = None) -> Any:
    return _control(request, run_id, service.resume_run, body)


@router.post("/{uuid:run_id}/retry", response={202: Controlled}, summary="Go on from what failed")
def retry(request: HttpRequest, run_id: UUID, body: Reason | None = None) -> Any:
    return _control(request, run_id, service.retry_run, body)


def _run(request: HttpRequest, run_id: UUID) -> Run:
    allow(request, Permission.RUNS_VIEW)
    return access.run_for(request.organisation, run_id)  # type: ignore[attr-defined]


def _control(request: HttpRequest, run_id: UUID, act: Any, body: Reason | None) -> Any:
    """202 and the run as it is now; RunStateConflict becomes 409 with the state."""
    allow(request, Permission.RUNS_CONTROL)
    run = access.run_for(request.organisation, run_id)  # type: ignore[attr-defined]
    return Status(202, act(run=run, actor=Actor.of(request), reason=body.reason if body else ""))
