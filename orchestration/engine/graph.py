"""The graph of a definition as the planner needs it: nodes, edges, bodies of loops, in a fixed order.

Built once per definition from its JSON (format `ensemble.workflow/1`) and shared by every run of it. A definition that
passed validation always builds; `Graph.of` raises `KeyError` or `ValueError` on one that did not.

What does not change while a run goes on is worked out here, once: the order in which nodes compete for a free place
(`order`), which nodes a join makes needless when it does not wait for them (`losers`), and which join takes the failure
of a node upon itself (`takers`).
"""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Any

from orchestration.engine.ids import NodeId
from orchestration.engine.nodes import HANDLER, Edge, Node, node_of
from orchestration.engine.rules import TAKES_FAILURES
from orchestration.engine.shape import losing_branches, remaining_lengths

Order = tuple[bool, int, int, int]
"""Who starts first, smallest first: (takes a place, -priority, -remaining length, position)."""


@dataclass(frozen=True, slots=True)
class Graph:
    nodes: Mapping[NodeId, Node]
    incoming: Mapping[NodeId, tuple[Edge, ...]]
    outgoing: Mapping[NodeId, tuple[Edge, ...]]
    bodies: Mapping[NodeId | None, tuple[NodeId, ...]]
    """Nodes by the loop they belong to (None: outside of loops), in topological order, ties by position."""
    max_parallel: int = 10
    runs_at_once: int | None = None
    """How many runs of the workflow may be under way; None: any number."""
    timeout_seconds: float | None = None
    on_failure: str = "fail"
    outputs: Mapping[str, Any] = field(default_factory=dict)
    variables: Mapping[str, Any] = field(default_factory=dict)
    """Default values of the workflow's variables."""
    variable_schemas: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """What they may hold, of those that say so."""
    order: Mapping[NodeId, Order] = field(default_factory=dict)
    losers: Mapping[NodeId, tuple[NodeId, ...]] = field(default_factory=dict)
    """Per join of a rule other than `all`: the nodes from which every path leads to it and nowhere else, in topological
    order."""
    takers: Mapping[NodeId, NodeId] = field(default_factory=dict)
    """Which join takes a node's failure upon itself: of those that do and to which all its paths lead the nearest."""
    compensators: Mapping[NodeId, NodeId] = field(default_factory=dict)
    """Nodes that undo another, and which."""
    handling: Mapping[NodeId | None, tuple[NodeId, ...]] = field(default_factory=dict)
    """By body, its error handler and all that this leads to, in topological order; bodies without one are left out."""
    flow: Mapping[NodeId | None, tuple[NodeId, ...]] = field(default_factory=dict)
    """Bodies without what is not part of their normal flow."""

    @classmethod
    def of(
        cls,
        definition: Mapping[str, Any],
        *,
        inline: AbstractSet[str] = frozenset(),
        containers: AbstractSet[str] = frozenset({"loop"}),
    ) -> Graph:
        """`inline` and `containers` are the kinds of node types that are so; the registry knows them."""
        nodes = {raw["id"]: node_of(raw, inline, containers) for raw in definition["nodes"]}
        edges = [Edge(raw["source"], raw.get("port", "out"), raw["target"]) for raw in definition.get("edges") or ()]
        incoming: dict[NodeId, list[Edge]] = {node: [] for node in nodes}
        outgoing: dict[NodeId, list[Edge]] = {node: [] for node in nodes}
        for edge in edges:
            outgoing[edge.source].append(edge)
            incoming[edge.target].append(edge)
        settings = definition.get("settings") or {}
        bodies = _bodies(nodes, incoming, outgoing)
        targets = {node: tuple(edge.target for edge in found) for node, found in outgoing.items()}
        length = remaining_lengths(bodies, targets)
        losers = {
            node.id: losing_branches(bodies[node.parent], targets, node.id)
            for node in nodes.values()
            if node.join.rule != "all"
        }
        undoers = {node.compensate_with: node.id for node in nodes.values() if node.compensate_with in nodes}
        handling = _handling(nodes, bodies, targets)
        aside = {*undoers, *(node for path in handling.values() for node in path)}
        return cls(
            nodes=nodes,
            incoming={node: tuple(found) for node, found in incoming.items()},
            outgoing={node: tuple(found) for node, found in outgoing.items()},
            bodies=bodies,
            max_parallel=settings.get("max_parallel", 10),
            runs_at_once=(settings.get("limits") or {}).get("runs"),
            timeout_seconds=settings.get("timeout_seconds"),
            on_failure=settings.get("on_failure", "fail"),
            outputs=definition.get("outputs") or {},
            variables={name: raw.get("default") for name, raw in (definition.get("variables") or {}).items()},
            variable_schemas={
                name: raw for name, raw in (definition.get("variables") or {}).items() if raw.keys() - {"default"}
            },
            order={
                node.id: (node.takes_place, -node.priority, -int(length[node.id]), position)
                for position, node in enumerate(nodes.values())
            },
            losers=losers,
            takers=_takers(nodes, bodies, losers),
            compensators={by: node for by, node in undoers.items() if by is not None},
            handling=handling,
            flow={parent: tuple(node for node in body if node not in aside) for parent, body in bodies.items()},
        )

    def successors(self, node: NodeId, port: str) -> tuple[NodeId, ...]:
        return tuple(edge.target for edge in self.outgoing[node] if edge.port == port)

    def outermost(self, node: NodeId) -> NodeId:
        """The outermost of the loops around a node; the node itself outside of loops."""
        while (parent := self.nodes[node].parent) is not None:
            node = parent
        return node

    def inside(self, node: NodeId) -> list[NodeId]:
        """Every node in the body of a loop, however deep; empty for any other node."""
        return [found for inner in self.bodies.get(node, ()) for found in (inner, *self.inside(inner))]


