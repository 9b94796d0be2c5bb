"""What holds for every registered node type, of every app, those of tomorrow included."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.apps import apps
from pydantic import BaseModel

from orchestration.definition.fields import NodeSettings
from orchestration.expressions import resolve_settings
from orchestration.nodes import base
from orchestration.nodes.base import Context, Done, NodeFailure, NodeType, OpenLoop, RunFacts, Wait

CATEGORIES = {"agents", "logic", "data", "people", "time", "errors"}

# One right setting of each type, as an author would write it. A new type adds its line.
EXAMPLES: dict[str, dict[str, Any]] = {
    "agent": {"agent": "echo", "inputs": {"text": "{{ inputs.text }}"}},
    "approval": {"title": "Go on?", "assignee": {"role": "approver"}},
    "break": {"result": "{{ inputs.text }}"},
    "condition": {"condition": "size(inputs.text) > 1"},
    "delay": {"seconds": 1},
    "error_handler": {"then": "complete"},
    "fail": {"message": "Not {{ inputs.text }}"},
    "http": {
        "url": "https://api.example.com/search",
        "query": {"q": "{{ inputs.text }}"},
        "auth": {"secret_name": "KEY"},
    },
    "human_input": {"fields": {"type": "object", "properties": {"name": {"type": "string"}}}},
    "join": {},
    "loop": {"items": "[1, 2]", "mode": "parallel", "limit": 2, "output": "{{ inputs.text }}"},
    "notify": {"roles": ["approver"], "title": "Look at {{ inputs.text }}", "channels": ["portal"]},
    "parallel": {},
    "publish_event": {"name": "text.seen", "key": "{{ inputs.text }}", "data": {"text": "{{ inputs.text }}"}},
    "set": {"variables": {"a": "{{ inputs.text }}"}},
    "subworkflow": {"workflow": "other", "inputs": {"text": "{{ inputs.text }}"}},
    "transform": {
        "input": "{{ [3, 1] }}",
        "steps": [{"op": "sort"}, {"op": "map", "to": "item + size(given.text)"}],
        "given": {"text": "{{ inputs.text }}"},
    },
    "switch": {"cases": [{"port": "long", "when": "size(inputs.text) > 100"}]},
    "wait_event": {"name": "order.paid", "key": "{{ inputs.text }}", "timeout": 60, "filter": "event.data.sum > 1"},
}
SCOPE = {"inputs": {"text": "hello"}, "vars": {}, "context": {}, "loop": None, "error": None, "run": {}}
NEEDS_OTHERS = {
    "agent", "approval", "http", "human_input", "notify", "publish_event", "subworkflow",
}  # fmt: skip  # a registry or people: tested with them

TYPES = base.node_types()


@pytest.fixture(params=sorted(TYPES))
def node_type(request: pytest.FixtureRequest) -> NodeType:
    return TYPES[request.param]


def context(node_type: NodeType, settings: Any) -> Context:
    now = datetime.now(UTC)
    return Context(
        run=RunFacts(id=uuid4(), organisation_id=1, workflow_slug="w", started_by_id=None, priority=5),
        node="n",
        path=(),
        name="N",
        attempt=1,
        settings=settings,
        started_at=now,
        deadline=now + timedelta(seconds=5),
        idempotency_key="run/n",
    )


def test_every_type_has_an_example(node_type: NodeType) -> None:
    assert node_type.kind in EXAMPLES, "add a line to EXAMPLES"


def test_it_describes_itself(node_type: NodeType) -> None:
    cls = type(node_type)
    assert node_type.kind.isidentifier() and node_type.kind == node_type.kind.lower()
    assert str(node_type.label).strip() and str(node_type.icon).strip()
    assert len(str(node_type.description)) > 15 and str(node_type.description).endswith(".")
    assert node_type.category in CATEGORIES
    assert issubclass(node_type.Settings, NodeSettings)
    assert inspect.getdoc(cls), "the docstring tells what it does and gives"
    assert not node_type.container or node_type.inline, "a container opens within the planning loop"


def test_every_setting_says_what_it_is(node_type: NodeType) -> None:
    unsaid = [path for path, title in _titles(node_type.Settings) if not title]
    assert not unsaid, f"these need Field(title=…): {unsaid}"
    undescribed = [name for name, field in node_type.Settings.model_fields.items() if not field.description]
    assert len(undescribed) <= 1, f"these need Field(description=…): {undescribed}"


def _titles(model: type[BaseModel], path: str = "") -> list[tuple[str, str | None]]:
    return [(f"{path}{name}", field.title) for name, field in model.model_fields.items()]


def test_settings_make_a_form_and_come_back_as_they_were(node_type: NodeType) -> None:
    schema = node_type.Settings.model_json_schema()
    assert schema["type"] == "object" and schema["additionalProperties"] is False
    raw = EXAMPLES[node_type.kind]
    once = node_type.Settings.model_validate(raw).model_dump(mode="json")
    assert node_type.Settings.model_validate(once).model_dump(mode="json") == once


def test_unknown_settings_are_refused(node_type: NodeType) -> None:
    with pytest.raises(ValueError, match="unknown_key"):
        node_type.Settings.model_validate({**EXAMPLES[node_type.kind], "unknown_key": 1})


def test_ports_are_named_and_known_before_it_runs(node_type: NodeType) -> None:
    ports = node_type.ports(EXAMPLES[node_type.kind])
    assert len(set(ports)) == len(ports) and "error" not in ports
    assert all(port.replace("_", "").isalnum() for port in ports)


@pytest.mark.parametrize("settings", [{}, {"cases": None}, {"options": 3}, {"cases": [1, {}]}, {"options": [{}]}])
def test_ports_of_an_unfinished_draft_are_no_error(node_type: NodeType, settings: Mapping[str, Any]) -> None:
    assert isinstance(node_type.ports(settings), tuple)
    node_type.output_schema(settings)


async def test_it_does_what_its_contract_says(node_type: NodeType) -> None:
    if node_type.kind in NEEDS_OTHERS:
        return
    settings = resolve_settings(node_type, EXAMPLES[node_type.kind], SCOPE)
    try:
        result = await asyncio.wait_for(node_type.execute(context(node_type, settings)), 5)
    except NodeFailure as failure:
        assert failure.code and failure.message
        return
    match result:
        case Done(port=port, outputs=outputs):
            assert port in (node_type.ports(EXAMPLES[node_type.kind]) or ("",))
            _fits(node_type, outputs)
        case Wait(reason=reason):
            assert reason in {"timer", "approval", "human_input", "event", "subworkflow"}
        case OpenLoop():
            assert node_type.container


def _fits(node_type: NodeType, outputs: Any) -> None:
    from agents.contracts import data_faults

    schema = node_type.output_schema(EXAMPLES[node_type.kind])
    if schema is not None:
        assert data_faults(schema, outputs) == []


def test_only_types_that_wait_can_be_resumed(node_type: NodeType) -> None:
    own = type(node_type).resume is not NodeType.resume
    assert own is (node_type.kind in {"approval", "human_input", "delay", "wait_event", "subworkflow"})


def test_each_type_has_a_file_of_its_own() -> None:
    """New kinds are new files: nothing else is edited."""
    found = Path(apps.get_app_config("orchestration").path, "nodes").glob("*.py")
    kinds = {path.stem for path in found} - {"__init__", "base", "commit_hooks", "moved"}
    assert kinds == {kind for kind in TYPES if type(TYPES[kind]).__module__.startswith("orchestration.")}


def test_two_types_cannot_claim_one_kind() -> None:
    class Twin(type(TYPES["fail"])):  # type: ignore[misc]
        pass

    with pytest.raises(ValueError, match="fail"):
        base.register(Twin)
