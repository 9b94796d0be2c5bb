"""Whether a schema may be a contract: a schema of the standard, and one that keeps our own rules besides.

References stay inside of it, so that checking never opens a connection, and no pattern takes for ever.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from jsonschema import Draft202012Validator, ValidationError

from agents.contracts import MOST_FAULTS, Fault, data_faults, explained
from agents.fault_words import TYPES, did_you_mean, listed, member, show, type_of

JSON = Any
DIALECT = "https://json-schema.org/draft/2020-12/schema"
LARGEST_SCHEMA_BYTES = 64 * 1024
# Expressions of workflows call inputs and outputs by these names.
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")
_SCHEMA_MAPS = ("properties", "patternProperties", "$defs", "dependentSchemas")
_SCHEMA_LISTS = ("allOf", "anyOf", "oneOf", "prefixItems")
_SCHEMAS = (
    "items", "additionalProperties", "contains", "propertyNames", "not", "if", "then", "else", "unevaluatedItems",
    "unevaluatedProperties",
)  # fmt: skip
# A repeated group that itself ends in a repetition, as in (a+)+: its time may double with every character of the text.
_CATASTROPHIC = re.compile(r"\((?:[^()\\]|\\.)*[+*}](?:\?|\))?(?:[^()\\]|\\.)*\)\s*(?:[+*]|\{\d+,\d*\})")
_LONGEST_PATTERN = 300


def schema_faults(schema: JSON) -> list[Fault]:
    """All faults of a contract's schema (at most 20): against the standard, and against what a contract may be."""
    if not isinstance(schema, dict):
        return [Fault("$", f"must be a JSON Schema, an object, but is {type_of(schema)}")]
    if len(json.dumps(schema)) > LARGEST_SCHEMA_BYTES:
        return [Fault("$", f"must be at most {LARGEST_SCHEMA_BYTES // 1024} KiB")]
    faults = [
        _explain_schema(error) for error in Draft202012Validator(Draft202012Validator.META_SCHEMA).iter_errors(schema)
    ]
    if not faults:
        faults = list(_own_rules(schema))
    return sorted(dict.fromkeys(faults), key=lambda fault: fault.path)[:MOST_FAULTS]


def subschemas(schema: JSON, path: str = "$") -> Iterator[tuple[str, dict[str, JSON]]]:
    """The schema and every schema inside of it, with its path."""
    if not isinstance(schema, dict):
        return  # true and false are schemas too, with nothing inside
    yield path, schema
    for keyword in _SCHEMA_MAPS:
        for name, inner in schema.get(keyword, {}).items():
            yield from subschemas(inner, member(f"{path}.{keyword}", name))
    for keyword in _SCHEMA_LISTS:
        for index, inner in enumerate(schema.get(keyword, [])):
            yield from subschemas(inner, f"{path}.{keyword}[{index}]")
    for keyword in _SCHEMAS:
        if keyword in schema:
            yield from subschemas(schema[keyword], f"{path}.{keyword}")


def _explain_schema(error: ValidationError) -> Fault:
    path = error.json_path
    value: Any = error.instance
    if path.endswith(".type") and isinstance(value, str):
        return Fault(
            path, f"must be one of {listed(list(TYPES))}, but is {show(value)}{did_you_mean(value, list(TYPES))}"
        )
    return next(explained(error), Fault(path, error.message))


def _own_rules(schema: dict[str, JSON]) -> Iterator[Fault]:
    if schema.get("type") != "object":
        yield Fault("$.type", 'must be "object": inputs and outputs are named values')
    if schema.get("$schema", DIALECT).rstrip("#") != DIALECT:
        yield Fault("$.$schema", f"must be {DIALECT}")
    for name in schema.get("properties", {}):
        if not _NAME.fullmatch(name):
            yield Fault(member("$.properties", name), "must be letters, digits and _ only, beginning with a letter")
    for path, inner in subschemas(schema):
        if "$ref" in inner:
            yield from _reference_faults(schema, path, inner["$ref"])
        if "$dynamicRef" in inner or "$id" in inner:
            yield Fault(path, "must not use $id or $dynamicRef: a contract stands by itself")
        yield from _pattern_faults(path, inner)
        missing = [
            name for name in inner.get("required", []) if "properties" in inner and name not in inner["properties"]
        ]
        for name in missing:
            yield Fault(f"{path}.required", f"names {show(name)}, which is not among the properties"
                        f"{did_you_mean(name, list(inner['properties']))}")  # fmt: skip
        if "default" in inner and "$ref" not in inner:
            for fault in data_faults({**inner, "$defs": schema.get("$defs", {})}, inner["default"]):
                yield Fault(f"{path}.default", f"does not fit its own schema: {fault.message}")


def _reference_faults(root: dict[str, JSON], path: str, reference: str) -> Iterator[Fault]:
    if not reference.startswith("#"):
        yield Fault(f"{path}.$ref", "must point into this schema (#/$defs/…): other documents are not fetched")
        return
    seen: set[str] = set()
    target: JSON = {"$ref": reference}
    while isinstance(target, dict) and "$ref" in target:
        if target["$ref"] in seen:
            yield Fault(f"{path}.$ref", "goes round in a circle")
            return
        seen.add(target["$ref"])
        target = _pointed_at(root, target["$ref"])
    if target is None:
        yield Fault(f"{path}.$ref", f"points to {reference}, which is not there")


def _pointed_at(root: JSON, reference: str) -> JSON:
    """What a local JSON pointer names, None if nothing."""
    found = root
    for part in reference.removeprefix("#").split("/")[1:]:
        key = part.replace("~1", "/").replace("~0", "~")
        if isinstance(found, Mapping):
            found = found.get(key)
        elif isinstance(found, list) and key.isdigit() and int(key) < len(found):
            found = found[int(key)]
        else:
            return None
    return found


def _pattern_faults(path: str, schema: Mapping[str, JSON]) -> Iterator[Fault]:
    patterns = {f"{path}.pattern": schema["pattern"]} if "pattern" in schema else {}
    patterns |= {member(f"{path}.patternProperties", name): name for name in schema.get("patternProperties", {})}
    for place, pattern in patterns.items():
        try:
            re.compile(pattern)
        except re.error as error:
            yield Fault(place, f"is not a valid pattern: {error}")
            continue
        if len(pattern) > _LONGEST_PATTERN:
            yield Fault(place, f"must have at most {_LONGEST_PATTERN} characters")
        elif _CATASTROPHIC.search(pattern):
            yield Fault(place, "repeats a group that repeats inside; such a pattern may take for ever on some texts")
