"""Contracts of agents: JSON Schema (draft 2020-12) of what goes in and out, checked with words a person understands.

A fault is a JSON path and a sentence. Formats are a fixed set, so that the same data is right on every installation;
references stay inside the schema, so that checking never opens a connection.
"""

import difflib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any
from urllib.parse import urlsplit

from jsonschema import Draft202012Validator, FormatChecker, ValidationError
from jsonschema.exceptions import best_match
from referencing import Registry
from referencing.exceptions import Unresolvable

JSON = Any
DIALECT = "https://json-schema.org/draft/2020-12/schema"
# Expressions of workflows call inputs and outputs by these names.
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")
LARGEST_SCHEMA_BYTES = 64 * 1024
MOST_FAULTS = 20

TYPES = {
    "object": "an object",
    "array": "a list",
    "string": "text",
    "number": "a number",
    "integer": "a whole number",
    "boolean": "true or false",
    "null": "null",
}

_SCHEMA_MAPS = ("properties", "patternProperties", "$defs", "dependentSchemas")
_SCHEMA_LISTS = ("allOf", "anyOf", "oneOf", "prefixItems")
_SCHEMAS = (
    "items", "additionalProperties", "contains", "propertyNames", "not", "if", "then", "else", "unevaluatedItems",
    "unevaluatedProperties",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Fault:
    """Where and what: Fault("$.lines[2].price", "must be a number, but is text")."""

    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}"

    def as_json(self) -> dict[str, str]:
        return {"path": self.path, "message": self.message}


# -- formats --------------------------------------------------------------------------------------------------------

_formats = FormatChecker(formats=["email", "uuid", "ipv4", "ipv6", "regex"])


@_formats.checks("date", ValueError)
def _date(value: object) -> bool:
    return not isinstance(value, str) or (len(value) == 10 and bool(date.fromisoformat(value)))


@_formats.checks("date-time", ValueError)
def _date_time(value: object) -> bool:
    """RFC 3339: with a time zone."""
    return not isinstance(value, str) or ("T" in value.upper() and datetime.fromisoformat(value).tzinfo is not None)


@_formats.checks("time", ValueError)
def _time(value: object) -> bool:
    return not isinstance(value, str) or time.fromisoformat(value) is not None


@_formats.checks("uri", ValueError)
def _uri(value: object) -> bool:
    if not isinstance(value, str):
        return True
    parts = urlsplit(value)
    return bool(parts.scheme and (parts.netloc or parts.path)) and not re.search(r"\s", value)


# -- data -----------------------------------------------------------------------------------------------------------


def data_faults(schema: Mapping[str, JSON], data: JSON) -> list[Fault]:
    """All faults of `data` (at most 20), in the order of their paths. The schema must have none of its own."""
    validator = Draft202012Validator(schema, format_checker=_formats, registry=Registry())
    faults: dict[Fault, None] = {}
    try:
        for error in validator.iter_errors(data):
            faults.update(dict.fromkeys(_explain(error)))
            if len(faults) >= MOST_FAULTS:
                break
    except RecursionError:
        return [Fault("$", "is nested too deeply to be checked")]
    except Unresolvable as error:
        return [Fault("$", f"cannot be checked: the schema refers to {error.ref}, which it does not hold")]
    return sorted(faults, key=lambda fault: fault.path)


def _explain(error: ValidationError) -> Iterator[Fault]:
    path = error.json_path
    value: Any = error.instance
    wanted: Any = error.validator_value
    schema: Any = error.schema
    match error.validator:
        case "required":
            yield from (Fault(_member(path, name), "is required") for name in wanted if name not in value)
        case "additionalProperties" | "unevaluatedProperties":
            known = list(schema.get("properties", {}))
            patterns = schema.get("patternProperties", {})
            unknown = [n for n in value if n not in known and not any(re.search(p, n) for p in patterns)]
            yield from (Fault(_member(path, name), f"is not known here{_known(name, known)}") for name in unknown)
        case "type":
            yield Fault(path, f"must be {_types(wanted)}, but is {type_of(value)}")
        case "enum":
            close = _did_you_mean(value, wanted)
            yield Fault(path, f"must be one of {_list(wanted)}, but is {_show(value)}{close}")
        case "const":
            yield Fault(path, f"must be {_show(wanted)}, but is {_show(value)}")
        case "anyOf" | "oneOf" if error.context:
            closest = best_match(iter(error.context)) or error
            for fault in _explain(closest):
                yield Fault(fault.path, f"{fault.message} (the nearest of {len(wanted)} allowed forms)")
        case "format":
            yield Fault(path, f"must be {_FORMAT_WORDS.get(wanted, wanted)}, but is {_show(value)}")
        case "pattern":
            yield Fault(path, f"must match the pattern {wanted}, but is {_show(value)}")
        case keyword if keyword in _LIMIT_WORDS:
            yield Fault(path, _LIMIT_WORDS[keyword].format(wanted))
        case _:
            yield Fault(path, error.message)


