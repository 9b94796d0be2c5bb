"""Settings of each node, by its type's model. A template may stand where a number is wanted: its value is not known
yet.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from orchestration.definition.problems import Code, Place, Problem, did_you_mean
from orchestration.definition.view import NodeView, View
from orchestration.expressions.settings import Reading, shapes, texts
from orchestration.expressions.templates import is_template
from orchestration.nodes.base import NodeType

JSON = Any


def check(view: View, types: Mapping[str, NodeType]) -> Iterator[Problem]:
    for node in view.nodes.values():
        if node.type not in types or not isinstance(node.raw.get("settings", {}), Mapping):
            continue
        model = types[node.type].Settings
        try:
            model.model_validate(node.settings)
        except ValidationError as error:
            for detail in error.errors(include_url=False):
                if not _decided_later(detail, node.settings):
                    yield _problem(detail, node, model)
        yield from _expressions(node, model)


def _decided_later(detail: ErrorDetails, settings: Mapping[str, JSON]) -> bool:
    """Whether the faulty value is a template, or holds one (a rule over a whole list whose elements are not known
    yet).
    """
    return detail["type"] not in ("missing", "extra_forbidden") and holds_template(detail["input"])


def holds_template(value: JSON) -> bool:
    match value:
        case str():
            return is_template(value)
        case Mapping():
            return any(map(holds_template, value.values()))
        case list() | tuple():
            return any(map(holds_template, value))
    return False


def _problem(detail: ErrorDetails, node: NodeView, model: type[BaseModel]) -> Problem:
    place: Place = (*node.place, "settings", *detail["loc"])
    name = str(detail["loc"][-1]) if detail["loc"] else node.type
    match detail["type"]:
        case "extra_forbidden":
            known = shapes(model) if len(detail["loc"]) == 1 else ()
            message = f"{name} is not a setting of {node.type}.{did_you_mean(name, known)}"
            return Problem(Code.UNKNOWN_KEY, message, node.id, place)
        case "missing":
            return Problem(Code.MISSING_KEY, f"{node.id} needs the setting {name}.", node.id, place)
        case "value_error":
            text = detail["msg"].removeprefix("Value error, ").rstrip(".")
            return Problem(Code.INVALID_SETTING, f"{node.id}: {text}.", node.id, place)
    text = detail["msg"].replace("Input should be", "must be").replace("valid ", "").replace("String should", "must")
    text = text.replace("dictionary", "object")
    return Problem(Code.INVALID_SETTING, f"{name} {text}.", node.id, place)


def _expressions(node: NodeView, model: type[BaseModel]) -> Iterator[Problem]:
    """A field that holds an expression takes text, whatever its value will be."""
    found = {text.path for text in texts(model, node.settings) if text.reading is Reading.EXPRESSION}
    for name, shape in shapes(model).items():
        value = node.settings.get(name)
        if shape.reading is Reading.EXPRESSION and value is not None and (name,) not in found:
            message = f"{name} holds an expression and must be written as text, such as {str(value).lower()!r}."
            yield Problem(Code.INVALID_SETTING, message, node.id, (*node.place, "settings", name))
