"""A step costs what it touches, not what the run holds."""

from __future__ import annotations

import time
from typing import Any

from tests.benchmarks.core import chain, layered, loop, measure


def seconds(items: int) -> float:
    return min(measure(loop(), items=items).live_seconds for _ in range(2)) / items


def test_an_iteration_costs_the_same_however_long_the_loop_is() -> None:
    """Three times as much is allowed, for the noise of a busy machine; rescanning would be twenty times as much."""
    assert seconds(4_000) < 3 * seconds(200)


def test_a_node_costs_the_same_however_large_the_graph_is() -> None:
    """Here too three times as much is allowed."""
    for small, large in ((layered(10, 10), layered(10, 100)), (chain(100), chain(1_000))):
        assert seconds_a_node(large, 1_000) < 3 * seconds_a_node(small, 100)


def seconds_a_node(definition: Any, nodes: int) -> float:
    def once() -> float:
        begun = time.process_time()
        measure(definition)
        return time.process_time() - begun

    return min(once() for _ in range(3)) / nodes
