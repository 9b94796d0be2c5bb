"""Workflows with triggers, with keyword defaults."""

from __future__ import annotations

from typing import Any

from orchestration.models import Trigger, Workflow
from orchestration.services import triggers
from orchestration.services.triggers import NewTrigger, Wanted
from portal.core.actors import Actor
from portal.core.models import Organisation
from tests.workflows import factories as make

JSON = Any
INPUTS = {
    "type": "object",
    "properties": {"order": {"type": "string"}, "amount": {"type": "number"}},
    "required": ["order"],
}
SETTINGS: dict[str, dict[str, JSON]] = {
    "cron": {"expression": "0 9 * * *", "timezone": "Europe/Berlin"},
    "webhook": {},
    "event": {"event": "order.paid"},
}
ORDER: dict[str, JSON] = {
    "cron": {"order": "of {{ due_at }}"},
    "webhook": {"order": "{{ body.order }}"},
    "event": {"order": "{{ event.data.order }}"},
}


def workflow(organisation: Organisation, **more: Any) -> Workflow:
    """Published; it takes an order and does nothing with it."""
    body = make.definition(make.node("note", "set", settings={"variables": {"a": 1}}), inputs=INPUTS, **more)
    return make.published(organisation, body).workflow


def new(workflow: Workflow, kind: str, **more: Any) -> NewTrigger:
    settings = {**SETTINGS[kind], **more.pop("settings", {})}
    wanted = Wanted(
        name=more.pop("name", kind),
        settings=settings,
        inputs=more.pop("inputs", ORDER[kind]),
        **{name: more.pop(name) for name in ("version", "priority", "most_unfinished") if name in more},
    )
    return triggers.create_trigger(workflow=workflow, kind=kind, wanted=wanted, actor=Actor.command(), **more)


def trigger(workflow: Workflow, kind: str, **more: Any) -> Trigger:
    return new(workflow, kind, **more).trigger
