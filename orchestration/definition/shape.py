"""Whether a definition has the format at all: keys, kinds of values, bounds. Everything `schema.py` says."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterator, Mapping
from typing import Any, Union

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from orchestration.definition.problems import Code, Place, Problem, did_you_mean
from orchestration.definition.schema import FORMAT, MAX_EDGES, MAX_NODES, WorkflowDefinition

JSON = Any
MAX_DEPTH = 64
_OWN_CHECKS = {("id",)}


def check(raw: Mapping[str, JSON]) -> Iterator[Problem]:
    if raw.get("format") != FORMAT:
        yield _format(raw)
    yield from _sizes(raw)
    try:
        WorkflowDefinition.model_validate({**raw, "format": FORMAT})
    except ValidationError as error:
        for detail in error.errors(include_url=False):
            problem = _problem(detail, raw)
            if problem is not None:
                yield problem


def too_deep(value: JSON) -> bool:
    """Whether lists and objects are nested deeper than anything sensible; looked at without recursion."""
    level, depth = [value], 0
    while level:
        depth += 1
        if depth > MAX_DEPTH:
            return True
        following: list[JSON] = []
        for item in level:
            if isinstance(item, Mapping):
                following.extend(item.values())
            elif isinstance(item, list | tuple):
                following.extend(item)
        level = [item for item in following if isinstance(item, Mapping | list | tuple)]
    return False


def _format(raw: Mapping[str, JSON]) -> Problem:
    if "format" not in raw:
        return Problem(Code.MISSING_KEY, f'The key format is missing; it is "{FORMAT}".', place=("format",))
    return Problem(Code.UNKNOWN_FORMAT, f'The format must be "{FORMAT}", but is {raw["format"]!r}.', place=("format",))


def _sizes(raw: Mapping[str, JSON]) -> Iterator[Problem]:
    nodes, edges = raw.get("nodes"), raw.get("edges")
    if isinstance(nodes, list) and not nodes:
        yield Problem(Code.NO_NODES, "The workflow has no nodes.", place=("nodes",))
    if isinstance(nodes, list) and len(nodes) > MAX_NODES:
        message = f"A workflow has {MAX_NODES:,} nodes at most; this one has {len(nodes):,}."
        yield Problem(Code.TOO_MANY_NODES, message, place=("nodes",))
    if isinstance(edges, list) and len(edges) > MAX_EDGES:
        message = f"A workflow has {MAX_EDGES:,} edges at most; this one has {len(edges):,}."
        yield Problem(Code.TOO_MANY_NODES, message, place=("edges",))


def _problem(detail: ErrorDetails, raw: Mapping[str, JSON]) -> Problem | None:
    place: Place = tuple(detail["loc"])
    node, name = node_at(place, raw), str(place[-1]) if place else ""
    match detail["type"]:
        case "extra_forbidden":
            message = f"{name} is not a key of {_holder(place)}.{did_you_mean(name, _keys_at(place[:-1]))}"
            return Problem(Code.UNKNOWN_KEY, message, node, place)
        case "missing":
            return Problem(Code.MISSING_KEY, f"{_holder(place).capitalize()} needs the key {name}.", node, place)
        case "too_long" if place in (("nodes",), ("edges",)):
            return None  # told above
        case "string_pattern_mismatch" if place[0] == "nodes" and place[2:] in _OWN_CHECKS:
            return None  # ids.py says it better
    shown = detail["input"]
    given = (
        f", but is {shown!r}" if isinstance(shown, str | int | float | bool | None) and len(repr(shown)) < 60 else ""
    )
    text = detail["msg"].replace("Input should be", "must be").replace("valid ", "")
    text = text.replace("String should", "must").replace("Tuple should", "must").replace("dictionary", "object")
    return Problem(Code.INVALID_VALUE, f"{name or 'The definition'} {text}{given}.", node, place)


def node_at(place: Place, raw: Mapping[str, JSON]) -> str | None:
    """The id of the node a place lies in."""
    match place:
        case ("nodes", int(index), *_):
            nodes = raw.get("nodes")
            item = nodes[index] if isinstance(nodes, list) and index < len(nodes) else None
            found = item.get("id") if isinstance(item, Mapping) else None
            return found if isinstance(found, str) else None
    return None


def _holder(place: Place) -> str:
    match place[:-1]:
        case ():
            return "a workflow"
        case ("nodes", int()):
            return "a node"
        case ("edges", int()):
            return "an edge"
        case (*_, str(last)):
            return f"{last}"
    return "this"


def _keys_at(place: Place) -> list[str]:
    """The keys the model at a place knows."""
    annotation: Any = WorkflowDefinition
    for step in place:
        if isinstance(step, int):
            continue
        if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
            return []
        info = annotation.model_fields.get(step)
        annotation = _model_in(info.annotation) if info is not None else None
    return list(annotation.model_fields) if isinstance(annotation, type) and issubclass(annotation, BaseModel) else []


def _model_in(annotation: Any) -> Any:
    """The model within `tuple[Model, ...]` or `Model | None`."""
    if typing.get_origin(annotation) in (tuple, list, Union, types.UnionType, typing.Annotated):
        return next((found for item in typing.get_args(annotation) if (found := _model_in(item)) is not None), None)
    return annotation if isinstance(annotation, type) and issubclass(annotation, BaseModel) else None
