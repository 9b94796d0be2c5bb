"""Trying an agent: a run like any other, of a definition with this one node, so that no page calls a model itself."""

from __future__ import annotations

import json
import re
from typing import Any

from agents.models import Agent, AgentVersion
from orchestration.definition.schema import FORMAT, NAME
from orchestration.models import Run
from orchestration.services import definitions, new_runs
from portal.core.actors import Actor
from portal.core.errors import Conflict, UserError

JSON = Any
KIND = "trial"
NODE = "agent"


class NothingToTry(Conflict):
    def __init__(self, agent: Agent) -> None:
        super().__init__(f"“{agent.name}” has no published version yet.", code="agent_unpublished")


class BadInputName(UserError):
    def __init__(self, name: str) -> None:
        super().__init__(
            f"“{name}” is no name for an input: letters, digits and _ only, beginning with a letter.",
            code="bad_input_name",
        )


def start_trial(
    *,
    agent: Agent,
    inputs: dict[str, JSON],
    actor: Actor,
    version: AgentVersion | None = None,
    idempotency_key: str | None = None,
) -> Run:
    """Run the agent's current version, or the given one.

    Raises NothingToTry, BadInputName (only an open contract can meet it), InvalidInputs, InvalidDefinition.
    """
    chosen = version or agent.current
    if chosen is None:
        raise NothingToTry(agent)
    for name in inputs:
        if not re.fullmatch(NAME, name):
            raise BadInputName(name)
    definition = definitions.checked(organisation=agent.organisation, definition=_definition(agent, chosen, inputs))
    return new_runs.start_run(
        new_runs.NewRun(
            organisation=agent.organisation,
            actor=actor,
            definition=definitions.kept(definition),
            inputs=inputs,
            name=agent.name,
            kind=KIND,
            idempotency_key=idempotency_key,
            priority=7,  # a person is watching
        )
    )


def _definition(agent: Agent, version: AgentVersion, inputs: dict[str, JSON]) -> dict[str, JSON]:
    """Inputs are passed on by reference, never written into the definition: braces in them must mean nothing."""
    properties = version.input_schema.get("properties", {})
    given = {**{name: 0 for name, schema in properties.items() if _has_default(schema)}, **inputs}
    schema = version.input_schema
    if not given.keys() <= properties.keys():
        # An open contract: what was given beyond it must be declared to be referred to.
        schema = {**schema, "properties": {**{name: {} for name in given}, **properties}}
    return {
        "format": FORMAT,
        "name": agent.name,
        "inputs": schema,
        "outputs": {"outputs": f"{{{{ {NODE}.outputs }}}}"},
        "settings": {"timeout_seconds": (version.timeout_seconds + 60) * int(version.retry.get("max_attempts", 1))},
        "nodes": [
            {
                "id": NODE,
                "type": "agent",
                "name": agent.name,
                "settings": {
                    "agent": agent.slug,
                    "version": version.number,
                    "inputs": {name: f"{{{{ inputs[{json.dumps(name)}] }}}}" for name in given},
                },
                "retry": dict(version.retry),
                "timeout_seconds": version.timeout_seconds,
            }
        ],
        "edges": [],
    }


def _has_default(schema: JSON) -> bool:
    return isinstance(schema, dict) and "default" in schema
