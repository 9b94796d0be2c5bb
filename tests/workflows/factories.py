"""Definitions and workflows for tests, with keyword defaults."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from orchestration.models import Workflow, WorkflowVersion
from orchestration.services import workflows
from portal.core.actors import Actor
from portal.core.models import Organisation

JSON = Any


def node(name: str, type: str = "delay", **more: Any) -> dict[str, JSON]:
    defaults: dict[str, JSON] = {"delay": {"seconds": 1}, "condition": {"condition": "true"}}
    return {"id": name, "type": type, "settings": more.pop("settings", defaults.get(type, {})), **more}


def edge(source: str, target: str, port: str = "out") -> dict[str, JSON]:
    return {"source": source, "port": port, "target": target}


def chain(*names: str) -> list[dict[str, JSON]]:
    return [edge(a, b) for a, b in pairwise(names)]


def definition(*nodes: dict[str, JSON], edges: list[dict[str, JSON]] | None = None, **more: Any) -> dict[str, JSON]:
    nodes = nodes or (node("first"), node("second"))
    return {
        "format": "ensemble.workflow/1",
        "name": "A workflow",
        **more,
        "nodes": list(nodes),
        "edges": chain(*(item["id"] for item in nodes)) if edges is None else edges,
    }


def workflow(organisation: Organisation, body: dict[str, JSON] | None = None, **more: Any) -> Workflow:
    return workflows.create_workflow(
        organisation=organisation, definition=body or definition(), actor=Actor.command(), **more
    )


def published(organisation: Organisation, body: dict[str, JSON] | None = None, **more: Any) -> WorkflowVersion:
    return workflows.publish(workflow=workflow(organisation, body, **more), actor=Actor.command())
