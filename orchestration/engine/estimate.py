"""How long a run may be expected to take, from how long its nodes take by themselves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil

from orchestration.engine.graph import Graph
from orchestration.engine.ids import NodeId
from orchestration.engine.rules import EARLY


@dataclass(frozen=True, slots=True)
class Estimate:
    seconds: float
    path: tuple[NodeId, ...]
    """The nodes outside of loops that decide it: each waits for the one before."""


def estimate(graph: Graph, seconds: Mapping[NodeId, float], rounds: Mapping[NodeId, float] | None = None) -> Estimate:
    """`seconds` by node, 0 where none are given; `rounds` by loop, how many iterations, 1 where none are given.

    Every way is taken, and nothing fails. A join starts when its rule is met, and what it does not wait for counts for
    nothing. No run is faster than all its work shared out among `max_parallel` places.
    """
    expected = _Expected(graph, seconds, rounds or {})
    alone, path = expected.body(None)
    return Estimate(max(alone, expected.work(None) / graph.max_parallel), path)


@dataclass(frozen=True, slots=True)
class _Expected:
    graph: Graph
    seconds: Mapping[NodeId, float]
    rounds: Mapping[NodeId, float]

    def body(self, parent: NodeId | None) -> tuple[float, tuple[NodeId, ...]]:
        """When the last node of a body has ended, and the chain of nodes that leads there."""
        ends: dict[NodeId, float] = {}
        before: dict[NodeId, NodeId | None] = {}
        for node in self.graph.bodies.get(parent, ()):
            before[node] = self._waits_for(node, ends)
            source = before[node]
            ends[node] = self._duration(node) + (ends[source] if source is not None else 0.0)
        left = {loser for node in ends for loser in self._not_waited_for(node)}
        last = max((node for node in ends if node not in left), key=ends.__getitem__, default=None)
        path: list[NodeId] = []
        at = last
        while at is not None:
            path.append(at)
            at = before[at]
        return (ends[last] if last is not None else 0.0), tuple(reversed(path))

    def work(self, parent: NodeId | None) -> float:
        """Seconds for which places are taken."""
        nodes = (self.graph.nodes[node] for node in self.graph.bodies.get(parent, ()))
        return sum(
            self.rounds.get(node.id, 1) * self.work(node.id)
            if node.container
            else self.seconds.get(node.id, 0.0) * node.takes_place
            for node in nodes
        )

    def _waits_for(self, node: NodeId, ends: Mapping[NodeId, float]) -> NodeId | None:
        """The source that is there last of those its rule needs."""
        sources = sorted({edge.source for edge in self.graph.incoming[node]}, key=ends.__getitem__)
        if not sources:
            return None
        join = self.graph.nodes[node].join
        needed = {"any": 1, "first_success": 1, "n_of_m": join.count}.get(join.rule, len(sources))
        return sources[min(needed, len(sources)) - 1]

    def _not_waited_for(self, node: NodeId) -> tuple[NodeId, ...]:
        join = self.graph.nodes[node].join
        return self.graph.losers[node] if join.rule in EARLY and join.losers != "finish" else ()

    def _duration(self, node: NodeId) -> float:
        own = self.seconds.get(node, 0.0)
        if not self.graph.nodes[node].container:
            return own
        settings = self.graph.nodes[node].settings
        limit = settings.get("limit", 5) if settings.get("mode") == "parallel" else 1
        side_by_side = max(1, min(limit if isinstance(limit, int) else 1, self.graph.max_parallel))
        return own + self.body(node)[0] * ceil(self.rounds.get(node, 1) / side_by_side)
