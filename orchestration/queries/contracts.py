"""What the agents of an organisation take and give, for the validation of workflows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agents import queries as registry
from orchestration.definition.contracts import AgentContract, Contract
from orchestration.definition.named import Named, named_in, settings_of
from portal.core.models import Organisation

JSON = Any


def contracts(organisation: Organisation, definition: JSON) -> dict[str, AgentContract]:
    """Every agent by slug; schemas only of those (and those versions) that the definition names. Three queries."""
    wanted = _named(definition)
    found = {slug: AgentContract(slug) for slug in registry.slugs(organisation.pk)}
    for (slug, pinned), agent in registry.known(organisation.pk, wanted).items():
        versions = dict(found[slug].versions)
        if agent.version is not None:
            versions[agent.version] = Contract(agent.input_schema, agent.output_schema)
        current = agent.version if pinned is None else found[slug].current
        found[slug] = AgentContract(slug, agent.name, agent.status, current, versions, agent.replaced_by or "")
    return found


def _named(definition: JSON) -> set[Named]:
    found: set[Named] = set()
    for settings in settings_of(definition, "agent"):
        if agent := named_in(settings, "agent"):
            found |= {agent, *((other, None) for other in _alternatives(settings))}
    return found


def _alternatives(settings: Mapping[str, JSON]) -> list[str]:
    named = settings.get("alternatives")
    return [slug for slug in named if isinstance(slug, str)] if isinstance(named, list) else []
