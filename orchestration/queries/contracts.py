"""What the agents of an organisation take and give, for the validation of workflows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agents import queries as registry
from orchestration.definition.contracts import AgentContract, Contract
from portal.core.models import Organisation

JSON = Any


def contracts(organisation: Organisation, definition: JSON) -> dict[str, AgentContract]:
    """Every agent by slug; schemas only of those (and those versions) that the definition names. Three queries."""
    wanted = _named(definition)
    found = {
        slug: AgentContract(slug, name, status, number, {}, replaced_by or "")
        for slug, name, status, number, replaced_by in registry.overview(organisation)
    }
    known = registry.known(organisation.pk, wanted)
    versions: dict[str, dict[int, Contract]] = {}
    for (slug, _), agent in known.items():
        if agent.version is not None:
            versions.setdefault(slug, {})[agent.version] = Contract(agent.input_schema, agent.output_schema)
    for slug, contracts_by_number in versions.items():
        agent_found = found[slug]
        found[slug] = AgentContract(
            slug, agent_found.name, agent_found.status, agent_found.current, contracts_by_number, agent_found.replaced_by
        )
    return found


def _named(definition: JSON) -> set[tuple[str, int | None]]:
    nodes = definition.get("nodes") if isinstance(definition, Mapping) else None
    found: set[tuple[str, int | None]] = set()
    for node in nodes if isinstance(nodes, list) else []:
        settings = node.get("settings") if isinstance(node, Mapping) and node.get("type") == "agent" else None
        slug = settings.get("agent") if isinstance(settings, Mapping) else None
        version = settings.get("version") if isinstance(settings, Mapping) else None
        if isinstance(slug, str) and slug:
            found.add((slug, version if isinstance(version, int) and not isinstance(version, bool) else None))
    return found
