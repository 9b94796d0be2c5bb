"""Names: ids of nodes, and what edges, parents and compensations name."""

from __future__ import annotations

import re
from collections.abc import Iterator

from orchestration.definition.problems import Code, Problem, did_you_mean
from orchestration.definition.schema import NODE_ID
from orchestration.definition.view import NodeView, View
from orchestration.expressions.names import KEYWORDS, TYPE_NAMES
from orchestration.nodes.base import NodeType

ROOTS: frozenset[str] = frozenset({"inputs", "vars", "context", "loop", "error", "undone", "branches", "run", "shared"})
"""Names at the root of an expression that are no nodes."""
RESERVED: frozenset[str] = ROOTS | KEYWORDS | TYPE_NAMES | {"optional", "outputs"}
_ID = re.compile(NODE_ID)


def check(view: View, types: dict[str, NodeType]) -> Iterator[Problem]:
    seen: dict[str, NodeView] = {}
    for node in view.listed:
        yield from _id(node, seen)
        seen.setdefault(node.id, node)
        yield from _type(node, types)
        yield from _named(view, node, "parent")
        yield from _named(view, node, "compensate_with")
    yield from _parents(view, types)
    yield from _edges(view)


def _id(node: NodeView, seen: dict[str, NodeView]) -> Iterator[Problem]:
    place = (*node.place, "id")
    if node.id in seen:
        first = seen[node.id].index
        message = f"Two nodes are called {node.id}: the {_nth(first)} and the {_nth(node.index)}."
        yield Problem(Code.DUPLICATE_ID, message, node.id, place)
    elif node.id in RESERVED:
        yield Problem(Code.RESERVED_ID, f"{node.id} has a meaning of its own in expressions.", node.id, place)
    elif not _ID.match(node.id):
        message = (
            f"{node.id!r} is no id: it begins with a small letter, then come small letters, digits and _, "
            f"63 characters at most.{_better(node.id)}"
        )
        yield Problem(Code.INVALID_ID, message, node.id, place)


def _better(text: str) -> str:
    words = re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_").lstrip("0123456789_")[:63]
    return f" Perhaps {words}?" if words else ""


def _nth(index: int) -> str:
    number = index + 1
    ending = "th" if 10 <= number % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


def _type(node: NodeView, types: dict[str, NodeType]) -> Iterator[Problem]:
    if node.type and node.type not in types:
        message = f"There is no node type {node.type}.{did_you_mean(node.type, types)}"
        yield Problem(Code.UNKNOWN_TYPE, message, node.id, (*node.place, "type"))


def _named(view: View, node: NodeView, key: str) -> Iterator[Problem]:
    name = node.raw.get(key)
    if isinstance(name, str) and name not in view.nodes:
        message = f"There is no node {name}.{did_you_mean(name, view.nodes)}"
        yield Problem(Code.UNKNOWN_NODE, message, node.id, (*node.place, key))


def _parents(view: View, types: dict[str, NodeType]) -> Iterator[Problem]:
    told: set[str] = set()
    for node in view.nodes.values():
        parent = view.nodes.get(node.parent) if node.parent else None
        if parent is None:
            continue
        if parent.type in types and not types[parent.type].container:
            message = f"{parent.id} is no loop, so {node.id} cannot belong to it."
            yield Problem(Code.NOT_A_CONTAINER, message, node.id, (*node.place, "parent"))
        around = [node, *view.parents(node)]
        if around[-1].parent in {item.id for item in around} and not told & {item.id for item in around}:
            told |= {item.id for item in around}
            circle = " in ".join([*(item.id for item in around), str(around[-1].parent)])
            yield Problem(Code.PARENT_CYCLE, f"Loops contain each other: {circle}.", node.id, (*node.place, "parent"))


def _edges(view: View) -> Iterator[Problem]:
    for edge in view.edges:
        for key, name in (("source", edge.source), ("target", edge.target)):
            if name not in view.nodes:
                message = f"There is no node {name}.{did_you_mean(name, view.nodes)}"
                other = edge.target if key == "source" else edge.source
                known = other if other in view.nodes else None
                yield Problem(Code.UNKNOWN_NODE, message, known, (*edge.place, key))
