"""How long a run may be expected to take."""

from __future__ import annotations

import pytest

from orchestration.engine.estimate import estimate
from tests.engine.definitions import define, node
from tests.engine.simulator import graph_of

SECONDS = {"a": 10.0, "b": 2.0, "c": 5.0, "z": 1.0}


def test_a_chain_takes_as_long_as_all_its_nodes() -> None:
    found = estimate(graph_of(define("a > b", "b > z")), SECONDS)
    assert (found.seconds, found.path) == (13, ("a", "b", "z"))


@pytest.mark.parametrize(
    ("join", "seconds", "path"),
    [
        ({"rule": "all"}, 11, ("a", "z")),
        ({"rule": "all_settled"}, 11, ("a", "z")),
        ({"rule": "any"}, 3, ("b", "z")),
        ({"rule": "first_success"}, 3, ("b", "z")),
        ({"rule": "n_of_m", "count": 2}, 6, ("c", "z")),
        ({"rule": "first_success", "losers": "finish"}, 10, ("a",)),
    ],
)
def test_a_join_waits_for_what_its_rule_needs(join: dict[str, object], seconds: float, path: tuple[str, ...]) -> None:
    found = estimate(graph_of(define(node("z", join=join), "a > z", "b > z", "c > z")), SECONDS)
    assert (found.seconds, found.path) == (seconds, path)


def test_no_run_is_faster_than_its_work_shared_out() -> None:
    definition = define(*(node(f"n{index}") for index in range(8)), max_parallel=2)
    assert estimate(graph_of(definition), {f"n{index}": 3.0 for index in range(8)}).seconds == 12


@pytest.mark.parametrize(
    ("settings", "rounds", "seconds"),
    [
        ({}, 1, 12),
        ({}, 10, 120),
        ({"mode": "parallel", "limit": 5}, 10, 24),
        ({"mode": "parallel", "limit": 50}, 10, 12),
    ],
)
def test_a_loop_takes_as_long_as_its_rounds(settings: dict[str, object], rounds: int, seconds: float) -> None:
    each = node("each", "loop", settings=settings)
    graph = graph_of(define(each, node("a", parent="each"), node("b", parent="each"), "a > b"))
    assert estimate(graph, SECONDS, {"each": rounds}).seconds == seconds


def test_an_empty_workflow_takes_no_time() -> None:
    assert estimate(graph_of(define()), {}).seconds == 0
