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

from orchestration.engine.rules import TAKES_FAILURES
from orchestration.engine.shape import losing_branches, remaining_lengths

NodeId = str
BREAK = "break"
HANDLER = "error_handler"
"""The type of the nodes that end the loop around them."""
Path = tuple[int, ...]
"""Iteration indexes of the loops around a node, outermost first. `()` outside of any loop."""
Key = tuple[NodeId, Path]
"""Identity of a node run within its run."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """When a failed attempt is tried again. `max_attempts` counts the first try; seconds are of wall time."""

    max_attempts: int = 1
    backoff: str = "exponential"
    """fixed | linear | exponential"""
    initial_seconds: float = 1.0
    max_seconds: float = 60.0
    jitter: bool = True
    on: tuple[str, ...] = ()
    """Error codes that are retried; empty means every error marked retryable."""
    not_on: tuple[str, ...] = ()
    """Error codes that are never retried, whatever else says so."""

    @classmethod
    def of(cls, raw: Mapping[str, Any]) -> RetryPolicy:
        """From JSON; what is left out has its default."""
        return cls(**{**raw, "on": tuple(raw.get("on", ())), "not_on": tuple(raw.get("not_on", ()))})


@dataclass(frozen=True, slots=True)
class JoinRule:
    rule: str = "all"
    """all | any | first_success | n_of_m | all_settled (rules.py)"""
    count: int = 1
    """Rule n_of_m: how many edges must be live."""
    losers: str = "cancel"
    """What becomes of branches that are still under way when the rule is met: cancel | finish | ignore."""
    combine: str = "object"
    """What a join node passes on: object | list | {{ expression }}."""

    @classmethod
    def of(cls, raw: Mapping[str, Any]) -> JoinRule:
        """From JSON; what is left out (or null) has its default."""
        return cls(**{name: value for name, value in raw.items() if value is not None})


@dataclass(frozen=True, slots=True)
class Escalation:
    """Who is asked what to do when the node has failed for good: a person, or the holders of a role."""

    role: str = ""
    user: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True)
class Node:
    id: NodeId
    type: str
    name: str
    parent: NodeId | None
    settings: Mapping[str, Any]
    retry: RetryPolicy | None
    """None: the node brings none; the error may (an agent's own policy), else it is tried once."""
    join: JoinRule
    timeout_seconds: float | None
    optional: bool
    priority: int
    delivery: str
    """at_least_once | at_most_once"""
    total_timeout_seconds: float | None = None
    """Of all attempts together, the pauses between them counted; `timeout_seconds` is of one attempt."""
    alternatives: tuple[str, ...] = ()
    """Who is asked instead, one after the other, when the first has failed for good (an agent's setting)."""
    escalate: Escalation | None = None
    compensate_with: NodeId | None = None
    """The node that undoes this one (saga.py)."""
    inline: bool = False
    """Quick and without outside calls: takes none of the run's `max_parallel` places."""
    container: bool = False
    """A loop; its body are the nodes whose `parent` it is."""
    breaks: bool = False
    """Once it has succeeded the loop around it ends after this iteration."""

    @property
    def takes_place(self) -> bool:
        """Whether it counts towards `max_parallel` while it runs. A loop does not: the nodes of its body do."""
        return not (self.inline or self.container)


@dataclass(frozen=True, slots=True)
class Edge:
    source: NodeId
    port: str
    target: NodeId


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
        nodes = {raw["id"]: _node(raw, inline, containers) for raw in definition["nodes"]}
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


def _node(raw: Mapping[str, Any], inline: AbstractSet[str], containers: AbstractSet[str]) -> Node:
    retry, join = raw.get("retry") or {}, raw.get("join") or {}
    return Node(
        id=raw["id"],
        type=raw["type"],
        name=raw.get("name") or raw["id"],
        parent=raw.get("parent"),
        settings=raw.get("settings") or {},
        retry=RetryPolicy.of(retry) if retry else None,
        join=JoinRule.of(join),
        timeout_seconds=raw.get("timeout_seconds"),
        optional=raw.get("optional", False),
        priority=raw.get("priority", 5),
        delivery=raw.get("delivery", "at_least_once"),
        total_timeout_seconds=raw.get("total_timeout_seconds"),
        alternatives=_alternatives(raw),
        escalate=Escalation(**raw["escalate"]) if raw.get("escalate") else None,
        compensate_with=raw.get("compensate_with"),
        inline=raw["type"] in inline,
        container=raw["type"] in containers,
        breaks=raw["type"] == BREAK,
    )


def _alternatives(raw: Mapping[str, Any]) -> tuple[str, ...]:
    named = (raw.get("settings") or {}).get("alternatives")
    return tuple(map(str, named)) if isinstance(named, list | tuple) else ()


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
