"""The JSON Schema of the format, as it is published: the models of `schema.py` plus the settings of every node type.

Wherever settings want a number or a choice, a template stands for one too, so each such place takes a string with
`{{` as well.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Literal

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from orchestration.definition.schema import FORMAT, WorkflowDefinition
from orchestration.nodes.base import NodeType, node_types

JSON = Any
DIALECT = "https://json-schema.org/draft/2020-12/schema"
_TEMPLATE = {"type": "string", "pattern": r"\{\{", "title": "Template"}
_CONSTANTS = ("integer", "number", "boolean", "array", "object")


def json_schema(types: Mapping[str, NodeType] | None = None) -> dict[str, JSON]:
    """Draft 2020-12. The same types, the same text."""
    known = dict(sorted((node_types() if types is None else types).items()))
    used: list[type[BaseModel]] = [WorkflowDefinition, *(kind.Settings for kind in known.values())]
    models: list[tuple[type[BaseModel], Literal["validation"]]] = [(model, "validation") for model in used]
    refs, whole = models_json_schema(models, ref_template="#/$defs/{model}")
    definitions: dict[str, JSON] = whole["$defs"]
    settings = {kind: refs[node.Settings, "validation"]["$ref"] for kind, node in known.items()}
    for name in _settings_definitions(settings.values(), definitions):
        definitions[name] = _with_templates(definitions[name])
    node = definitions["Node"]
    node["properties"]["type"]["enum"] = list(known)
    node["allOf"] = [
        {
            "if": {"properties": {"type": {"const": kind}}, "required": ["type"]},
            "then": {"properties": {"settings": {"$ref": settings[kind], "description": str(node_type.description)}}},
        }
        for kind, node_type in known.items()
    ]
    root = definitions.pop("WorkflowDefinition")
    return {
        "$schema": DIALECT,
        "$id": f"urn:{FORMAT.replace('/', ':')}",
        **root,
        "title": "Workflow",
        "$defs": dict(sorted(definitions.items())),
    }


def _settings_definitions(references: Any, definitions: Mapping[str, JSON]) -> list[str]:
    """Names of the definitions that settings are made of, those they refer to included."""
    found: dict[str, None] = {}
    waiting = [reference.rsplit("/", 1)[1] for reference in references]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found[name] = None
            waiting.extend(reference.rsplit("/", 1)[1] for reference in _references(definitions[name]))
    return list(found)


def _references(value: JSON) -> Iterator[str]:
    match value:
        case Mapping():
            if isinstance(value.get("$ref"), str):
                yield value["$ref"]
            for item in value.values():
                yield from _references(item)
        case list():
            for item in value:
                yield from _references(item)


def _with_templates(schema: JSON) -> JSON:
    properties = {name: _or_template(inner) for name, inner in schema.get("properties", {}).items()}
    return {**schema, **({"properties": properties} if properties else {})}


def _or_template(schema: JSON) -> JSON:
    described = {key: schema[key] for key in ("title", "description", "default") if key in schema}
    rest = {key: value for key, value in schema.items() if key not in described}
    constant = rest.get("type") in _CONSTANTS or "enum" in rest or "anyOf" in rest or "pattern" in rest
    return {**described, "anyOf": [rest, _TEMPLATE]} if constant else schema


def text_of(schema: dict[str, JSON]) -> str:
    """As it is kept in docs/reference/workflow.schema.json."""
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
