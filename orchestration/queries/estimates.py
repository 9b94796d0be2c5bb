"""How long a run of a workflow may be expected to take."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from orchestration.agent_usage import NodeRunUsage
from orchestration.definition.drawable import drawable
from orchestration.engine.estimate import estimate
from orchestration.engine.graph import Graph
from orchestration.engine.nodes import Node
from orchestration.nodes.base import node_types

JSON = Any
_HANDS_ON = frozenset({"approval", "human_input", "wait_event"})
"""What these wait for takes as long as it takes."""


@dataclass(frozen=True, slots=True)
class Expected:
    """How long a run may take, and what that rests on."""

    seconds: float
    """Every way taken, each loop once round, without waiting for people and events."""
    path: tuple[str, ...]
    """Names of the steps that decide it."""
    unknown: tuple[str, ...]
    """Names of steps that nothing is known of yet: they count for nothing."""
    waits: bool
    """It waits for people or events besides."""
    loops: bool


def expected(organisation_id: int, definition: Mapping[str, JSON]) -> Expected | None:
    """From what agents took in the last 30 days, delays, and where there are no figures timeouts. None if nothing is
    known, or the definition cannot be read. One query."""
    types = node_types()
    inline = frozenset(kind for kind, of in types.items() if of.inline)
    containers = frozenset(kind for kind, of in types.items() if of.container)
    try:
        graph = Graph.of(drawable(definition), inline=inline, containers=containers)
    except (KeyError, ValueError, TypeError, AttributeError):
        return None  # a draft that is wrong somewhere; validation says where
    agents = sorted({str(node.settings["agent"]) for node in graph.nodes.values() if _calls_agent(node)})
    figures = NodeRunUsage().figures_of(organisation_id, agents) if agents else {}
    measured = {slug: found.average.total_seconds() for slug, found in figures.items() if found.average is not None}
    known = {node.id: _seconds(node, measured) for node in graph.nodes.values()}
    seconds = {node: found for node, found in known.items() if found is not None}
    if not any(seconds.values()):
        return None
    found = estimate(graph, seconds)
    names = {node.id: node.name for node in graph.nodes.values()}
    return Expected(
        seconds=found.seconds,
        path=tuple(names[node] for node in found.path if seconds.get(node) or graph.nodes[node].container),
        unknown=tuple(names[node] for node, found_for in known.items() if found_for is None),
        waits=any(node.type in _HANDS_ON for node in graph.nodes.values()),
        loops=any(node.container for node in graph.nodes.values()),
    )


def _calls_agent(node: Node) -> bool:
    return node.type == "agent" and bool(node.settings.get("agent"))


def _seconds(node: Node, measured: Mapping[str, float]) -> float | None:
    """None: nothing is known."""
    if _calls_agent(node) and str(node.settings["agent"]) in measured:
        return measured[str(node.settings["agent"])]
    if node.type == "delay" and isinstance(node.settings.get("seconds"), int | float):
        return float(node.settings["seconds"])
    if node.type in _HANDS_ON or node.inline or node.container:
        return 0.0
    return float(node.timeout_seconds) if isinstance(node.timeout_seconds, int | float) else None
