"""A definition as an SVG drawing, made on the server: readable without scripts, painted by classes and attributes.

`static/css/graph.css` colours it by `data-status` of nodes and `data-state` of edges; `static/js/graph.js` pans and
zooms. Nodes are links, so that the drawing can be walked by keyboard. No inline styles: the CSP forbids them.
"""

from __future__ import annotations

import unicodedata
from bisect import bisect_right
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Any

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from orchestration.definition.drawable import drawable
from orchestration.definition.layout import Box, EdgeKey, Layout, Point, layout
from orchestration.graph_notes import loop_note
from orchestration.graph_notes import note as graph_note
from orchestration.nodes.base import node_types
from portal.core.ui import icons, statuses

MARGIN = 24.0
LEAST_WIDTH, LEAST_HEIGHT = 760.0, 300.0
_LONGEST_NAME, _LONGEST_NOTE, _SHORTEST_NOTE = 22, 28, 6
_LETTER, _SMALL_LETTER = 7.2, 5.8
"""About how wide they are drawn."""
_NARROW, _WIDE = frozenset("fijlrtI.,:;'|!() "), frozenset("mwMW@%—…")
_ENDED_WELL = {"succeeded", "skipped", "failed"}


def render(
    definition: Mapping[str, Any],
    *,
    statuses: Mapping[str, str] | None = None,
    ports: Mapping[str, str] | None = None,
    link: str = "#node-{}",
) -> SafeString:
    """statuses: {node: status of its node run}; ports: {node: port it ended with}; link: address of a node's row.

    Of a definition that is not valid yet it draws what can be drawn.
    """
    definition = drawable(definition)
    drawing = layout(definition)
    nodes = {node["id"]: node for node in definition["nodes"]}
    state, taken = statuses or {}, ports or {}
    edges = [(edge["source"], edge.get("port", "out"), edge["target"]) for edge in definition["edges"]]
    exits = _exits(edges, drawing)
    parents = {node.get("parent") for node in nodes.values()}
    branches = Counter(target for _, _, target in edges)

    def drawn(name: str) -> SafeString:
        undone = nodes.get(drawing.undoes.get(name, ""))
        return _node(nodes[name], drawing.boxes[name], state.get(name, ""), link, branches[name], undone)

    # Loops first: their bodies are drawn on top of them.
    ordered = sorted(nodes, key=lambda name: (_depth(nodes, name), name not in parents))
    return format_html(
        '<svg class="graph" viewBox="{} {} {} {}" role="group" aria-label="{}">'
        '<defs><marker id="graph-arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8"'
        ' orient="auto">'
        '<path class="graph-arrow" d="M0 0 8 4 0 8z"/></marker></defs>{}{}{}{}</svg>',
        *map(_n, _view_box(drawing)),
        f"{definition.get('name', 'Workflow')}: {len(nodes)} steps",
        format_html_join("", "{}", ((drawn(n),) for n in ordered if n in parents)),
        format_html_join("", "{}", ((_tie(drawing, undo, node, state),) for undo, node in drawing.undoes.items())),
        format_html_join("", "{}", ((_edge(edge, drawing, exits, state, taken),) for edge in edges)),
        format_html_join(
            "",
            "{}",
            ((drawn(n),) for n in ordered if n not in parents),
        ),
    )


def _view_box(drawing: Layout) -> tuple[float, float, float, float]:
    """x, y, width, height. A small drawing stands in the middle of a larger field, so that it is not blown up."""
    width, height = max(drawing.width + 2 * MARGIN, LEAST_WIDTH), max(drawing.height + 2 * MARGIN, LEAST_HEIGHT)
    return (drawing.width - width) / 2, (drawing.height - height) / 2, width, height


def _node(
    node: Mapping[str, Any], box: Box, status: str, link: str, branches: int, undone: Mapping[str, Any] | None
) -> SafeString:
    """undone: the node that this one undoes."""
    name = str(node.get("name") or node["id"])
    known = node_types().get(node["type"])
    label = known.label if known else node["type"]
    container = bool(known and known.container)
    note = loop_note(node, _room(box, name)) if container else graph_note(node, str(label), branches)
    words = [name, note] if str(label) in note else [name, str(label), note]
    if undone:
        words, note = [name, f"undoes {undone.get('name') or undone['id']}", *words[1:]], f"Undo · {note}"
    said = ", ".join([*words, str(statuses.look(status).label)] if status else words)
    middle = box.y + 20 if container else box.middle
    return format_html(
        '<a class="graph-link" href="{}" data-node="{}"><g class="graph-node graph-{}{}" data-status="{}">'
        '<title>{}</title><rect class="graph-box" x="{}" y="{}" width="{}" height="{}" rx="10"/>'
        '<svg class="graph-icon" x="{}" y="{}" width="20" height="20" viewBox="0 0 24 24" aria-hidden="true">{}</svg>'
        '<text x="{}" y="{}">{}</text><text class="graph-sub" x="{}" y="{}">{}</text>{}</g></a>',
        link.format(node["id"]),
        node["id"],
        node["type"],
        " graph-container" if container else " graph-undo" if undone else "",
        status,
        said,
        _n(box.x),
        _n(box.y),
        _n(box.width),
        _n(box.height),
        _n(box.x + 14),
        _n(middle - 10),
        SafeString(icons.shapes("arrow-back-up" if undone else known.icon if known else "help")),
        _n(box.x + 44),
        _n(middle + 4 if container else middle - 3),
        _cut(name, min(_LONGEST_NAME, _letters(box, _LETTER))),
        _n(box.x + 44 if not container else box.x + box.width - 14),
        _n(middle + 4 if container else middle + 14),
        _cut(note, _room(box, name) if container else min(_LONGEST_NOTE, _letters(box, _SMALL_LETTER))),
        _mark(box, status),
    )


