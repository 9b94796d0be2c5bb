"""What goes in and comes out of a workflow: input schema, variables, names of outputs, and settings without effect."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from agents.contract_schemas import schema_faults
from agents.contracts import Fault, data_faults
from orchestration.definition.problems import Code, Place, Problem, Severity
from orchestration.definition.schema import NAME
from orchestration.definition.view import View

JSON = Any
_NAME = re.compile(NAME)


def check(view: View) -> Iterator[Problem]:
    yield from _inputs(view.raw.get("inputs"))
    yield from _variables(view.raw.get("variables"))
    outputs = view.raw.get("outputs")
    if isinstance(outputs, Mapping):
        yield from (_bad_name("output", name, ("outputs", name)) for name in outputs if not _NAME.match(str(name)))
    yield from _without_effect(view)


def _inputs(inputs: JSON) -> Iterator[Problem]:
    if not isinstance(inputs, Mapping) or not inputs:
        return
    for fault in schema_faults(dict(inputs)):
        message = f"The inputs are no valid JSON Schema: {_where(fault)}{fault.message}."
        yield Problem(Code.INVALID_SCHEMA, message, place=("inputs", *_steps(fault.path)))
    properties = inputs.get("properties")
    if isinstance(properties, Mapping):
        for name in properties:
            if not _NAME.match(name):
                yield _bad_name("input", name, ("inputs", "properties", name))


def _variables(variables: JSON) -> Iterator[Problem]:
    if not isinstance(variables, Mapping):
        return
    for name, schema in variables.items():
        if not _NAME.match(name):
            yield _bad_name("variable", name, ("variables", name))
        if not isinstance(schema, Mapping):
            continue
        for fault in schema_faults({"type": "object", "properties": {name: dict(schema)}}):
            path = fault.path.removeprefix("$").removeprefix(".properties").removeprefix(f".{name}")
            message = f"The variable {name} is no valid JSON Schema: {path} {fault.message}.".replace(":  ", ": ")
            yield Problem(Code.INVALID_SCHEMA, message, place=("variables", name))
            return
        if "default" in schema:
            rest = {key: value for key, value in schema.items() if key != "default"}
            for fault in data_faults(rest, schema["default"])[:1]:
                message = f"The default of the variable {name} does not fit: {_where(fault)}{fault.message}."
                yield Problem(Code.INVALID_SCHEMA, message, place=("variables", name, "default"))


def _where(fault: Fault) -> str:
    path = fault.path.removeprefix("$").removeprefix(".")
    return f"{path} " if path else "it "


_STEP = re.compile(r"\.([^.\[\]]+)|\[(\d+)\]")


def _steps(path: str) -> Place:
    """`$.properties.a.enum[1]` as steps."""
    return tuple(int(index) if index else name for name, index in _STEP.findall(path.removeprefix("$")))


def _bad_name(what: str, name: str, place: Place) -> Problem:
    message = f"{name!r} is no name for an {what}: letters, digits and _ only, beginning with a letter."
    return Problem(Code.INVALID_NAME, message.replace("an variable", "a variable"), place=place)


def _without_effect(view: View) -> Iterator[Problem]:
    """What the format has and this version does not act on is said, not passed over."""
    settings = view.raw.get("settings")
    settings = settings if isinstance(settings, Mapping) else {}
    if settings.get("budget"):
        message = "The budget is kept, but nothing is stopped by it yet."
        yield Problem(Code.NOT_IN_EFFECT, message, place=("settings", "budget"), severity=Severity.WARNING)
    if settings.get("context") in ("isolated", "hierarchical"):
        message = f"The context {settings['context']} is kept, but agents are run as with shared yet."
        yield Problem(Code.NOT_IN_EFFECT, message, place=("settings", "context"), severity=Severity.WARNING)