def _handling(
    nodes: Mapping[NodeId, Node],
    bodies: Mapping[NodeId | None, tuple[NodeId, ...]],
    targets: Mapping[NodeId, tuple[NodeId, ...]],
) -> dict[NodeId | None, tuple[NodeId, ...]]:
    found: dict[NodeId | None, tuple[NodeId, ...]] = {}
    for parent, body in bodies.items():
        handler = next((node for node in body if nodes[node].type == HANDLER), None)
        if handler is None:
            continue
        reached = {handler}
        for node in body:
            if node in reached:
                reached.update(targets[node])
        found[parent] = tuple(node for node in body if node in reached)
    return found


def _takers(
    nodes: Mapping[NodeId, Node],
    bodies: Mapping[NodeId | None, tuple[NodeId, ...]],
    branches: Mapping[NodeId, tuple[NodeId, ...]],
) -> dict[NodeId, NodeId]:
    """All joins that every path from a node leads to lie behind each other, so the first in order is the nearest."""
    found: dict[NodeId, NodeId] = {}
    for body in bodies.values():
        for join in body:
            if nodes[join].join.rule in TAKES_FAILURES:
                for node in branches[join]:
                    found.setdefault(node, join)
    return found


def _bodies(
    nodes: Mapping[NodeId, Node], incoming: Mapping[NodeId, list[Edge]], outgoing: Mapping[NodeId, list[Edge]]
) -> dict[NodeId | None, tuple[NodeId, ...]]:
    """Kahn's algorithm, taking ready nodes in the definition's order. Edges never cross the border of a body."""
    position = {node: index for index, node in enumerate(nodes)}
    missing = {node: len(incoming[node]) for node in nodes}
    ready = [node for node in nodes if not missing[node]]
    ordered: list[NodeId] = []
    while ready:
        ready.sort(key=position.__getitem__, reverse=True)
        node = ready.pop()
        ordered.append(node)
        for edge in outgoing[node]:
            missing[edge.target] -= 1
            if not missing[edge.target]:
                ready.append(edge.target)
    if len(ordered) != len(nodes):
        raise ValueError(f"The graph has a cycle through {sorted(set(nodes) - set(ordered))}.")
    bodies: dict[NodeId | None, list[NodeId]] = {None: []}
    for node in ordered:
        bodies.setdefault(nodes[node].parent, []).append(node)
    return {parent: tuple(body) for parent, body in bodies.items()}
