"""The inputs a trigger gives to its runs: JSON with `{{ expression }}`, checked when saved and resolved when it fires.

| kind | names |
|---|---|
| all | `fired_at` (ISO 8601), `trigger` (`id`, `name`, `kind`) |
| cron | `due_at`, in the trigger's time zone |
| webhook | `body` (JSON, else text), `query`, `headers` (names in small letters) |
| event | `event` (`id`, `name`, `key`, `data`, `at`, `source`) |
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from agents.contracts import Fault, data_faults
from agents.fault_words import member
from orchestration.expressions import ExpressionError, is_template, resolve, template

JSON = Any

COMMON = frozenset({"fired_at", "trigger"})
NAMES: dict[str, frozenset[str]] = {
    "cron": COMMON | {"due_at"},
    "webhook": COMMON | {"body", "query", "headers"},
    "event": COMMON | {"event"},
}
_STEP = re.compile(r"\.([A-Za-z_$][\w$-]*)|\[(\d+)\]|\['((?:[^'\\]|\\.)*)'\]")


class Unresolvable(Exception):
    """An expression failed. `path` is its place in the template, `$.order.id`."""

    def __init__(self, path: str, message: str) -> None:
        super().__init__(f"{path}: {message}")
        self.path, self.message = path, message


def faults(kind: str, inputs: JSON, schema: Mapping[str, JSON]) -> list[Fault]:
    """All that is wrong with a template: expressions that cannot be read, and what cannot fit the workflow's inputs.

    What an expression will give is not known yet, so nothing is said of it.
    """
    found = [fault for path, text in _texts(inputs) if (fault := _expression_fault(kind, path, text))]
    if found:
        return found
    return [fault for fault in data_faults(schema, _with_defaults(inputs, schema)) if not _open(inputs, fault.path)]


def resolved(inputs: Mapping[str, JSON], scope: Mapping[str, JSON]) -> dict[str, JSON]:
    """Raises Unresolvable with the place of the first expression that fails."""
    return dict(_resolved(inputs, scope, "$"))


def skeleton(kind: str, schema: Mapping[str, JSON]) -> dict[str, JSON]:
    """A template to begin with: each required input from where it is likely to be."""
    source = {"webhook": "body.{}", "event": "event.data.{}", "cron": ""}[kind]
    properties = schema.get("properties", {})
    return {
        name: "{{ " + source.format(name) + " }}" if source else properties.get(name, {}).get("default", "")
        for name in schema.get("required", [])
    }


def _resolved(value: JSON, scope: Mapping[str, JSON], path: str) -> JSON:
    match value:
        case str():
            try:
                return resolve(value, scope)
            except ExpressionError as error:
                raise Unresolvable(path, error.message) from None
        case Mapping():
            return {key: _resolved(item, scope, member(path, key)) for key, item in value.items()}
        case list():
            return [_resolved(item, scope, f"{path}[{index}]") for index, item in enumerate(value)]
    return value


def _expression_fault(kind: str, path: str, text: str) -> Fault | None:
    try:
        parsed = template(text)
        for hole in parsed.holes:
            parsed.program(hole).check_names(NAMES[kind])
    except ExpressionError as error:
        return Fault(path, error.message)
    return None


def _texts(value: JSON, path: str = "$") -> Iterator[tuple[str, str]]:
    match value:
        case str() if is_template(value):
            yield path, value
        case Mapping():
            for key, item in value.items():
                yield from _texts(item, member(path, key))
        case list():
            for index, item in enumerate(value):
                yield from _texts(item, f"{path}[{index}]")


def _with_defaults(inputs: JSON, schema: Mapping[str, JSON]) -> JSON:
    if not isinstance(inputs, Mapping):
        return inputs
    properties = schema.get("properties", {})
    return {**{name: raw["default"] for name, raw in properties.items() if "default" in raw}, **inputs}


def _open(inputs: JSON, path: str) -> bool:
    """Whether the value at a fault's place is, or holds, an expression: then the fault may not come true."""
    value: JSON = inputs
    for name, index, quoted in _STEP.findall(path.removeprefix("$")):
        if isinstance(value, str):
            break
        key: JSON = int(index) if index else name or quoted
        known = isinstance(value, Mapping) and key in value
        within = isinstance(value, list) and isinstance(key, int) and key < len(value)
        if not known and not within:
            return False
        value = value[key]
    return value is not inputs and next(_texts(value), None) is not None
