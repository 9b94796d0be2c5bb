"""Nodes that call agents: the agent is there and may be used, and its required inputs are given."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from agents.contracts import data_faults
from orchestration.definition.contracts import AgentContract, Contract
from orchestration.definition.problems import Code, Place, Problem, Severity, did_you_mean
from orchestration.definition.settings import holds_template
from orchestration.definition.view import NodeView, View

JSON = Any


def check(view: View, agents: Mapping[str, AgentContract]) -> Iterator[Problem]:
    for node in view.nodes.values():
        if node.type == "agent" and isinstance(node.settings.get("agent"), str) and node.settings["agent"]:
            yield from _agent(node, agents)


def contract_of(node: NodeView, agents: Mapping[str, AgentContract]) -> Contract | None:
    """The contract of the agent a node calls, where it is known."""
    slug, version = node.settings.get("agent"), node.settings.get("version")
    agent = agents.get(slug) if node.type == "agent" and isinstance(slug, str) else None
    return agent.contract(version if isinstance(version, int) else None) if agent is not None else None


def _agent(node: NodeView, agents: Mapping[str, AgentContract]) -> Iterator[Problem]:
    slug, place = node.settings["agent"], (*node.place, "settings", "agent")
    yield from usable(node, slug, agents, place)
    agent = agents.get(slug)
    if agent is None:
        return
    version = node.settings.get("version")
    contract = contract_of(node, agents)
    if contract is None:
        wanted = f"no version {version}" if isinstance(version, int) else "no published version"
        known = f" It has {', '.join(map(str, sorted(agent.versions)))}." if agent.versions else ""
        yield Problem(
            Code.UNKNOWN_AGENT_VERSION,
            f"The agent {slug} has {wanted}.{known}",
            node.id,
            (*node.place, "settings", "version"),
        )
        return
    yield from check_inputs(node, slug, contract.inputs)


def usable(node: NodeView, slug: str, agents: Mapping[str, AgentContract], place: Place) -> Iterator[Problem]:
    """Whether there is such an agent, and it may be used."""
    agent = agents.get(slug)
    if agent is None:
        message = f"There is no agent {slug}.{did_you_mean(slug, agents)}"
        yield Problem(Code.UNKNOWN_AGENT, message, node.id, place)
    elif agent.status == "offline":
        yield Problem(Code.AGENT_OFFLINE, f"The agent {slug} is offline.{_instead(agent)}", node.id, place)
    elif agent.status == "deprecated":
        message = f"The agent {slug} is deprecated.{_instead(agent)}"
        yield Problem(Code.AGENT_DEPRECATED, message, node.id, place, Severity.WARNING)


def _instead(agent: AgentContract) -> str:
    return f" Use {agent.replaced_by} instead." if agent.replaced_by else ""


def check_inputs(node: NodeView, slug: str, schema: Mapping[str, JSON]) -> Iterator[Problem]:
    """What a node gives to something of this name that takes this."""
    given = node.settings.get("inputs", {})
    if not isinstance(given, Mapping):
        return
    place: Place = (*node.place, "settings", "inputs")
    properties = schema.get("properties", {})
    for name in schema.get("required", []):
        if name not in given and "default" not in properties.get(name, {}):
            text = properties.get(name, {}).get("description", "")
            hint = f" ({text})" if text else ""
            message = f"{slug} needs the input {name}{hint}."
            yield Problem(Code.MISSING_INPUT, message, node.id, (*place, name))
    open_ended = schema.get("additionalProperties", True) is not False or "patternProperties" in schema
    for name, value in given.items():
        if name not in properties:
            if properties or not open_ended:
                severity = Severity.WARNING if open_ended else Severity.ERROR
                there = f" It has {', '.join(properties)}." if properties else ""
                message = f"{slug} has no input {name}.{did_you_mean(name, properties)}{there}"
                yield Problem(Code.UNKNOWN_INPUT, message, node.id, (*place, name), severity)
        elif not holds_template(value):
            own = (
                {**properties[name], "$defs": schema.get("$defs", {})} if isinstance(properties[name], Mapping) else {}
            )
            for fault in data_faults(own, value)[:3]:
                message = f"{slug} does not take this {name}: {fault.path} {fault.message}.".replace(": $ ", ": it ")
                yield Problem(Code.INVALID_INPUT, message, node.id, (*place, name))
