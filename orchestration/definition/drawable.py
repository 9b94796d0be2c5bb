"""What of a definition can be drawn while it is being written: nodes and edges that make sense, without cycles."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from orchestration.definition.view import View

JSON = Any


def drawable(definition: Mapping[str, JSON]) -> dict[str, JSON]:
    """A definition that `layout` takes: of duplicate ids the first, no edges that lead nowhere, cross a loop or close
    a circle.

    A definition without such faults comes back as it is.
    """
    view = View.of(definition)
    good = {node.id: node for node in view.nodes.values()}
    looped = {name for name, node in good.items() if _goes_round(view, name)}
    nodes = [
        {
            **node.raw,
            "type": node.type,
            "settings": node.settings,
            "parent": node.parent if node.parent in good and node.id not in looped else None,
            "position": _position(node.raw.get("position")),
        }
        for node in sorted(good.values(), key=lambda node: node.index)
    ]
    closing = _closing(view)
    edges = [{"source": e.source, "port": e.port, "target": e.target} for e in view.links if e not in closing]
    return {**definition, "nodes": nodes, "edges": _once(edges)}


def _position(value: JSON) -> JSON:
    is_pair = isinstance(value, list | tuple) and len(value) == 2
    return value if is_pair and all(isinstance(v, int | float) and not isinstance(v, bool) for v in value) else None


def _goes_round(view: View, name: str) -> bool:
    """Whether the chain of loops around a node never ends, be the node in the circle or only within it."""
    seen: set[str] = set()
    node = view.nodes[name]
    while node.parent is not None and node.parent in view.nodes:
        if node.id in seen:
            return True
        seen.add(node.id)
        node = view.nodes[node.parent]
    return False


def _once(edges: list[dict[str, str]]) -> list[dict[str, str]]:
    return list({(edge["source"], edge["port"], edge["target"]): edge for edge in edges}.values())


def _closing(view: View) -> frozenset[JSON]:
    """Edges that close a circle: those back to a node that a walk from the first nodes is still within."""
    state: dict[str, int] = {}
    closing = set()
    for root in view.nodes:
        if root in state:
            continue
        stack = [(root, iter(view.outgoing[root]))]
        state[root] = 1
        while stack:
            node, edges = stack[-1]
            edge = next(edges, None)
            if edge is None:
                state[node] = 2
                stack.pop()
            elif state.get(edge.target) == 1:
                closing.add(edge)
            elif edge.target not in state:
                state[edge.target] = 1
                stack.append((edge.target, iter(view.outgoing[edge.target])))
    return frozenset(closing)
