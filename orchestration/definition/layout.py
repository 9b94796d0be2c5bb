"""Where the nodes of a definition stand when it is drawn, and how its edges run. Pure: same definition, same drawing.

Every scope (the top, the body of each loop) is laid out by itself, left to right: layers by the longest path, order
within a layer by igraph's Sugiyama, with a stand-in vertex wherever an edge passes a layer, so that edges bend round
nodes (Sugiyama, Tagawa, Toda 1981). A scope in which every node has a `position` keeps its positions; one without is
laid out whole. Positions are relative to the scope: the body of a loop moves with the loop. A node that undoes another
stands below that one, smaller, and is no part of the layers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import igraph

NODE_WIDTH, NODE_HEIGHT = 208.0, 60.0
GAP_X, GAP_Y = 76.0, 28.0
PADDING, LOOP_HEAD = 22.0, 40.0
PORT_ROOM, LETTER = 56.0, 6.5
UNDO_INDENT, UNDO_GAP, UNDO_HEIGHT = 24.0, 12.0, 46.0

Point = tuple[float, float]
EdgeKey = tuple[str, str, str]
"""(source, port, target)"""


@dataclass(frozen=True, slots=True)
class Box:
    """In units of the drawing (px at 100 %), absolute."""

    x: float
    y: float
    width: float
    height: float

    @property
    def middle(self) -> float:
        return self.y + self.height / 2


@dataclass(frozen=True, slots=True)
class Layout:
    boxes: Mapping[str, Box]
    bends: Mapping[EdgeKey, tuple[Point, ...]]
    """Where an edge passes between its ends; empty for most."""
    width: float
    height: float
    undoes: Mapping[str, str] = field(default_factory=dict)
    """Nodes that undo another, and which."""


@dataclass(slots=True)
class _Scope:
    """The drawing of one scope, relative to its upper left corner."""

    boxes: dict[str, Box] = field(default_factory=dict)
    bends: dict[EdgeKey, tuple[Point, ...]] = field(default_factory=dict)
    width: float = 0.0
    height: float = 0.0


def layout(definition: Mapping[str, Any]) -> Layout:
    """Raises KeyError or ValueError on a definition that validation would refuse (unknown ids, cycles)."""
    nodes = {node["id"]: node for node in definition["nodes"]}
    edges = [(edge["source"], edge.get("port", "out"), edge["target"]) for edge in definition["edges"]]
    children: dict[str | None, list[str]] = {}
    for node in nodes.values():
        children.setdefault(node.get("parent"), []).append(node["id"])
    undoes = undoing(nodes, edges)
    top = _scope(None, nodes, children, edges, undoes)
    return Layout(top.boxes, top.bends, top.width, top.height, undoes)


def undoing(nodes: Mapping[str, Any], edges: Iterable[EdgeKey] = ()) -> dict[str, str]:
    """{node that undoes: node it undoes}, of those that are drawn so: without edges, in the same body."""
    joined = {name for source, _, target in edges for name in (source, target)}
    found: dict[str, str] = {}
    for node in nodes.values():
        named = node.get("compensate_with")
        undo = nodes.get(named) if isinstance(named, str) else None
        if undo and undo is not node and undo["id"] not in joined and undo.get("parent") == node.get("parent"):
            found.setdefault(undo["id"], node["id"])
    return {undo: node for undo, node in found.items() if node not in found}


def _scope(
    parent: str | None,
    nodes: Mapping[str, Any],
    children: Mapping[str | None, Sequence[str]],
    edges: Sequence[EdgeKey],
    undoes: Mapping[str, str],
) -> _Scope:
    members = children.get(parent, [])
    inner = {member: _scope(member, nodes, children, edges, undoes) for member in members if children.get(member)}
    sizes = {member: _size(nodes[member], inner.get(member)) for member in members}
    own = [edge for edge in edges if edge[0] in sizes and edge[2] in sizes]
    if members and all(nodes[member].get("position") for member in members):
        drawn = _as_placed(nodes, sizes)
    else:
        undone = {undoes[member]: member for member in members if member in undoes}
        drawn = _laid_out([member for member in members if member not in undoes], sizes, own, undone)
    for member, body in inner.items():
        box = drawn.boxes[member]
        dx, dy = box.x + PADDING, box.y + LOOP_HEAD
        drawn.boxes |= {name: Box(b.x + dx, b.y + dy, b.width, b.height) for name, b in body.boxes.items()}
        drawn.bends |= {edge: tuple((x + dx, y + dy) for x, y in bends) for edge, bends in body.bends.items()}
    return drawn


def _size(node: Mapping[str, Any], body: _Scope | None) -> Point:
    if body is None:
        return (NODE_WIDTH, NODE_HEIGHT)
    return (max(NODE_WIDTH, body.width + 2 * PADDING), body.height + LOOP_HEAD + PADDING)


def _as_placed(nodes: Mapping[str, Any], sizes: Mapping[str, Point]) -> _Scope:
    """As people have put them, moved so that the upper left one touches the corner."""
    left = min(nodes[member]["position"][0] for member in sizes)
    upper = min(nodes[member]["position"][1] for member in sizes)
    boxes = {
        member: Box(nodes[member]["position"][0] - left, nodes[member]["position"][1] - upper, *size)
        for member, size in sizes.items()
    }
    return _Scope(boxes, {}, _right(boxes.values()), _lower(boxes.values()))


def _laid_out(
    members: Sequence[str], sizes: Mapping[str, Point], edges: Sequence[EdgeKey], undone: Mapping[str, str]
) -> _Scope:
    """undone: {node: the one that undoes it}"""
    if not members:
        return _Scope()
    layer = _layers(members, edges)
    vertices: list[str | None] = list(members)
    depth = [layer[member] for member in members]
    index = {member: number for number, member in enumerate(members)}
    links: list[tuple[int, int]] = []
    chains: dict[EdgeKey, list[int]] = {}
    for edge in edges:
        chain = [index[edge[0]]]
        for passed in range(layer[edge[0]] + 1, layer[edge[2]]):
            vertices.append(None)
            depth.append(passed)
            chain.append(len(vertices) - 1)
        chain.append(index[edge[2]])
        chains[edge] = chain[1:-1]
        links.extend(pairwise(chain))
    graph = igraph.Graph(n=len(vertices), edges=sorted(set(links)), directed=True)
    across = [point[0] for point in graph.layout_sugiyama(layers=depth, hgap=1, vgap=1).coords[: len(vertices)]]
    above = [(sizes[name][1] if name else GAP_Y / 2) / 2 for name in vertices]
    below = [
        half + (UNDO_GAP + UNDO_HEIGHT if name in undone else 0.0) for name, half in zip(vertices, above, strict=True)
    ]
    places = _places(depth, across, above, below)
    columns = _columns(layer, sizes, edges)
    boxes = {}
    for member in members:
        x, width = columns[layer[member]]
        own_width, height = sizes[member]
        boxes[member] = box = Box(x + (width - own_width) / 2, places[index[member]] - height / 2, own_width, height)
        if member in undone:
            lower = box.y + box.height + UNDO_GAP
            boxes[undone[member]] = Box(box.x + UNDO_INDENT, lower, NODE_WIDTH - UNDO_INDENT, UNDO_HEIGHT)
    bends = {
        edge: tuple(
            point
            for vertex in chain
            for x, width in [columns[depth[vertex]]]
            for point in ((x, places[vertex]), (x + width, places[vertex]))
        )
        for edge, chain in chains.items()
        if chain
    }
    return _Scope(boxes, bends, _right(boxes.values()), max(_lower(boxes.values()), _lowest(bends.values())))


def _layers(members: Sequence[str], edges: Sequence[EdgeKey]) -> dict[str, int]:
    """The longest path to each node. Raises ValueError on a cycle."""
    targets: dict[str, list[str]] = {member: [] for member in members}
    missing = dict.fromkeys(members, 0)
    for source, _, target in edges:
        targets[source].append(target)
        missing[target] += 1
    layer = dict.fromkeys(members, 0)
    ready = [member for member in members if not missing[member]]
    for member in ready:
        for target in targets[member]:
            layer[target] = max(layer[target], layer[member] + 1)
            missing[target] -= 1
            if not missing[target]:
                ready.append(target)
    if len(ready) < len(members):
        raise ValueError("The graph has a cycle.")
    return layer


def _places(
    depth: Sequence[int], across: Sequence[float], above: Sequence[float], below: Sequence[float]
) -> list[float]:
    """Vertical middles: igraph's, stretched to our heights, pushed apart where boxes of a layer would touch.

    above, below: the room each needs on either side of its middle.
    """
    unit = NODE_HEIGHT + GAP_Y
    places = [value * unit for value in across]
    for level in sorted(set(depth)):
        order = sorted((v for v, d in enumerate(depth) if d == level), key=lambda v: (across[v], v))
        wanted = sum(places[v] for v in order) / len(order)
        for before, vertex in pairwise(order):
            least = places[before] + below[before] + GAP_Y + above[vertex]
            places[vertex] = max(places[vertex], least)
        shift = wanted - sum(places[v] for v in order) / len(order)
        for vertex in order:
            places[vertex] += shift
    upper = min(place - half for place, half in zip(places, above, strict=True))
    return [place - upper for place in places]


def _columns(
    layer: Mapping[str, int], sizes: Mapping[str, Point], edges: Sequence[EdgeKey]
) -> dict[int, tuple[float, float]]:
    """(x, width) of each layer. Behind nodes with named ports there is room for the names."""
    widths: dict[int, float] = {}
    gaps: dict[int, float] = {}
    for member, level in layer.items():
        widths[level] = max(widths.get(level, 0.0), sizes[member][0])
    for source, port, _ in edges:
        if port != "out":
            gaps[layer[source]] = max(gaps.get(layer[source], GAP_X), PORT_ROOM + LETTER * len(port))
    columns, x = {}, 0.0
    for level in sorted(widths):
        columns[level] = (x, widths[level])
        x += widths[level] + gaps.get(level, GAP_X)
    return columns


def _right(boxes: Iterable[Box]) -> float:
    return max((box.x + box.width for box in boxes), default=0.0)


def _lower(boxes: Iterable[Box]) -> float:
    return max((box.y + box.height for box in boxes), default=0.0)


def _lowest(bends: Iterable[Sequence[Point]]) -> float:
    return max((y for points in bends for _, y in points), default=0.0)
