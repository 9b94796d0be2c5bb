"""Events by API: publish, and read what was published. Contract: docs/reference/api.md."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from ninja import Field, Query, Router, Schema, Status

from orchestration.access import event_for
from orchestration.models import BusEvent
from orchestration.queries import events as queries
from orchestration.services import events as service
from portal.core.actors import Actor
from portal.core.api_auth import ApiRequest, allow
from portal.core.permissions import Permission

router = Router(tags=["events"])


class PublishEvent(Schema):
    name: str = Field(description="What has happened, such as order.paid.", max_length=200)
    data: Any = Field(default_factory=dict, description="Any JSON, 32 KiB at most.")
    key: Annotated[str, Field(max_length=200)] | int = Field("", description="What it is about; waits may ask for it.")
    idempotency_key: Annotated[str, Field(max_length=200)] | None = Field(
        None, description="The same key again publishes nothing and answers with the first event."
    )


class Woke(Schema):
    run: UUID
    node: str
    path: str = Field(description="Iteration indexes joined by dots; empty outside of loops.")


class Started(Schema):
    run: UUID
    trigger: UUID
    workflow: str


class EventSummary(Schema):
    id: UUID
    name: str
    key: str
    data: Any
    source: str = Field(description="api, person or run")
    run: UUID | None = Field(description="The run that published it.")
    at: datetime

    @staticmethod
    def resolve_run(event: BusEvent) -> UUID | None:
        return event.run_id


class EventOut(EventSummary):
    woke: list[Woke] = Field(description="Waiting steps that it woke.")
    started: list[Started] = Field(description="Runs that triggers started for it.")
    faults: list[dict[str, str]] = Field(description="Filters that could not be evaluated for it.")

    @staticmethod
    def resolve_woke(event: BusEvent) -> Any:
        return queries.outcome(event)["woke"]

    @staticmethod
    def resolve_started(event: BusEvent) -> Any:
        return queries.outcome(event)["started"]


class EventQuery(Schema):
    name: str = Field("", description="Its beginning.")
    key: str = ""
    source: str = ""
    limit: int = Field(50, ge=1, le=200)
    offset: int = Field(0, ge=0)


@router.post("", response={202: EventOut, 200: EventOut}, summary="Publish an event")
def publish(request: ApiRequest, body: PublishEvent) -> Any:
    """202 and what it woke and started; 200 and the event there is when the idempotency key was used before."""
    allow(request, Permission.EVENTS_PUBLISH)
    published = service.publish(
        organisation=request.organisation,
        actor=Actor.of(request),
        source=BusEvent.Source.API,
        name=body.name,
        data=body.data,
        key=str(body.key),
        idempotency_key=body.idempotency_key,
    )
    return Status(202 if published.created else 200, published.event)


@router.get("", response=list[EventSummary], summary="List events, newest first")
def list_events(request: ApiRequest, query: Query[EventQuery]) -> Any:
    allow(request, Permission.RUNS_VIEW)
    chosen = queries.EventFilter(name=query.name, key=query.key, source=query.source)
    found = queries.events(request.organisation, chosen)
    return list(found[query.offset : query.offset + query.limit])


@router.get("/{uuid:event_id}", response=EventOut, summary="An event with what it woke and started")
def read(request: ApiRequest, event_id: UUID) -> Any:
    allow(request, Permission.RUNS_VIEW)
    return event_for(request.organisation, event_id)
