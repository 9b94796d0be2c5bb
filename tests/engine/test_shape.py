"""Waves, critical path and losers of graphs."""

from __future__ import annotations

import pytest

from orchestration.engine.graph import Graph
from orchestration.engine.shape import critical_path, waves
from tests.engine.definitions import define, node
from tests.engine.simulator import graph_of

DIAMOND = define("a > b", "a > c", "c > d", "b > e", "d > e")


def test_waves_group_what_could_run_side_by_side() -> None:
    assert waves(graph_of(DIAMOND)) == [["a"], ["b", "c"], ["d"], ["e"]]


def test_the_critical_path_is_the_longest_chain() -> None:
    assert critical_path(graph_of(DIAMOND)) == ["a", "c", "d", "e"]


def test_known_durations_decide_the_critical_path() -> None:
    assert critical_path(graph_of(DIAMOND), {"b": 30, "c": 1, "d": 2}) == ["a", "b", "e"]


def test_a_loop_counts_with_the_longest_way_through_its_body() -> None:
    graph = graph_of(
        define(
            node("each", "loop"),
            node("x", parent="each"),
            node("y", parent="each"),
            "x > y",
            "a > b",
            "b > end",
            "each > end",
        )
    )
    assert critical_path(graph) == ["each", "end"]
    assert critical_path(graph, parent="each") == ["x", "y"]
    assert waves(graph, "each") == [["x"], ["y"]]


def test_a_node_in_a_body_has_the_way_behind_the_loop_ahead_of_it_too() -> None:
    graph = graph_of(define(node("each", "loop"), node("x", parent="each"), "each > b", "b > c"))
    length = {name: -order[2] for name, order in graph.order.items()}
    assert length == {"each": 4, "x": 3, "b": 2, "c": 1}


@pytest.mark.parametrize(
    ("edges", "losers"),
    [
        (["a > j", "b > j"], ("a", "b")),
        (["a > j", "b > c", "c > j"], ("a", "b", "c")),
        (["a > j", "b > j", "b > x"], ("a",)),
        (["s > a", "s > b", "a > j", "b > j", "j > z"], ("s", "a", "b")),
        (["b > c", "c > j", "c > k", "k > j"], ("b", "c", "k")),
    ],
)
def test_losers_are_the_nodes_all_of_whose_ways_lead_to_the_join(edges: list[str], losers: tuple[str, ...]) -> None:
    graph = graph_of(define(*edges, node("j", join={"rule": "any"})))
    assert set(graph.losers["j"]) == set(losers)


def test_a_definition_may_leave_out_everything_but_its_nodes() -> None:
    graph = Graph.of({"nodes": [{"id": "a", "type": "work"}]})
    assert (graph.bodies, graph.incoming, graph.max_parallel) == ({None: ("a",)}, {"a": ()}, 10)


def test_a_cycle_is_named() -> None:
    with pytest.raises(ValueError, match=r"cycle through \['a', 'b'\]"):
        graph_of(define("a > b", "b > a"))
