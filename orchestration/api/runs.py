"""Runs by API: start, read, follow, control. Contract: docs/reference/api.md."""

from __future__ import annotations

from functools import partial
from typing import Any, Literal
from uuid import UUID

from django.http import Http404, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from ninja import Form, Query, Router, Status
from pydantic import ValidationError

from orchestration import access
from orchestration.api import sse, uploads
from orchestration.api.run_answers import BatchOut, Controlled, EventOut, RunOut, RunSummary, as_it_stands
from orchestration.api.run_requests import Cancel, Reason, RunQuery, StartBatch, StartRun
from orchestration.models import Run, RunEvent
from orchestration.monitoring import queries
from orchestration.services import batches, starting
from orchestration.services import runs as service
from orchestration.services import values as stored
from orchestration.views.values import streamed
from portal.core import reading
from portal.core.actors import Actor
from portal.core.api_auth import ApiRequest, allow
from portal.core.permissions import Permission

router = Router(tags=["runs"])

MOST_EVENTS = 1000


@router.post("", response={201: RunSummary, 200: RunSummary}, summary="Start a run")
def start(request: ApiRequest, body: StartRun) -> Any:
    """201 and the new run; 200 and the run there is when the idempotency key was used before."""
    return _start(request, body)


@router.post("/upload", response={201: RunSummary, 200: RunSummary}, summary="Start a run with large inputs as files")
def start_with_files(request: ApiRequest, run: str = Form("", description="What `POST /runs` takes, as JSON.")) -> Any:
    """Multipart: `run`, and a file for each large input by the input's name (`*.json` as JSON, else text), up to
    100 MiB each."""
    allow(request, Permission.RUNS_START)
    try:
        body = StartRun.model_validate_json(run)
    except ValidationError as error:
        raise uploads.InvalidUpload(uploads.words(error)) from None
    return _start(request, body.model_copy(update={"inputs": {**body.inputs, **uploads.inputs_of(request)}}))


def _start(request: ApiRequest, body: StartRun) -> Any:
    allow(request, Permission.RUNS_START)
    workflow = access.workflow_to_start(request.organisation, body.workflow)
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
def start_many(request: ApiRequest, body: StartBatch) -> Any:
    """In one transaction: all of them or, if the inputs of one are wrong, none."""
    allow(request, Permission.RUNS_START)
    started = batches.start_batch(
        workflow=access.workflow_to_start(request.organisation, body.workflow),
        version=body.version,
        wanted=[batches.Wanted(one.inputs, one.idempotency_key) for one in body.runs],
        actor=Actor.of(request),
        source="api",
        priority=body.priority,
    )
    return Status(201, {"runs": [{"id": one.run.pk, "new": one.new} for one in started]})


@router.get("", response=list[RunSummary], summary="List runs, newest first")
def list_runs(request: ApiRequest, query: Query[RunQuery]) -> Any:
    allow(request, Permission.RUNS_VIEW)
    chosen = queries.RunFilter(
        q=query.q, status=query.status, workflow=query.workflow, parent=query.parent, kept=query.kept
    )
    found = queries.runs(request.organisation, chosen)
    return list(found[query.offset : query.offset + query.limit])


@router.get("/{uuid:run_id}", response=RunOut, summary="A run with its steps")
def read(
    request: ApiRequest,
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
    return as_it_stands(run)


@router.get("/{uuid:run_id}/values/{str:digest}", response={200: None}, summary="A large value of the run")
def value(request: ApiRequest, run_id: UUID, digest: str) -> HttpResponseBase:
    """Streamed: a text as it is, everything else as JSON. 404 for a value that this run does not name."""
    file = stored.download(_run(request, run_id), digest)
    if file is None:
        raise Http404("The run has no such value.")
    return streamed(file)


@router.get("/{uuid:run_id}/events", response=list[EventOut], summary="The run's event log")
def events(
    request: ApiRequest,
    run_id: UUID,
    after: int = Query(0, ge=0, description="Events with a greater number."),
    limit: int = Query(MOST_EVENTS, ge=1, le=MOST_EVENTS),
) -> list[RunEvent]:
    return list(queries.events(_run(request, run_id), after=after, limit=limit))


@router.get("/{uuid:run_id}/stream", response={200: None}, summary="The event log as server-sent events")
def stream(
    request: ApiRequest, run_id: UUID, after: int = Query(0, ge=0, description="Or the header Last-Event-ID.")
) -> HttpResponse | StreamingHttpResponse:
    """Each event has its number as `id`, its type as `event`; `event: end` closes the stream of an ended run."""
    run = _run(request, run_id)
    last = reading.number(request.headers.get("Last-Event-ID", ""))
    return sse.response(sse.run_events(run.id, after=after if last is None else last))


@router.post("/{uuid:run_id}/cancel", response={202: Controlled}, summary="Cancel")
def cancel(request: ApiRequest, run_id: UUID, body: Cancel | None = None) -> Any:
    """With `undo`, what has succeeded and can be undone is undone first."""
    ask = partial(service.cancel_run, undo=body.undo if body else False)
    return _control(request, run_id, ask, body)


@router.post("/{uuid:run_id}/pause", response={202: Controlled}, summary="Pause")
def pause(request: ApiRequest, run_id: UUID, body: Reason | None = None) -> Any:
    return _control(request, run_id, service.pause_run, body)


@router.post("/{uuid:run_id}/resume", response={202: Controlled}, summary="Resume")
def resume(request: ApiRequest, run_id: UUID, body: Reason | None = None) -> Any:
    return _control(request, run_id, service.resume_run, body)


@router.post("/{uuid:run_id}/retry", response={202: Controlled}, summary="Go on from what failed")
def retry(request: ApiRequest, run_id: UUID, body: Reason | None = None) -> Any:
    return _control(request, run_id, service.retry_run, body)


def _run(request: ApiRequest, run_id: UUID) -> Run:
    allow(request, Permission.RUNS_VIEW)
    return access.run_for(request.organisation, run_id)


def _control(request: ApiRequest, run_id: UUID, act: Any, body: Reason | None) -> Any:
    """202 and the run as it is now; RunStateConflict becomes 409 with the state."""
    allow(request, Permission.RUNS_CONTROL)
    run = access.run_for(request.organisation, run_id)
    return Status(202, as_it_stands(act(run=run, **(body or Reason()).said(request))))
