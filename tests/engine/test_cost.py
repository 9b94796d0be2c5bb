"""A step costs what it touches, not what the run holds."""

from __future__ import annotations

import time

from tests.benchmarks.core import chain, layered, loop, measure


def seconds(items: int) -> float:
    return min(measure(loop(), items=items).live_seconds for _ in range(2)) / items


def test_an_iteration_costs_the_same_however_long_the_loop_is() -> None:
    """Three times as much is allowed, for the noise of a busy machine; rescanning would be twenty times as much."""
    assert seconds(4_000) < 3 * seconds(200)


def test_a_thousand_nodes_are_planned_within_a_second() -> None:
    begun = time.process_time()
    measure(layered(10, 100))
    assert time.process_time() - begun < 1


def test_a_chain_of_a_thousand_is_planned_within_a_second() -> None:
    begun = time.process_time()
    measure(chain(1_000))
    assert time.process_time() - begun < 1
