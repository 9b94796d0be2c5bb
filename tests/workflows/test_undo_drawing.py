"""Steps that undo others are drawn below what they undo, apart from the flow."""

from __future__ import annotations

import re
from typing import Any

from orchestration import graph_svg
from orchestration.definition.layout import Box, layout

Definition = dict[str, Any]


def node(id: str, **more: Any) -> dict[str, Any]:
    return {"id": id, "type": "set", "name": id.capitalize(), "settings": {"variables": {}}, **more}


def definition(*nodes: dict[str, Any], edges: tuple[str, ...] = ()) -> Definition:
    return {
        "name": "Trip",
        "nodes": list(nodes),
        "edges": [dict(zip(("source", "port", "target"), text.split(), strict=True)) for text in edges],
    }


TRIP = definition(
    node("quote"),
    node("seat", compensate_with="release"),
    node("release"),
    node("hotel", compensate_with="unbook"),
    node("unbook"),
    node("pay"),
    edges=("quote out seat", "quote out hotel", "seat out pay", "hotel out pay"),
)


def apart(one: Box, other: Box) -> bool:
    return (
        one.x + one.width <= other.x
        or other.x + other.width <= one.x
        or one.y + one.height <= other.y
        or other.y + other.height <= one.y
    )


def test_what_undoes_a_step_stands_below_it_and_touches_nothing() -> None:
    drawing = layout(TRIP)
    assert drawing.undoes == {"release": "seat", "unbook": "hotel"}
    for undo, undone in drawing.undoes.items():
        below, above = drawing.boxes[undo], drawing.boxes[undone]
        assert above.x < below.x < above.x + above.width
        assert 0 < below.y - (above.y + above.height) < above.height
    boxes = list(drawing.boxes.values())
    assert all(apart(one, other) for place, one in enumerate(boxes) for other in boxes[place + 1 :])


def test_the_flow_stays_level_beside_it() -> None:
    chain = definition(node("a"), node("b", compensate_with="u"), node("u"), node("c"), edges=("a out b", "b out c"))
    boxes = layout(chain).boxes
    assert boxes["a"].middle == boxes["b"].middle == boxes["c"].middle


def test_positions_of_people_are_kept() -> None:
    placed = definition(
        node("a", compensate_with="u", position=[0, 0]), node("u", position=[400, 300]), node("b", position=[300, 0])
    )
    assert (layout(placed).boxes["u"].x, layout(placed).boxes["u"].y) == (400, 300)


def test_a_draft_with_odd_undoing_is_drawn_all_the_same() -> None:
    odd = definition(
        node("a", compensate_with="a"),
        node("b", compensate_with={"no": "name"}),
        node("c", compensate_with="gone"),
        node("d", compensate_with="e"),
        node("e", compensate_with="d"),
        node("f", compensate_with="b"),
        edges=("a out b",),
    )
    assert layout(odd).undoes == {}
    assert str(graph_svg.render(odd)).count("graph-node") == 6


def test_it_is_marked_said_and_tied_until_it_is_used() -> None:
    svg = str(graph_svg.render(TRIP, statuses={"seat": "succeeded", "release": "succeeded", "unbook": "pending"}))
    assert "<title>Release, undoes Seat, Set variables, Succeeded</title>" in svg
    assert svg.count("graph-undo") == 2
    assert re.findall(r'class="graph-tie" data-state="(\w*)"', svg) == ["live", ""]
