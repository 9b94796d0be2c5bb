"""Whether what a person answers to a step that has failed can be taken: by the step's type and its agent's contract."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from agents import queries as registry
from agents.contracts import Fault, data_faults
from orchestration.models import Run
from orchestration.nodes.base import NodeType, node_types

JSON = Any


def faults(*, run: Run, node: str, action: str, fields: Mapping[str, JSON]) -> list[Fault]:
    """What is wrong with the answer's fields, with paths (`$.settings.inputs.document`). At most two queries."""
    raw = next((raw for raw in run.definition.body["nodes"] if raw["id"] == node), None)
    kind = node_types().get(raw["type"]) if raw else None
    if raw is None or kind is None:
        return []
    if action == "retry_with":
        return list(_settings_faults(run, kind, fields.get("settings")))
    if action == "skip":
        return list(_outputs_faults(run, kind, raw.get("settings") or {}, fields))
    return []


def _settings_faults(run: Run, kind: NodeType, settings: JSON) -> Iterator[Fault]:
    if not isinstance(settings, Mapping):
        yield Fault("$.settings", "must be an object: all settings of the step")
        return
    try:
        kind.Settings.model_validate(settings)
    except ValidationError as error:
        for detail in error.errors(include_url=False):
            yield Fault("$.settings" + _path(detail["loc"]), detail["msg"][:1].lower() + detail["msg"][1:])
        return
    if kind.kind == "agent":
        yield from _agent_faults(run, settings)


def _agent_faults(run: Run, settings: Mapping[str, JSON]) -> Iterator[Fault]:
    contract = _contract(run, settings)
    if contract is None:
        yield Fault("$.settings.agent", f"is no agent of this organisation: {settings.get('agent')}")
        return
    for fault in data_faults(contract.input_schema, settings.get("inputs") or {}):
        yield Fault("$.settings.inputs" + fault.path.removeprefix("$"), fault.message)


def _outputs_faults(
    run: Run, kind: NodeType, settings: Mapping[str, JSON], fields: Mapping[str, JSON]
) -> Iterator[Fault]:
    if "outputs" not in fields:
        yield Fault("$.outputs", "is required: what the step is to have given")
        return
    ports = kind.ports(settings)
    if ports and fields.get("port", "out") not in ports:
        yield Fault("$.port", f"must be one of {', '.join(ports)}")
    schema = _output_schema(run, kind, settings)
    for fault in data_faults(schema, fields["outputs"]) if schema else ():
        yield Fault("$.outputs" + fault.path.removeprefix("$"), fault.message)


def _contract(run: Run, settings: Mapping[str, JSON]) -> registry.Known | None:
    slug, version = settings.get("agent"), settings.get("version")
    if not isinstance(slug, str):
        return None
    wanted = (slug, version if isinstance(version, int) else None)
    return registry.known(run.organisation_id, {wanted}).get(wanted)


def _path(steps: tuple[str | int, ...]) -> str:
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps)


@dataclass(frozen=True, slots=True)
class Shape:
    """What may be given in a step's place: its ways out, and an example of its outputs."""

    ports: tuple[str, ...]
    example: JSON


def shape(*, run: Run, node: str) -> Shape:
    """For the page that asks. At most two queries."""
    raw = next((raw for raw in run.definition.body["nodes"] if raw["id"] == node), None)
    kind = node_types().get(raw["type"]) if raw else None
    if raw is None or kind is None:
        return Shape(("out",), {})
    settings = raw.get("settings") or {}
    return Shape(kind.ports(settings), _example(_output_schema(run, kind, settings)))


def _output_schema(run: Run, kind: NodeType, settings: Mapping[str, JSON]) -> Mapping[str, JSON] | None:
    contract = _contract(run, settings) if kind.kind == "agent" else None
    return contract.output_schema if contract is not None else kind.output_schema(settings)


def _example(schema: Mapping[str, JSON] | None) -> JSON:
    properties = (schema or {}).get("properties")
    if not isinstance(properties, Mapping):
        return {}
    blank: dict[str, JSON] = {"string": "", "number": 0, "integer": 0, "boolean": False, "array": [], "object": {}}
    return {
        name: blank.get(str(inner.get("type", ""))) if isinstance(inner, Mapping) else None
        for name, inner in properties.items()
    }
