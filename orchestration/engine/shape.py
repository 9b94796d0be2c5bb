"""Questions about the shape of a graph: how long is the way ahead, what runs side by side, what decides the duration.

Plain functions over bodies (nodes by the loop around them, each in topological order) and targets (node to the nodes
its edges lead to), so that the graph itself and the pages can both ask.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from orchestration.engine.graph import Graph
    from orchestration.engine.ids import NodeId

    Bodies = Mapping[NodeId | None, Sequence[NodeId]]
    Targets = Mapping[NodeId, Sequence[NodeId]]
    Weight = Callable[[NodeId], float]


def spans(bodies: Bodies, targets: Targets, weight: Weight) -> dict[NodeId, float]:
    """How long each node takes by itself: its weight, and for a loop the longest way through its body besides."""
    found: dict[NodeId, float] = {}

    def longest_way(parent: NodeId | None) -> float:
        ahead: dict[NodeId, float] = {}
        for node in reversed(bodies.get(parent, ())):
            found[node] = weight(node) + longest_way(node)
            ahead[node] = found[node] + max((ahead[target] for target in targets[node]), default=0)
        return max(ahead.values(), default=0)

    longest_way(None)
    return found


def remaining_lengths(bodies: Bodies, targets: Targets, weight: Weight = lambda node: 1) -> dict[NodeId, float]:
    """The longest way from each node (counted) to the end of the run. Out of a body it goes on behind the loop."""
    own = spans(bodies, targets, weight)
    remaining: dict[NodeId, float] = {}

    def fill(parent: NodeId | None, behind_parent: float) -> None:
        for node in reversed(bodies.get(parent, ())):
            behind = max((remaining[target] for target in targets[node]), default=behind_parent)
            remaining[node] = own[node] + behind
            fill(node, behind)

    fill(None, 0)
    return remaining


def losing_branches(body: Sequence[NodeId], targets: Targets, join: NodeId) -> tuple[NodeId, ...]:
    """The nodes from which every path leads to `join` and nowhere else: needless once the join does without them."""
    found: set[NodeId] = set()
    for node in reversed(body):
        if targets[node] and all(target == join or target in found for target in targets[node]):
            found.add(node)
    return tuple(node for node in body if node in found)


def waves(graph: Graph, parent: NodeId | None = None) -> list[list[NodeId]]:
    """The nodes of one body in groups that could run side by side if every node took equally long."""
    wave_of: dict[NodeId, int] = {}
    grouped: list[list[NodeId]] = []
    for node in graph.bodies.get(parent, ()):
        wave = wave_of[node] = max((wave_of[edge.source] + 1 for edge in graph.incoming[node]), default=0)
        if wave == len(grouped):
            grouped.append([])
        grouped[wave].append(node)
    return grouped


def critical_path(
    graph: Graph, seconds: Mapping[NodeId, float] | None = None, parent: NodeId | None = None
) -> list[NodeId]:
    """The chain of nodes of one body that decides how long it takes.

    `seconds` are known or expected durations, a loop's the sum over its iterations; without them every node counts
    alike, and a loop as long as one way through its body.
    """
    targets = {node: tuple(edge.target for edge in edges) for node, edges in graph.outgoing.items()}
    if seconds is None:
        own = spans(graph.bodies, targets, lambda node: 1)
    else:
        own = {node: seconds.get(node, 0.0) for node in graph.nodes}
    body = graph.bodies.get(parent, ())
    ahead: dict[NodeId, float] = {}
    for node in reversed(body):
        ahead[node] = own[node] + max((ahead[target] for target in targets[node]), default=0)
    path: list[NodeId] = []
    choices: Sequence[NodeId] = [node for node in body if not graph.incoming[node]]
    while choices:
        path.append(max(choices, key=ahead.__getitem__))  # of equals the first in topological order
        choices = targets[path[-1]]
    return path