def _letters(box: Box, width: float) -> int:
    """How many letters of that width fit beside the icon."""
    return round((box.width - 46) / width)


def _room(box: Box, name: str) -> int:
    """How many small letters fit at the head of a loop beside its name."""
    return int((box.width - 72 - _LETTER * min(len(name), _LONGEST_NAME)) / _SMALL_LETTER)


def _mark(box: Box, status: str) -> SafeString:
    """The state's icon in the corner, so that colour is never alone."""
    if not status or status == "pending":
        return SafeString("")
    return format_html(
        '<circle class="graph-mark-ground" cx="{}" cy="{}" r="10"/>'
        '<svg class="graph-mark" x="{}" y="{}" width="14" height="14" viewBox="0 0 24 24" aria-hidden="true">{}</svg>',
        _n(box.x + box.width - 4),
        _n(box.y + 4),
        _n(box.x + box.width - 11),
        _n(box.y - 3),
        SafeString(icons.shapes(statuses.look(status).icon)),
    )


def _tie(drawing: Layout, undo: str, node: str, state: Mapping[str, str]) -> SafeString:
    """From a node down to the one that undoes it. No edge: nothing flows there."""
    start, end = drawing.boxes[node], drawing.boxes[undo]
    x = start.x + 16
    if end.x > x and end.y > start.y + start.height:
        way = f"M{_n(x)} {_n(start.y + start.height)}V{_n(end.middle)}H{_n(end.x)}"
    else:  # where a person has put it
        way = f"M{_n(x)} {_n(start.y + start.height)}L{_n(end.x + end.width / 2)} {_n(end.y)}"
    used = state.get(undo, "") not in ("", "pending")
    return format_html('<path class="graph-tie" data-state="{}" d="{}"/>', "live" if used else "", way)


def _edge(
    edge: EdgeKey,
    drawing: Layout,
    exits: Mapping[tuple[str, str], tuple[int, int]],
    state: Mapping[str, str],
    taken: Mapping[str, str],
) -> SafeString:
    source, port, target = edge
    start, end = drawing.boxes[source], drawing.boxes[target]
    place, count = exits[source, port]
    leave = (start.x + start.width, start.y + start.height * (place + 1) / (count + 1))
    points = [leave, *drawing.bends.get(edge, ()), (end.x - 3, end.middle)]
    label = SafeString("")
    if port != "out":
        # On the edge, which is interrupted by it: above or below it another edge may pass.
        x, y = _n(leave[0] + 7), _n(leave[1] + 4)
        label = format_html('<text class="graph-label" x="{}" y="{}">{}</text>', x, y, port)
    return format_html(
        '<path class="graph-edge" data-edge="{}" data-port="{}" data-state="{}" d="{}"'
        ' marker-end="url(#graph-arrow)"/>{}',
        f"{source}:{port}:{target}",
        port,
        _edge_state(state.get(source, ""), port, taken.get(source)),
        _path(points),
        label,
    )


def _edge_state(source: str, port: str, taken: str | None) -> str:
    """live, dead, failed, or empty while it is open."""
    if source not in _ENDED_WELL:
        return "dead" if source == "cancelled" else ""
    if source == "skipped":
        return "live" if taken == "out" and port == "out" else "dead"
    if source == "failed":
        if taken != "error":
            return "dead" if port == "error" else "failed"
        return "live" if port == "error" else "dead"
    return "live" if (taken or "out") == port else "dead"


def _path(points: Sequence[Point]) -> str:
    """Smooth between columns: each stretch leaves and arrives level."""
    (x, y), rest = points[0], points[1:]
    parts = [f"M{_n(x)} {_n(y)}"]
    for nx, ny in rest:
        if abs(ny - y) < 0.5:
            parts.append(f"L{_n(nx)} {_n(ny)}")
        else:
            bend = max(24.0, (nx - x) / 2)
            parts.append(f"C{_n(x + bend)} {_n(y)} {_n(nx - bend)} {_n(ny)} {_n(nx)} {_n(ny)}")
        x, y = nx, ny
    return "".join(parts)


def _exits(edges: Sequence[EdgeKey], drawing: Layout) -> dict[tuple[str, str], tuple[int, int]]:
    """For each (node, port): its place among the node's ports, the highest first, and how many there are."""
    heights: dict[str, dict[str, float]] = {}
    for edge in edges:
        source, port, target = edge
        bends = drawing.bends.get(edge)
        height = bends[0][1] if bends else drawing.boxes[target].middle
        ports = heights.setdefault(source, {})
        ports[port] = min(height, ports.get(port, height))
    return {
        (node, port): (place, len(ports))
        for node, ports in heights.items()
        for place, port in enumerate(sorted(ports, key=lambda port: (ports[port], port)))
    }


def _depth(nodes: Mapping[str, Any], name: str) -> int:
    depth, parent = 0, nodes[name].get("parent")
    while parent is not None:
        depth, parent = depth + 1, nodes[parent].get("parent")
    return depth


def _cut(text: str, longest: int) -> str:
    """`longest`: in letters of common width. Nothing where less than a word would be left."""
    ends = list(accumulate(map(_width, text)))
    if not ends or ends[-1] <= longest:
        return text
    return text[: bisect_right(ends, longest - 1)].rstrip() + "…" if longest >= _SHORTEST_NOTE else ""


def _width(letter: str) -> float:
    """Of a letter, in those of common width: so much that a row of wide ones stays in its box."""
    if letter in _NARROW or unicodedata.combining(letter):
        return 0.7
    if unicodedata.east_asian_width(letter) in "WF":
        return 2.0
    return 2.0 if letter in _WIDE else 1.3 if letter.isupper() else 1.0


def _n(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
