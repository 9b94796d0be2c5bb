"""What a drawing says on the nodes: a join names its rule, a loop what it goes by."""

from __future__ import annotations

from typing import Any

import pytest

from orchestration import graph_svg
from orchestration.graph_notes import loop_note, note


def node(type: str, **more: Any) -> dict[str, Any]:
    return {"id": "a", "type": type, "settings": {}, **more}


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (node("join"), "Join · all"),
        (node("join", join={"rule": "any"}), "Join · any"),
        (node("join", join={"rule": "first_success"}), "Join · first success"),
        (node("join", join={"rule": "n_of_m", "count": 2}), "Join · 2 of 3"),
        (node("join", join={"rule": "all_settled"}), "Join · all settled"),
        (node("join", join="broken"), "Join · all"),
        (node("agent", settings={"agent": "judge"}, join={"rule": "all_settled"}), "all settled · judge"),
        (node("agent", settings={"agent": "judge"}), "judge"),
        (node("break"), "Join · ends the loop"),
    ],
)
def test_the_rule_of_a_join_is_named(raw: dict[str, Any], words: str) -> None:
    assert note(raw, "Join", branches=3) == words


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"items": "range(3)"}, "for each"),
        ({"items": "range(3)", "mode": "parallel", "limit": 8}, "each, 8 at once"),
        ({"while": "vars.score < 3"}, "while vars.score < 3"),
        ({"while": "{{ vars.score < 3 }}"}, "while vars.score < 3"),
    ],
)
def test_a_loop_says_what_it_goes_by(settings: dict[str, Any], words: str) -> None:
    assert loop_note(node("loop", settings=settings), room=40) == words


def test_a_condition_that_does_not_fit_is_left_to_the_page() -> None:
    assert loop_note(node("loop", settings={"while": "vars.score < 3"}), room=12) == "while"


def test_edges_behind_a_failure_are_drawn_as_failed() -> None:
    definition = {
        "name": "W",
        "nodes": [node("delay") | {"id": name} for name in ("a", "b", "c")],
        "edges": [{"source": "a", "target": "b"}, {"source": "a", "port": "error", "target": "c"}],
    }
    unhandled = graph_svg.render(definition, statuses={"a": "failed"})
    assert 'data-port="out" data-state="failed"' in unhandled and 'data-port="error" data-state="dead"' in unhandled
    handled = graph_svg.render(definition, statuses={"a": "failed"}, ports={"a": "error"})
    assert 'data-port="out" data-state="dead"' in handled and 'data-port="error" data-state="live"' in handled
