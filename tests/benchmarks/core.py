"""How long the pure core takes: folding and planning whole runs, without database, network or nodes.

    python -m tests.benchmarks.core

Prints, for each shape of graph, seconds for live planning, seconds for folding the finished log again, and microseconds
an event; and for the loop what an iteration costs as the loop grows, which should stay the same.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from orchestration.engine.apply import apply_all, begin
from orchestration.engine.events import Event
from orchestration.engine.graph import Graph, Key
from orchestration.engine.states import RunStatus
from tests.engine.definitions import Definition, define, node
from tests.engine.simulator import Simulation, graph_of


@dataclass(frozen=True)
class Figures:
    events: int
    live_seconds: float
    fold_seconds: float


def chain(length: int) -> Definition:
    return define(*(f"n{index} > n{index + 1}" for index in range(length - 1)))


def layered(layers: int, width: int) -> Definition:
    """Every node depends on three of the layer before."""
    edges = [
        f"n{layer}_{index} > n{layer + 1}_{(index + offset) % width}"
        for layer in range(layers - 1)
        for index in range(width)
        for offset in range(3)
    ]
    return define(*edges, max_parallel=50)


def loop() -> Definition:
    body = [node(name, parent="each") for name in ("read", "judge", "write")]
    return define(node("each", "loop"), *body, "read > judge", "judge > write", max_parallel=50)


def measure(definition: Definition, *, items: int = 0, limit: int = 1) -> Figures:
    graph = graph_of(definition)
    kept: list[Event] = []
    simulation = Unchecked(graph, kept, items=items, limit=limit)
    begun = time.process_time()
    simulation.run()
    live = time.process_time() - begun
    assert simulation.state.status is RunStatus.COMPLETED
    begun = time.process_time()
    folded = apply_all(begin(graph), kept)
    fold = time.process_time() - begun
    assert folded.status is RunStatus.COMPLETED
    return Figures(len(kept), live, fold)


class Unchecked(Simulation):
    """The simulated driver without the checks that the tests make on every event."""

    def __init__(self, graph: Graph, kept: list[Event], *, items: int, limit: int) -> None:
        super().__init__(graph, outcome=lambda simulation, key, signal: self._outcome(key))
        self.kept, self.items, self.limit = kept, items, limit

    def record(self, event: Event) -> None:
        apply_all(self.state, (event,))
        self.kept.append(event)

    def _outcome(self, key: Key) -> Event:
        if self.graph.nodes[key[0]].container:
            return self.opens(key, range(self.items), self.limit)
        return self.done(key)


def main() -> None:
    shapes: list[tuple[str, Definition, int, int]] = [
        ("chain of 100", chain(100), 0, 1),
        ("layered, 1,000 nodes", layered(10, 100), 0, 1),
        ("loop of 1,000 x 3, sequential", loop(), 1_000, 1),
        ("loop of 10,000 x 3, sequential", loop(), 10_000, 1),
        ("loop of 10,000 x 3, 50 side by side", loop(), 10_000, 50),
    ]
    print(f"{'':38}{'events':>8}{'plan+fold s':>13}{'fold s':>9}{'µs/event':>10}{'µs/iteration':>14}")
    for name, definition, items, limit in shapes:
        figures = measure(definition, items=items, limit=limit)
        an_event = figures.live_seconds / figures.events * 1e6
        an_iteration = f"{figures.live_seconds / items * 1e6:14.0f}" if items else ""
        row = f"{name:38}{figures.events:8}{figures.live_seconds:13.3f}{figures.fold_seconds:9.3f}{an_event:10.1f}"
        print(row + an_iteration)


if __name__ == "__main__":
    main()