_FORMAT_WORDS = {
    "date": "a date (2026-05-31)",
    "date-time": "a date and time with time zone (2026-05-31T12:00:00Z)",
    "time": "a time of day (12:00:00)",
    "email": "an e-mail address",
    "uri": "an address with its scheme (https://…)",
    "uuid": "a UUID",
}
_LIMIT_WORDS = {
    "minLength": "must have at least {} characters",
    "maxLength": "must have at most {} characters",
    "minItems": "must have at least {} items",
    "maxItems": "must have at most {} items",
    "minProperties": "must have at least {} members",
    "maxProperties": "must have at most {} members",
    "minimum": "must be at least {}",
    "maximum": "must be at most {}",
    "exclusiveMinimum": "must be more than {}",
    "exclusiveMaximum": "must be less than {}",
    "multipleOf": "must be a multiple of {}",
    "uniqueItems": "must not hold an item twice",
}


def is_small(data: JSON, most: int) -> bool:
    """Whether it holds at most that many values, counted no further."""
    waiting, seen = [data], 0
    while waiting:
        value = waiting.pop()
        seen += 1
        if seen + len(waiting) > most:
            return False
        if isinstance(value, Mapping):
            waiting.extend(value.values())
        elif isinstance(value, list):
            waiting.extend(value)
    return True


def type_of(value: JSON) -> str:
    """The kind of a JSON value in words: "text", "a list"."""
    match value:
        case None:
            return "null"
        case bool():
            return "true or false"
        case str():
            return "text"
        case int() | float():
            return "a number"
        case Mapping():
            return "an object"
        case _:
            return "a list"


# -- schemas --------------------------------------------------------------------------------------------------------


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
            yield from subschemas(inner, _member(f"{path}.{keyword}", name))
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
            path, f"must be one of {_list(list(TYPES))}, but is {_show(value)}{_did_you_mean(value, list(TYPES))}"
        )
    return next(_explain(error), Fault(path, error.message))


def _own_rules(schema: dict[str, JSON]) -> Iterator[Fault]:
    if schema.get("type") != "object":
        yield Fault("$.type", 'must be "object": inputs and outputs are named values')
    if schema.get("$schema", DIALECT).rstrip("#") != DIALECT:
        yield Fault("$.$schema", f"must be {DIALECT}")
    for name in schema.get("properties", {}):
        if not _NAME.fullmatch(name):
            yield Fault(_member("$.properties", name), "must be letters, digits and _ only, beginning with a letter")
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
            yield Fault(f"{path}.required", f"names {_show(name)}, which is not among the properties"
                        f"{_did_you_mean(name, list(inner['properties']))}")  # fmt: skip
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


# A repeated group that itself ends in a repetition, as in (a+)+: its time may double with every character of the text.
_CATASTROPHIC = re.compile(r"\((?:[^()\\]|\\.)*[+*}](?:\?|\))?(?:[^()\\]|\\.)*\)\s*(?:[+*]|\{\d+,\d*\})")
_LONGEST_PATTERN = 300


def _pattern_faults(path: str, schema: Mapping[str, JSON]) -> Iterator[Fault]:
    patterns = {f"{path}.pattern": schema["pattern"]} if "pattern" in schema else {}
    patterns |= {_member(f"{path}.patternProperties", name): name for name in schema.get("patternProperties", {})}
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


# -- words ----------------------------------------------------------------------------------------------------------


def _member(path: str, name: str) -> str:
    return f"{path}.{name}" if re.fullmatch(r"[A-Za-z_$][\w$-]*", name) else f"{path}[{name!r}]"


def _types(wanted: str | Sequence[str]) -> str:
    names = [wanted] if isinstance(wanted, str) else list(wanted)
    return " or ".join(TYPES.get(name, name) for name in names)


def _show(value: JSON) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 60 else f"{text[:57]}…"


def _list(values: Sequence[JSON]) -> str:
    shown = ", ".join(_show(value) for value in values[:12])
    return shown if len(values) <= 12 else f"{shown} and {len(values) - 12} more"


def _did_you_mean(value: JSON, known: Sequence[JSON]) -> str:
    words = [word for word in known if isinstance(word, str)]
    close = difflib.get_close_matches(value, words, n=1) if isinstance(value, str) else []
    return f" (did you mean {_show(close[0])}?)" if close else ""


def _known(name: str, known: Sequence[str]) -> str:
    return _did_you_mean(name, known) or (f"; known are {_list(known)}" if known else "")
