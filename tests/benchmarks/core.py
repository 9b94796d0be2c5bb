"""How long the pure core takes: folding and planning whole runs, without database, network or nodes.

    python -m tests.benchmarks.core

Prints, for each shape of graph, seconds for live planning, seconds for folding the finished log again, and microseconds
an event; for loops also what an iteration costs, and the cost of the last tenth of them for that of the first, which
should stay at 1.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from orchestration.engine.apply import apply_all, begin
from orchestration.engine.events import Event, IterationEnded
from orchestration.engine.graph import Graph
from orchestration.engine.ids import Key
from orchestration.engine.loops import checked
from orchestration.engine.statuses import RunStatus
from tests.engine.definitions import Definition, define, node
from tests.engine.simulator import Simulation, graph_of


@dataclass(frozen=True)
class Figures:
    events: int
    live_seconds: float
    fold_seconds: float
    growth: float | None = None
    """Of a loop: seconds of its last tenth of iterations for one of the first tenth."""


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


def nested(rounds: int) -> Definition:
    """A loop of `rounds` iterations within each iteration of a loop."""
    return define(
        node("each", "loop"),
        node("round", "loop", parent="each", settings={"rounds": rounds}),
        node("a", parent="round"),
    )


def measure(definition: Definition, *, items: int = 0, limit: int = 1, repeats: bool = False) -> Figures:
    """`items`: iterations of loops that stand in no other. `repeats`: while a condition holds, and not once an item."""
    graph = graph_of(definition)
    kept: list[Event] = []
    simulation = Unchecked(graph, kept, items=items, limit=limit, repeats=repeats)
    begun = time.process_time()
    simulation.run()
    live = time.process_time() - begun
    assert simulation.state.status is RunStatus.COMPLETED
    begun = time.process_time()
    folded = apply_all(begin(graph), kept)
    fold = time.process_time() - begun
    assert folded.status is RunStatus.COMPLETED
    return Figures(len(kept), live, fold, simulation.growth())


class Unchecked(Simulation):
    """The simulated driver without the checks that the tests make on every event."""

    def __init__(self, graph: Graph, kept: list[Event], *, items: int, limit: int, repeats: bool) -> None:
        super().__init__(
            graph,
            outcome=lambda simulation, key, signal: self._outcome(key),
            condition=lambda simulation, key, index: checked(self.state, key, index < self._rounds(key), self.now),
        )
        self.kept, self.items, self.limit, self.repeats = kept, items, limit, repeats
        self.ends: list[float] = []
        """When each iteration of a loop that stands in no other ended."""

    def record(self, event: Event) -> None:
        apply_all(self.state, (event,))
        self.kept.append(event)
        if type(event) is IterationEnded and not event.path:
            self.ends.append(time.process_time())

    def growth(self) -> float | None:
        tenth = len(self.ends) // 10
        if tenth < 2:
            return None
        return (self.ends[-1] - self.ends[-tenth]) / (self.ends[tenth - 1] - self.ends[0])

    def _rounds(self, key: Key) -> int:
        return int(self.graph.nodes[key[0]].settings.get("rounds", self.items))

    def _outcome(self, key: Key) -> Event:
        if not self.graph.nodes[key[0]].container:
            return self.done(key)
        if self.repeats:
            return self.opens(key, [], most=self._rounds(key))
        return self.opens(key, range(self._rounds(key)), self.limit)


def main() -> None:
    shapes: list[tuple[str, Definition, int, int, bool]] = [
        ("chain of 100", chain(100), 0, 1, False),
        ("layered, 1,000 nodes", layered(10, 100), 0, 1, False),
        ("loop of 1,000 x 3, sequential", loop(), 1_000, 1, False),
        ("loop of 10,000 x 3, sequential", loop(), 10_000, 1, False),
        ("loop of 10,000 x 3, 50 side by side", loop(), 10_000, 50, False),
        ("while, 10,000 x 3", loop(), 10_000, 1, True),
        ("loop of 10,000 in 1 loop", nested(10_000), 1, 1, False),
        ("loop of 10 in a loop of 1,000", nested(10), 1_000, 1, False),
        ("while of 10 in a while of 1,000", nested(10), 1_000, 1, True),
    ]
    print(f"{'':38}{'events':>8}{'plan+fold s':>13}{'fold s':>9}{'µs/event':>10}{'µs/iteration':>14}{'last/first':>12}")
    for name, definition, items, limit, repeats in shapes:
        figures = measure(definition, items=items, limit=limit, repeats=repeats)
        an_event = figures.live_seconds / figures.events * 1e6
        an_iteration = f"{figures.live_seconds / items * 1e6:14.0f}" if items else ""
        an_iteration += f"{figures.growth:12.2f}" if figures.growth else ""
        row = f"{name:38}{figures.events:8}{figures.live_seconds:13.3f}{figures.fold_seconds:9.3f}{an_event:10.1f}"
        print(row + an_iteration)


if __name__ == "__main__":
    main()
