"""Expressions and what they refer to: they can be read, and every name in them is there, upstream, and has that
field.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from orchestration.definition.contracts import AgentContract, Workflows
from orchestration.definition.known_names import KnownNames
from orchestration.definition.problems import Code, Place, Problem
from orchestration.definition.seen import Seen, seen_at_the_end, seen_by, seen_late
from orchestration.definition.view import NodeView, View
from orchestration.expressions.errors import ExpressionError
from orchestration.expressions.program import Program, compile
from orchestration.expressions.settings import Reading, Text, place_text, texts
from orchestration.expressions.templates import bare, is_template, template
from orchestration.nodes.base import NodeType

JSON = Any
_CODES = {
    "expression_syntax": Code.EXPRESSION_SYNTAX,
    "template_syntax": Code.TEMPLATE_SYNTAX,
    "unknown_function": Code.UNKNOWN_FUNCTION,
    "limit": Code.EXPRESSION_LIMIT,
}


def check(
    view: View,
    types: Mapping[str, NodeType],
    agents: Mapping[str, AgentContract],
    workflows: Workflows | None = None,
) -> Iterator[Problem]:
    names = KnownNames(view, types, agents, workflows)
    for node in view.nodes.values():
        if node.type in types:
            yield from _of_node(view, names, types[node.type], node)
    yield from _of_outputs(view, names)


def _of_node(view: View, names: KnownNames, kind: NodeType, node: NodeView) -> Iterator[Problem]:
    seen, late = seen_by(view, node), seen_late(view, node, kind)
    if isinstance(combine := node.join.get("combine"), str) and node.type == "join":
        place = (*node.place, "join", "combine")
        yield from _of_text(names, Text(("combine",), combine, Reading.TEMPLATE), seen, place)
    for text in texts(kind.Settings, node.settings):
        place = (*node.place, "settings", *text.path)
        where = late if text.reading is Reading.LATE else seen
        if node.type == "loop" and text.path == ("while",):
            where = replace(seen, loop=True)  # nothing of its body is there yet
        yield from _of_text(names, text, where, place)


def _of_outputs(view: View, names: KnownNames) -> Iterator[Problem]:
    outputs = view.raw.get("outputs")
    if isinstance(outputs, Mapping):
        seen = seen_at_the_end(view)
        for path, value in _strings(outputs):
            yield from _of_text(names, Text(path, value, Reading.TEMPLATE), seen, ("outputs", *path))


def _of_text(names: KnownNames, text: Text, seen: Seen, place: Place) -> Iterator[Problem]:
    if text.reading is Reading.LITERAL:
        return
    node = seen.at.id if seen.at else None
    try:
        programs = _programs(text)
    except ExpressionError as error:
        yield Problem(_CODES.get(error.code, Code.EXPRESSION_SYNTAX), _placed_message(error, text.path), node, place)
        return
    for program in programs:
        for reference in program.references:
            problem = names.problem_with(reference, seen)
            if problem is not None:
                code, message = problem
                yield Problem(code, f"{place_text(text.path)}: {message}", node, place)


def _programs(text: Text) -> list[Program]:
    """The compiled expressions of a string. Raises ExpressionError, placed in the string."""
    if text.reading is Reading.EXPRESSION or (text.reading is Reading.LATE and not is_template(text.value)):
        return [compile(bare(text.value))] if text.value.strip() or text.reading is Reading.EXPRESSION else []
    if not is_template(text.value):
        return []
    parsed = template(text.value)
    return [parsed.program(hole) for hole in parsed.holes]


def _placed_message(error: ExpressionError, path: tuple[str | int, ...]) -> str:
    where = "" if error.column is None else f" (line {error.line}, column {error.column})"
    return f"{place_text(path)}{where}: {error.message}"


def _strings(value: JSON, path: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], str]]:
    match value:
        case str():
            yield path, value
        case Mapping():
            for key, item in value.items():
                yield from _strings(item, (*path, key))
        case list() | tuple():
            for index, item in enumerate(value):
                yield from _strings(item, (*path, index))
