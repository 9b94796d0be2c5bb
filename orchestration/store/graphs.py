"""A definition as the graph that plans are made with: which nodes run at once or hold others is said by their types."""

from __future__ import annotations

from typing import Any

from orchestration.engine.graph import Graph
from orchestration.nodes.base import node_types

JSON = Any


def graph_of(body: dict[str, JSON]) -> Graph:
    types = node_types()
    inline = frozenset(kind for kind, found in types.items() if found.inline)
    containers = frozenset(kind for kind, found in types.items() if found.container)
    return Graph.of(body, inline=inline, containers=containers)
