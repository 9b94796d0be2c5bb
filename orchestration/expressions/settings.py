"""Settings of a node, resolved: every string is read as its field says (`orchestration.definition.fields`)."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar, Union

from pydantic import BaseModel, ValidationError

from orchestration.definition.fields import ExpressionMarker, LateMarker, LiteralMarker, NodeSettings
from orchestration.expressions.errors import ExpressionError
from orchestration.expressions.names import Reference
from orchestration.expressions.program import evaluate
from orchestration.expressions.templates import bare, is_template, references_in, resolve
from portal.core.kept import KeptFor

if TYPE_CHECKING:
    from orchestration.nodes.base import NodeType

JSON = Any
Settings = TypeVar("Settings", bound=NodeSettings)


class Reading(Enum):
    TEMPLATE = "template"
    EXPRESSION = "expression"
    LATE = "late"
    LITERAL = "literal"


@dataclass(frozen=True, slots=True)
class Shape:
    """How the strings within a value are read: by its own kind, its fields, or its elements."""

    reading: Reading = Reading.TEMPLATE
    models: tuple[type[BaseModel], ...] = ()
    elements: Shape | None = field(default=None)
    """Of a list or of the values of a map."""

    def fields(self, value: Mapping[str, JSON]) -> Mapping[str, Shape]:
        """The fields of the model that fits the value best."""
        if not self.models:
            return {}
        return shapes(max(self.models, key=lambda model: len(shapes(model).keys() & value.keys())))


_MARKERS = (
    (ExpressionMarker, Reading.EXPRESSION),
    (LateMarker, Reading.LATE),
    (LiteralMarker, Reading.LITERAL),
)


@cache
def shapes(model: type[BaseModel]) -> Mapping[str, Shape]:
    found = {}
    for name, info in model.model_fields.items():
        found[info.alias or name] = _shape(info.annotation, tuple(info.metadata))
    return found


def _shape(annotation: Any, metadata: tuple[Any, ...] = ()) -> Shape:
    for marker, reading in _MARKERS:
        if any(isinstance(item, marker) for item in metadata):
            return Shape(reading)
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        return _shape(arguments[0], arguments[1:])
    if origin in (Union, types.UnionType):
        return _merged([_shape(argument) for argument in arguments if argument is not types.NoneType])
    if origin in (list, tuple, set, frozenset) or (isinstance(origin, type) and issubclass(origin, typing.Sequence)):
        return Shape(elements=_shape(arguments[0]) if arguments else None)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return Shape(elements=_shape(arguments[1]) if len(arguments) > 1 else None)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return Shape(models=(annotation,))
    return Shape()


def _merged(arms: list[Shape]) -> Shape:
    reading = next((arm.reading for arm in arms if arm.reading is not Reading.TEMPLATE), Reading.TEMPLATE)
    elements = next((arm.elements for arm in arms if arm.elements is not None), None)
    return Shape(reading, tuple(model for arm in arms for model in arm.models), elements)


@dataclass(frozen=True, slots=True)
class Text:
    """A string in a node's settings, where it stands, and how it is read."""

    path: tuple[str | int, ...]
    value: str
    reading: Reading


def texts(model: type[BaseModel], raw: Mapping[str, JSON]) -> Iterator[Text]:
    """Every string of the settings."""
    return _texts(raw, Shape(models=(model,)), ())


def _texts(value: JSON, shape: Shape, path: tuple[str | int, ...]) -> Iterator[Text]:
    match value:
        case str():
            yield Text(path, value, shape.reading)
        case Mapping():
            fields = shape.fields(value)
            for key, item in value.items():
                yield from _texts(item, fields.get(key) or _below(shape), (*path, key))
        case list() | tuple():
            for index, item in enumerate(value):
                yield from _texts(item, _below(shape), (*path, index))


def _below(shape: Shape) -> Shape:
    """What holds for parts the annotations say nothing of: as the whole, but a bare expression is one string only."""
    if shape.elements is not None:
        return shape.elements
    return Shape(Reading.TEMPLATE if shape.reading is Reading.EXPRESSION else shape.reading)


def references(model: type[BaseModel], raw: Mapping[str, JSON]) -> tuple[Reference, ...]:
    """The paths that resolving these settings reads. What cannot be compiled is left for that to complain of."""
    found: dict[Reference, None] = {}
    for text in texts(model, raw):
        if text.reading is Reading.TEMPLATE:
            found.update(dict.fromkeys(references_in(text.value)))
        elif text.reading is Reading.EXPRESSION:
            found.update(dict.fromkeys(references_in(text.value, bare_expression=True)))
    return tuple(found)


def resolve_settings(node_type: NodeType | type[NodeType], raw: Mapping[str, JSON], scope: Mapping[str, JSON]) -> Any:
    """The type's `Settings` with every reference resolved and the result validated.

    Raises ExpressionError (its message begins with the setting's name), among them code `invalid_settings` when a
    resolved value is not what the setting takes. `raw` is never changed: if it reads nothing it is resolved once.
    """
    fixed = fixed_settings(node_type, raw)
    if fixed is not None:
        return fixed
    return validated(node_type.Settings, _resolved(raw, Shape(models=(node_type.Settings,)), scope, ()))


def fixed_settings(node_type: NodeType | type[NodeType], raw: Mapping[str, JSON]) -> Any:
    """Those of `raw` that read nothing: the same object each time. None for others. Raises ExpressionError."""
    return _fixed.get(raw, lambda: _resolved_once(node_type.Settings, raw))


def _resolved_once(model: type[Settings], raw: Mapping[str, JSON]) -> Settings | None:
    """The settings, if they are the same in every run; None if they read something."""
    for text in texts(model, raw):
        if text.reading is Reading.EXPRESSION or (text.reading is Reading.TEMPLATE and is_template(text.value)):
            return None
    return validated(model, raw)


_fixed: KeptFor[Mapping[str, JSON], NodeSettings | None] = KeptFor(most=5000)


def validated(model: type[Settings], values: JSON) -> Settings:
    try:
        return model.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = place_text(first["loc"])
        raise ExpressionError(f"{place}: {first['msg']}.", code="invalid_settings") from None


def _resolved(value: JSON, shape: Shape, scope: Mapping[str, JSON], path: tuple[str | int, ...]) -> JSON:
    match value:
        case str():
            return _resolved_text(value, shape.reading, scope, path)
        case Mapping():
            fields = shape.fields(value)
            return {
                key: _resolved(item, fields.get(key) or _below(shape), scope, (*path, key))
                for key, item in value.items()
            }
        case list() | tuple():
            return [_resolved(item, _below(shape), scope, (*path, index)) for index, item in enumerate(value)]
    return value


def _resolved_text(value: str, reading: Reading, scope: Mapping[str, JSON], path: tuple[str | int, ...]) -> JSON:
    try:
        match reading:
            case Reading.TEMPLATE:
                return resolve(value, scope)
            case Reading.EXPRESSION:
                return evaluate(bare(value), scope)
    except ExpressionError as error:
        message = f"{place_text(path)}: {error.message}"
        raise ExpressionError(message, code=error.code, source=error.source, position=error.position) from None
    return value


def place_text(path: tuple[str | int, ...]) -> str:
    """`cases[0].when`"""
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return text.removeprefix(".") or "settings"
