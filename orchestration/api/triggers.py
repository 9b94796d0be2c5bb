"""Triggers by API. Contract: docs/reference/api.md."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from django.urls import reverse
from ninja import Field, Query, Router, Schema, Status

from orchestration import access
from orchestration.models import Trigger, TriggerFire
from orchestration.queries import triggers as queries
from orchestration.services import triggers as service
from orchestration.services.triggers import NewTrigger, Wanted
from portal.core.actors import Actor
from portal.core.api_auth import ApiRequest, allow
from portal.core.permissions import Permission

router = Router(tags=["triggers"])


class TriggerIn(Schema):
    name: str
    settings: dict[str, Any] = Field(default_factory=dict, description="By kind, see docs/guides.")
    inputs: dict[str, Any] = Field(default_factory=dict, description="Of the runs, with {{ expressions }}.")
    version: int | None = Field(None, description="Always this version; the published one if left out.")
    priority: int = Field(5, ge=1, le=10)
    most_unfinished: int = Field(100, ge=1, le=10_000, description="No new run while so many are under way.")


class NewTriggerIn(TriggerIn):
    workflow: str = Field(description="Slug of the workflow.")
    kind: Literal["cron", "webhook", "event"]
    enabled: bool = True
    secret: str = Field("", description="Of a webhook, if the sender has one already; else it is made.")


class TriggerChange(Schema):
    """What is left out stays as it is."""

    name: str | None = None
    settings: dict[str, Any] | None = None
    inputs: dict[str, Any] | None = None
    version: int | None = Field(None, description="0: the published one.")
    priority: int | None = Field(None, ge=1, le=10)
    most_unfinished: int | None = Field(None, ge=1, le=10_000)
    enabled: bool | None = None


class TriggerOut(Schema):
    id: UUID
    workflow: str
    kind: str
    name: str
    enabled: bool
    disabled_because: str
    settings: dict[str, Any]
    inputs: dict[str, Any]
    version: int | None
    priority: int
    most_unfinished: int
    failures: int = Field(description="Fires in a row that could start nothing.")
    next_at: datetime | None
    url: str | None = Field(description="Of a webhook: where to send to.")

    @staticmethod
    def resolve_workflow(trigger: Trigger) -> str:
        return trigger.workflow.slug

    @staticmethod
    def resolve_version(trigger: Trigger) -> int | None:
        return trigger.version.number if trigger.version else None

    @staticmethod
    def resolve_url(trigger: Trigger, context: dict[str, Any]) -> str | None:
        request = context["request"]
        if not trigger.path or not access.may_manage_triggers(request):
            return None
        return str(request.build_absolute_uri(reverse("hook", args=[request.organisation.slug, trigger.path])))


class TriggerWithSecret(TriggerOut):
    secret: str = Field(description="Signs a webhook's requests. It cannot be had again.")


class FireOut(Schema):
    id: int
    at: datetime
    due_at: datetime | None
    outcome: str = Field(description="started, skipped, refused or failed")
    reason: str
    problems: list[dict[str, str]]
    test: bool
    count: int = Field(description="Occasions that this one stands for.")
    run: UUID | None
    event: UUID | None

    @staticmethod
    def resolve_run(fire: TriggerFire) -> UUID | None:
        return fire.run_id

    @staticmethod
    def resolve_event(fire: TriggerFire) -> UUID | None:
        return fire.event_id


class Test(Schema):
    dry: bool = Field(True, description="Only show the inputs. Otherwise a real run begins, marked as a test.")
    sample: dict[str, Any] = Field(default_factory=dict, description='{"body"}, or {"event": {"key", "data"}}')


class TestOut(Schema):
    inputs: dict[str, Any] | None
    problems: list[dict[str, str]]
    fire: FireOut | None = None


class FireQuery(Schema):
    outcome: str = ""
    limit: int = Field(50, ge=1, le=200)
    offset: int = Field(0, ge=0)


@router.get("", response=list[TriggerOut], summary="List triggers")
def list_triggers(request: ApiRequest, workflow: str = "") -> Any:
    allow(request, Permission.WORKFLOWS_VIEW)
    chosen = access.workflow_for(request.organisation, workflow) if workflow else None
    return list(queries.triggers(request.organisation, chosen))


@router.post("", response={201: TriggerWithSecret}, summary="Create a trigger")
def create(request: ApiRequest, body: NewTriggerIn) -> Any:
    """201 with a webhook's secret, which cannot be had again; 422 with every fault and its path."""
    allow(request, Permission.WORKFLOWS_PUBLISH)
    workflow = access.workflow_for(request.organisation, body.workflow)
    wanted = Wanted(
        name=body.name,
        settings=body.settings,
        inputs=body.inputs,
        version=access.version_for(workflow, body.version) if body.version else None,
        priority=body.priority,
        most_unfinished=body.most_unfinished,
    )
    made = service.create_trigger(
        workflow=workflow,
        kind=body.kind,
        wanted=wanted,
        actor=Actor.of(request),
        enabled=body.enabled,
        secret=body.secret,
    )
    return Status(201, _with_secret(made))


