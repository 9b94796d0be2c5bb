"""A JSON Schema as rows that a person can read: one for each value, with its type in words. Pure."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from agents.fault_words import TYPES

JSON = Any
_DEEPEST = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class SchemaRow:
    """`depth` indents; `limits` are sentences such as "at most 200 characters"."""

    name: str
    depth: int
    type: str
    required: bool
    title: str
    description: str
    limits: tuple[str, ...]
    default: str | None


def schema_rows(schema: Mapping[str, JSON]) -> list[SchemaRow]:
    """Rows of the properties of an object's schema, nested ones after their parent. [] for an open object."""
    return list(_rows(schema, schema, 0))


def is_open(schema: Mapping[str, JSON]) -> bool:
    """Whether values that the schema does not name are taken."""
    return schema.get("additionalProperties", True) is not False


def _rows(schema: Mapping[str, JSON], root: Mapping[str, JSON], depth: int) -> Iterator[SchemaRow]:
    required = schema.get("required", [])
    for name, raw in schema.get("properties", {}).items():
        inner = _resolved(raw, root)
        yield _row(name, inner, name in required, depth)
        if depth < _DEEPEST:
            yield from _inside(inner, root, depth + 1)


def _inside(schema: Mapping[str, JSON], root: Mapping[str, JSON], depth: int) -> Iterator[SchemaRow]:
    items = _resolved(schema.get("items"), root)
    yield from _rows(items if schema.get("type") == "array" else schema, root, depth)


def _resolved(schema: JSON, root: Mapping[str, JSON]) -> Mapping[str, JSON]:
    """The schema, a reference into $defs followed once."""
    if not isinstance(schema, Mapping):
        return {}
    target = schema.get("$ref", "")
    if target.startswith("#/$defs/"):
        found = root.get("$defs", {}).get(target.removeprefix("#/$defs/"))
        return found if isinstance(found, Mapping) else {}
    return schema


def _row(name: str, schema: Mapping[str, JSON], required: bool, depth: int) -> SchemaRow:
    default = json.dumps(schema["default"], ensure_ascii=False) if "default" in schema else None
    return SchemaRow(
        name=name,
        depth=depth,
        type=type_words(schema),
        required=required,
        title=schema.get("title", ""),
        description=schema.get("description", ""),
        limits=tuple(_limits(schema)),
        default=default,
    )


def type_words(schema: Mapping[str, JSON]) -> str:
    """ "text", "list of objects", "one of “low”, “high”"."""
    if "const" in schema:
        return f"always {json.dumps(schema['const'], ensure_ascii=False)}"
    if "enum" in schema:
        return "one of " + ", ".join(str(value) for value in schema["enum"])
    if any(keyword in schema for keyword in ("anyOf", "oneOf")):
        kinds = dict.fromkeys(type_words(one) for one in [*schema.get("anyOf", []), *schema.get("oneOf", [])])
        return " or ".join(kinds)
    named = schema.get("type", [])
    words = [_ONE[one] for one in ([named] if isinstance(named, str) else named) if one in _ONE]
    if named == "array":
        items = schema.get("items")
        inner = items.get("type", "") if isinstance(items, Mapping) else ""
        return f"list of {_MANY[inner]}" if inner in _MANY else "list"
    text = " or ".join(words) or "anything"
    return f"{text} ({schema['format']})" if "format" in schema else text


_ONE = {kind: words.removeprefix("an ").removeprefix("a ") for kind, words in TYPES.items()}
_MANY = {
    "string": "texts",
    "number": "numbers",
    "integer": "whole numbers",
    "object": "objects",
    "boolean": "true or false",
    "array": "lists",
}
_LIMITS = {
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "minItems": "at least {} items",
    "maxItems": "at most {} items",
    "minimum": "at least {}",
    "maximum": "at most {}",
    "exclusiveMinimum": "more than {}",
    "exclusiveMaximum": "less than {}",
    "multipleOf": "a multiple of {}",
    "pattern": "matches {}",
}


def _limits(schema: Mapping[str, JSON]) -> Iterator[str]:
    yield from (words.format(schema[keyword]) for keyword, words in _LIMITS.items() if keyword in schema)
    if schema.get("uniqueItems"):
        yield "no item twice"
