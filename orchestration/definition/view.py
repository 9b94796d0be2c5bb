"""A definition as far as it can be read: what the checks look at, so that one fault does not hide the others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from orchestration.definition.problems import Place

JSON = Any


@dataclass(frozen=True, slots=True)
class NodeView:
    index: int
    id: str
    type: str
    parent: str | None
    settings: Mapping[str, JSON]
    raw: Mapping[str, JSON]

    @property
    def place(self) -> Place:
        return ("nodes", self.index)

    @property
    def join(self) -> Mapping[str, JSON]:
        """As it is written; empty if it is not."""
        join = self.raw.get("join")
        return join if isinstance(join, Mapping) else {}

    @property
    def join_rule(self) -> str:
        rule = self.join.get("rule", "all")
        return rule if isinstance(rule, str) else "all"


@dataclass(frozen=True, slots=True)
class EdgeView:
    index: int
    source: str
    port: str
    target: str

    @property
    def place(self) -> Place:
        return ("edges", self.index)


@dataclass(frozen=True)
class View:
    raw: Mapping[str, JSON]
    listed: tuple[NodeView, ...]
    """Every node that has an id, duplicates included."""
    edges: tuple[EdgeView, ...]
    """Every edge whose parts are strings."""
    nodes: Mapping[str, NodeView] = field(default_factory=dict)
    """By id; of duplicates the first."""

    @classmethod
    def of(cls, raw: Mapping[str, JSON]) -> View:
        listed = tuple(
            NodeView(
                index,
                item["id"],
                item["type"] if isinstance(item.get("type"), str) else "",
                item["parent"] if isinstance(item.get("parent"), str) else None,
                item["settings"] if isinstance(item.get("settings"), Mapping) else {},
                item,
            )
            for index, item in _mappings(raw.get("nodes"))
            if isinstance(item.get("id"), str)
        )
        edges = tuple(
            EdgeView(index, item["source"], item.get("port", "out"), item["target"])
            for index, item in _mappings(raw.get("edges"))
            if isinstance(item.get("source"), str)
            and isinstance(item.get("target"), str)
            and isinstance(item.get("port", "out"), str)
        )
        nodes: dict[str, NodeView] = {}
        for node in listed:
            nodes.setdefault(node.id, node)
        return cls(raw, listed, edges, nodes)

    @cached_property
    def links(self) -> tuple[EdgeView, ...]:
        """Edges between nodes that are there, within one body."""
        nodes = self.nodes
        return tuple(
            edge
            for edge in self.edges
            if edge.source in nodes and edge.target in nodes and nodes[edge.source].parent == nodes[edge.target].parent
        )

    @cached_property
    def handling(self) -> Mapping[str | None, frozenset[str]]:
        """By body, its first error handler and all that this leads to."""
        found: dict[str | None, frozenset[str]] = {}
        for parent, body in self.bodies.items():
            handler = next((node for node in body if node.type == "error_handler"), None)
            if handler is not None:
                reached, stack = {handler.id}, [handler.id]
                while stack:
                    for edge in self.outgoing[stack.pop()]:
                        if edge.target not in reached:
                            reached.add(edge.target)
                            stack.append(edge.target)
                found[parent] = frozenset(reached)
        return found

    @cached_property
    def undoes(self) -> Mapping[str, NodeView]:
        """By the id of a node that undoes another: which. The first that names it."""
        found: dict[str, NodeView] = {}
        for node in self.nodes.values():
            undo = node.raw.get("compensate_with")
            if isinstance(undo, str) and undo in self.nodes and undo != node.id:
                found.setdefault(undo, node)
        return found

    @cached_property
    def incoming(self) -> Mapping[str, list[EdgeView]]:
        found: dict[str, list[EdgeView]] = {node: [] for node in self.nodes}
        for edge in self.links:
            found[edge.target].append(edge)
        return found

    @cached_property
    def outgoing(self) -> Mapping[str, list[EdgeView]]:
        found: dict[str, list[EdgeView]] = {node: [] for node in self.nodes}
        for edge in self.links:
            found[edge.source].append(edge)
        return found

    @cached_property
    def bodies(self) -> Mapping[str | None, list[NodeView]]:
        """Nodes by the loop around them, in the definition's order. A parent that is not there counts as none."""
        found: dict[str | None, list[NodeView]] = {None: []}
        for node in self.nodes.values():
            found.setdefault(node.parent if node.parent in self.nodes else None, []).append(node)
        for body in found.values():
            body.sort(key=lambda node: node.index)
        return found

    def parents(self, node: NodeView) -> list[NodeView]:
        """The loops around a node, innermost first; ends where they go round in a circle."""
        found: list[NodeView] = []
        seen = {node.id}
        parent = self.nodes.get(node.parent) if node.parent else None
        while parent is not None and parent.id not in seen:
            seen.add(parent.id)
            found.append(parent)
            parent = self.nodes.get(parent.parent) if parent.parent else None
        return found

    @cached_property
    def ancestors(self) -> Mapping[str, frozenset[str]]:
        """Ids of the nodes upstream within the same body, of each node. Nodes on a cycle get what is found on the
        way.
        """
        found: dict[str, frozenset[str]] = {}
        waiting = {node: len(edges) for node, edges in self.incoming.items()}
        ready = [node for node, count in waiting.items() if not count]
        while ready:
            node = ready.pop()
            above: set[str] = set()
            for edge in self.incoming[node]:
                above |= found[edge.source]
                above.add(edge.source)
            found[node] = frozenset(above)
            for edge in self.outgoing[node]:
                waiting[edge.target] -= 1
                if not waiting[edge.target]:
                    ready.append(edge.target)
        for node in self.nodes.keys() - found.keys():  # on a cycle, or behind one
            found[node] = self._above(node)
        return found

    def _above(self, node: str) -> frozenset[str]:
        seen: set[str] = set()
        stack = [edge.source for edge in self.incoming[node]]
        while stack:
            current = stack.pop()
            if current not in seen:
                seen.add(current)
                stack.extend(edge.source for edge in self.incoming[current])
        return frozenset(seen - {node})


def _mappings(value: JSON) -> list[tuple[int, Mapping[str, JSON]]]:
    items = value if isinstance(value, list | tuple) else []
    return [(index, item) for index, item in enumerate(items) if isinstance(item, Mapping)]
