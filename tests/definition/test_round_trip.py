"""A definition comes out as it went in: as text, through the drawing, and with its line numbers."""

import json
from typing import Any

import pytest
from django.utils.html import escape
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestration import graph_svg
from orchestration.definition.canonical import canonical, digest, pretty
from orchestration.definition.drawable import drawable
from orchestration.definition.layout import layout
from orchestration.definition.places import Unreadable, read
from orchestration.definition.validation import errors, validate
from tests.workflows.factories import definition, edge, node

scalars = st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats(allow_nan=False, allow_infinity=False)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
values = st.recursive(
    scalars | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=30,
)


@given(values)
def test_pretty_text_reads_as_the_same_value(value: Any):
    text = pretty(value)
    assert json.loads(text) == value
    assert canonical(json.loads(text)) == canonical(value)
    assert digest(json.loads(text)) == digest(value)


@given(values)
def test_every_part_has_a_line_and_it_is_there(value: Any):
    source = read(pretty(value))
    lines = pretty(value).split("\n")
    assert source.value == value
    assert source.duplicates == ()

    def parts(item: Any, place: tuple[Any, ...]) -> Any:
        yield place, item
        for key, inner in item.items() if isinstance(item, dict) else enumerate(item) if isinstance(item, list) else ():
            yield from parts(inner, (*place, key))

    for place, item in parts(value, ()):
        line = source.line(place)
        assert 1 <= line <= len(lines)
        if not isinstance(item, dict | list):
            assert json.dumps(item, ensure_ascii=False) in lines[line - 1]


@given(st.text(max_size=60))
def test_any_text_is_read_or_placed(text: str):
    try:
        assert read(text).value == json.loads(text.removeprefix("\ufeff"))
    except Unreadable as error:
        assert 1 <= error.line <= text.count("\n") + 1
        assert error.message


@pytest.mark.parametrize(
    ("text", "line", "part"),
    [
        ('{\n"a": 1,\n}', 2, "comma too many"),
        ('{"a" 1}', 1, "colon"),
        ('["x\ny"]', 1, "line break"),
        ("[1 2]", 1, "comma is missing"),
        ("{} {}", 1, "too much"),
        ('{"n":\n NaN}', 2, "NaN"),
        ("", 1, "missing"),
    ],
)
def test_slips_are_told_with_their_line(text, line, part):
    with pytest.raises(Unreadable) as raised:
        read(text)
    assert part in raised.value.message
    assert abs(raised.value.line - line) <= 1


def test_keys_that_are_there_twice_are_told():
    source = read('{"nodes": [\n{"id": "a",\n "id": "b"}]}')
    assert [(p.code.value, p.path, "line 3" in p.message) for p in source.duplicates] == [
        ("duplicate_key", "nodes[0].id", True)
    ]


ids = st.sampled_from(["a", "b", "c", "d", "e", "f", "g"])
kinds = st.sampled_from(["delay", "condition", "loop", "approval", "join", "nothing"])
junk = st.none() | st.integers() | st.text(max_size=3)
any_node = st.fixed_dictionaries(
    {"id": ids | junk, "type": kinds | junk},
    optional={"parent": ids | junk, "settings": st.just({}) | junk, "name": junk, "position": junk | st.just([1, 2])},
)
any_edge = st.fixed_dictionaries(
    {"source": ids | junk, "target": ids | junk}, optional={"port": st.just("true") | junk}
)


@settings(max_examples=150, deadline=None)
@given(st.lists(any_node | junk, max_size=8), st.lists(any_edge | junk, max_size=14))
def test_any_draft_can_be_checked_and_drawn(nodes: Any, edges: Any):
    draft = {"format": "ensemble.workflow/1", "name": "Any", "nodes": nodes, "edges": edges}
    validate(draft, agents={})
    shown = drawable(draft)
    layout(shown)
    drawn = graph_svg.render(draft)
    for item in shown["nodes"]:
        assert f'data-node="{escape(item["id"])}"' in drawn


@pytest.mark.parametrize(
    ("name", "drawn"),
    [
        ("Analyse the request", "Analyse the request"),
        ("Analyse the request for proposals", "Analyse the request for…"),
        ("W" * 60, "W" * 10 + "…"),
        ("合同审批" * 10, "合同审批合同审批合同…"),
        ("🎉" * 30, "🎉" * 10 + "…"),
    ],
)
def test_a_long_name_stays_in_its_box(name: str, drawn: str):
    draft = {"format": "ensemble.workflow/1", "name": "Any", "nodes": [{**node("a"), "name": name}], "edges": []}
    assert f">{drawn}</text>" in graph_svg.render(draft)


@st.composite
def graphs(draw: Any) -> dict[str, Any]:
    """Acyclic, with loops one level deep."""
    count = draw(st.integers(1, 12))
    nodes, parents = [], [None]
    for index in range(count):
        name, parent = f"n{index}", draw(st.sampled_from(parents))
        is_loop = parent is None and draw(st.booleans())
        nodes.append(
            {**node(name, "loop", settings={"items": "[1]"}), "parent": parent}
            if is_loop
            else {**node(name), "parent": parent}
        )
        if is_loop:
            parents.append(name)
            nodes.append(node(f"{name}_body", parent=name))
    edges = [
        edge(a["id"], b["id"])
        for i, a in enumerate(nodes)
        for b in nodes[i + 1 :]
        if a.get("parent") == b.get("parent") and draw(st.integers(0, 2)) == 0
    ]
    return definition(*nodes, edges=edges)


@settings(max_examples=100, deadline=None)
@given(graphs())
def test_sound_graphs_have_no_errors_and_boxes_never_touch(body: Any):
    assert errors(validate(body, agents={})) == []
    assert drawable(body) == {**body, "nodes": drawable(body)["nodes"]}
    first, second = layout(body), layout(body)
    assert first == second
    parents = {item["id"]: item.get("parent") for item in body["nodes"]}
    boxes = list(first.boxes.items())
    for index, (name, box) in enumerate(boxes):
        assert box.x >= -0.01
        assert box.y >= -0.01
        for other, further in boxes[index + 1 :]:
            apart = (
                box.x + box.width <= further.x
                or further.x + further.width <= box.x
                or box.y + box.height <= further.y
                or further.y + further.height <= box.y
            )
            assert apart == (parents[name] != other and parents[other] != name), (name, other)
