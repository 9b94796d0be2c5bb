"""Alternative agents: they are there, may be used, and take and give what the agent they stand in for does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from agents import compatibility
from orchestration.definition.agents import contract_of, usable
from orchestration.definition.contracts import AgentContract, Contract
from orchestration.definition.problems import Code, Place, Problem, Severity
from orchestration.definition.view import NodeView, View


def check(view: View, agents: Mapping[str, AgentContract]) -> Iterator[Problem]:
    for node in view.nodes.values():
        named = node.settings.get("alternatives")
        if node.type == "agent" and isinstance(named, list | tuple):
            yield from _of_node(node, named, agents)


def _of_node(
    node: NodeView, named: list[object] | tuple[object, ...], agents: Mapping[str, AgentContract]
) -> Iterator[Problem]:
    seen = {node.settings.get("agent")}
    for index, slug in enumerate(named):
        place: Place = (*node.place, "settings", "alternatives", index)
        if not isinstance(slug, str):
            continue  # settings.py says so
        if slug in seen:
            message = f"{slug} would be asked twice: an alternative is another agent."
            yield Problem(Code.INVALID_SETTING, message, node.id, place, Severity.WARNING)
        seen.add(slug)
        yield from usable(node, slug, agents, place)
        agent, first = agents.get(slug), contract_of(node, agents)
        other = agent.contract(None) if agent is not None else None
        if agent is not None and other is None:
            message = f"The agent {slug} has no published version."
            yield Problem(Code.UNKNOWN_AGENT_VERSION, message, node.id, place)
        elif other is not None and first is not None:
            yield from _differs(node, slug, first, other, place)


def _differs(node: NodeView, slug: str, first: Contract, other: Contract, place: Place) -> Iterator[Problem]:
    changes = compatibility.breaking_changes(
        compatibility.Contract(dict(first.inputs), dict(first.outputs)),
        compatibility.Contract(dict(other.inputs), dict(other.outputs)),
    )
    if changes:
        change = changes[0]
        more = f" (and {len(changes) - 1} more)" if len(changes) > 1 else ""
        message = f"{slug} does not quite stand in for {node.settings['agent']}: {change}{more}."
        yield Problem(Code.ALTERNATIVE_DIFFERS, message, node.id, place, Severity.WARNING)
