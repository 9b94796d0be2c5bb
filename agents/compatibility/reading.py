"""Reading a schema: what a reference names, which types and values there can be, whether two are the same."""

import json
from collections.abc import Mapping
from typing import Any

JSON = Any
Schema = Mapping[str, JSON]

_ALL_TYPES = frozenset({"object", "array", "string", "number", "integer", "boolean", "null"})
NUMBERS = frozenset({"number", "integer"})
_ANNOTATIONS = {"title", "description", "default", "examples", "deprecated", "$comment"}
DEEPEST = 24
"""How many references, or levels, are followed."""


def followed(schema: JSON, root: Schema) -> JSON:
    """Where it is nothing but a reference into `$defs`, what that names, unless it leads back to itself."""
    for _ in range(DEEPEST):
        if not isinstance(schema, Mapping) or set(schema) - _ANNOTATIONS != {"$ref"}:
            return schema
        name = schema["$ref"].removeprefix("#/$defs/")
        target = root.get("$defs", {}).get(name)
        if target is None or _leads_to(target, name, root):
            return schema
        schema = target
    return schema


def _leads_to(schema: JSON, name: str, root: Schema) -> bool:
    """Whether `#/$defs/name` is met again somewhere inside."""
    waiting, seen = [schema], set[str]()
    while waiting:
        found = waiting.pop()
        if isinstance(found, list):
            waiting.extend(found)
        elif isinstance(found, Mapping):
            reference = found.get("$ref")
            if isinstance(reference, str) and reference not in seen:
                seen.add(reference)
                if reference == f"#/$defs/{name}":
                    return True
                waiting.append(root.get("$defs", {}).get(reference.removeprefix("#/$defs/")))
            waiting.extend(found.values())
    return False


def is_same(a: JSON, b: JSON, root_a: Schema, root_b: Schema) -> bool:
    """To the letter, references included: 1 is not true here."""
    one, other = json.dumps(a, sort_keys=True), json.dumps(b, sort_keys=True)
    return one == other and (root_a.get("$defs") == root_b.get("$defs") or '"$ref"' not in one)


def rooted(schema: Schema, root: Schema) -> dict[str, JSON]:
    return {**schema, "$defs": root.get("$defs", {})}


def types_of(schema: Schema) -> frozenset[str]:
    named = schema.get("type") if isinstance(schema, Mapping) else None
    if named is None:
        return _ALL_TYPES
    types = frozenset([named] if isinstance(named, str) else named)
    return types | {"integer"} if "number" in types else types


def values_of(schema: Schema) -> list[JSON] | None:
    """All it can be, where it says so."""
    if "const" in schema:
        return [schema["const"]]
    if "enum" in schema:
        return list(schema["enum"])
    types = types_of(schema)
    if types <= {"boolean", "null"}:
        return [value for kind, value in (("boolean", True), ("boolean", False), ("null", None)) if kind in types]
    return None


def required(schema: Schema) -> frozenset[str]:
    return frozenset(schema.get("required", []))
