"""What a JSON Schema says about a path into the data it describes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

JSON = Any
Schema = Mapping[str, JSON]
_MOST_REFS = 20


@dataclass(frozen=True, slots=True)
class Gap:
    """Where a path leaves the schema: how many steps are good, what is known there, and what there is instead."""

    depth: int
    known: tuple[str, ...] = ()
    kind: str = "object"
    """object: it has no such field. Otherwise the kind of value that has no fields: string, array, ..."""


def gap(schema: Schema, path: Sequence[str | int]) -> Gap | None:
    """None when the path may be there as far as the schema tells; a schema that says nothing allows everything."""
    return _gap([schema], path, 0, schema)


def _gap(schemas: list[JSON], path: Sequence[str | int], depth: int, root: Schema) -> Gap | None:
    if depth == len(path):
        return None
    found: Gap | None = None
    for schema in _spread(schemas, root):
        result = _one(schema, path, depth, root)
        if result is None:
            return None  # one of the alternatives has it
        if found is None or result.depth > found.depth or (result.depth == found.depth and result.known):
            found = result
    return found


def _spread(schemas: list[JSON], root: Schema) -> list[JSON]:
    """Alternatives and references written out."""
    spread: list[JSON] = []
    waiting = list(schemas)
    for _ in range(200):
        if not waiting:
            break
        schema = resolved(waiting.pop(0), root)
        branches = schema.get("anyOf") or schema.get("oneOf") if isinstance(schema, Mapping) else None
        if isinstance(branches, list) and branches:
            waiting.extend(branches)
        else:
            spread.append(schema)
    return spread


def resolved(schema: JSON, root: Schema) -> JSON:
    """The schema with references into itself followed; {} where they lead nowhere."""
    for _ in range(_MOST_REFS):
        if not isinstance(schema, Mapping) or not isinstance(schema.get("$ref"), str):
            return schema
        target: JSON = root
        for part in schema["$ref"].removeprefix("#").split("/")[1:]:
            key = part.replace("~1", "/").replace("~0", "~")
            target = target.get(key) if isinstance(target, Mapping) else None
        schema = target if isinstance(target, Mapping) else {}
    return {}


def _one(schema: JSON, path: Sequence[str | int], depth: int, root: Schema) -> Gap | None:
    if not isinstance(schema, Mapping) or "allOf" in schema or "if" in schema:
        return None
    step, kind = path[depth], schema.get("type")
    properties = schema.get("properties")
    kinds = kind if isinstance(kind, list) else [kind] if isinstance(kind, str) else []
    if isinstance(step, int):
        if "items" in schema and (not kinds or "array" in kinds):
            return _gap([schema["items"]], path, depth + 1, root)
        return None if not kinds or "array" in kinds else Gap(depth, kind=kinds[0])
    if kinds and "object" not in kinds:
        return Gap(depth, kind=kinds[0])
    if isinstance(properties, Mapping) and step in properties:
        return _gap([properties[step]], path, depth + 1, root)
    more = schema.get("additionalProperties")
    if isinstance(more, Mapping) and more:
        return _gap([more], path, depth + 1, root)
    if more is True or "patternProperties" in schema or (more is None and not properties):
        return None
    return Gap(depth, tuple(properties or ()))