@router.get("/{uuid:trigger_id}", response=TriggerOut, summary="A trigger")
def read(request: ApiRequest, trigger_id: UUID) -> Any:
    return _trigger(request, trigger_id, Permission.WORKFLOWS_VIEW)


@router.patch("/{uuid:trigger_id}", response=TriggerOut, summary="Change a trigger")
def change(request: ApiRequest, trigger_id: UUID, body: TriggerChange) -> Any:
    """What is left out stays. `enabled` switches it, `version: 0` follows the published version."""
    trigger = _trigger(request, trigger_id, Permission.WORKFLOWS_PUBLISH)
    given = body.dict(exclude_unset=True, exclude_none=True)
    enabled, number = given.pop("enabled", None), given.pop("version", None)
    if given or number is not None:
        version = trigger.version if number is None else None
        if number:
            version = access.version_for(trigger.workflow, number)
        now = {name: getattr(trigger, name) for name in ("name", "settings", "inputs", "priority", "most_unfinished")}
        wanted = Wanted(**{**now, **given}, version=version)
        trigger = service.change_trigger(trigger=trigger, wanted=wanted, actor=Actor.of(request))
    if enabled is not None:
        trigger = service.set_enabled(trigger=trigger, enabled=enabled, actor=Actor.of(request))
    return trigger


@router.delete("/{uuid:trigger_id}", response={204: None}, summary="Delete a trigger with its history")
def delete(request: ApiRequest, trigger_id: UUID) -> Any:
    trigger = _trigger(request, trigger_id, Permission.WORKFLOWS_PUBLISH)
    service.delete_trigger(trigger=trigger, actor=Actor.of(request))
    return Status(204, None)


@router.post("/{uuid:trigger_id}/secret", response=TriggerWithSecret, summary="A new secret for a webhook")
def rotate(request: ApiRequest, trigger_id: UUID) -> Any:
    trigger = _trigger(request, trigger_id, Permission.WORKFLOWS_PUBLISH)
    return _with_secret(service.rotate_secret(trigger=trigger, actor=Actor.of(request)))


@router.post("/{uuid:trigger_id}/test", response=TestOut, summary="Try a trigger")
def test(request: ApiRequest, trigger_id: UUID, body: Test) -> Any:
    """The inputs it would give, or with `dry: false` a real run that is marked as a test."""
    trigger = _trigger(request, trigger_id, Permission.WORKFLOWS_PUBLISH)
    if body.dry:
        found = service.rehearse(trigger, body.sample)
        return {"inputs": found.inputs, "problems": found.problems}
    allow(request, Permission.RUNS_START)
    fired = service.test_run(trigger=trigger, sample=body.sample, actor=Actor.of(request))
    return {"inputs": fired.inputs, "problems": fired.problems, "fire": fired}


@router.get("/{uuid:trigger_id}/fires", response=list[FireOut], summary="What came of it, newest first")
def fires(request: ApiRequest, trigger_id: UUID, query: Query[FireQuery]) -> Any:
    trigger = _trigger(request, trigger_id, Permission.WORKFLOWS_VIEW)
    found = queries.fires(trigger, query.outcome)
    return list(found[query.offset : query.offset + query.limit])


def _trigger(request: ApiRequest, trigger_id: UUID, permission: Permission) -> Trigger:
    allow(request, permission)
    return access.trigger_for(request.organisation, trigger_id)


def _with_secret(made: NewTrigger) -> Trigger:
    made.trigger.secret = made.secret  # type: ignore[attr-defined]
    return made.trigger
