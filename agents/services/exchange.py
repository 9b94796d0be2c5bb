"""Agents as JSON, format `ensemble.agent/1`: to look at, keep in a repository, move between installations.

{"format": "ensemble.agent/1", "slug", "name", "description", "domain", "skills", "input_types", "output_types", "tags",
 "status", "version": {"kind", "config", "input_schema", "output_schema", "max_concurrency", "timeout_seconds", "retry",
 "cost_per_run_usd"}}. No secret is in it: settings name secrets, and the other side must have them.
"""

from decimal import Decimal, InvalidOperation
from typing import Any

from django.db import transaction

from agents.contracts import Fault
from agents.models import Agent, Status
from agents.services.drafts import InvalidAgent, VersionDraft
from agents.services.registry import AgentCard, Published, create_agent, publish_version, set_status, update_agent
from portal.core.actors import Actor
from portal.core.models import Organisation

JSON = Any
FORMAT = "ensemble.agent/1"
_CARD = tuple(AgentCard.__dataclass_fields__)
_DRAFT = tuple(VersionDraft.__dataclass_fields__)


def export_agent(agent: Agent) -> dict[str, JSON]:
    """What `import_agent` takes. Costs a query unless `current` was selected along."""
    version = None
    if agent.current is not None:
        version = VersionDraft.of(agent.current).values()
        cost = version["cost_per_run_usd"]
        version["cost_per_run_usd"] = None if cost is None else float(cost)
    return {
        "format": FORMAT,
        "slug": agent.slug,
        **AgentCard.of(agent).values(),
        "status": agent.status,
        "version": version,
    }


@transaction.atomic
def import_agent(
    *, organisation: Organisation, data: JSON, actor: Actor, note: str = "", confirmed: bool = True
) -> Published:
    """Create the agent, or change it and publish a version if that differs. Importing twice changes nothing.

    Raises InvalidAgent with every fault of the form, BreaksWorkflows unless `confirmed`.
    An existing agent keeps its status when data names none.
    """
    if faults := _form_faults(data):
        raise InvalidAgent(faults)
    card = AgentCard(**{name: data[name] for name in _CARD if name in data})
    draft = draft_of(data["version"])
    agent = Agent.objects.filter(organisation=organisation, slug=data["slug"]).first()
    if agent is None:
        status = data.get("status", Status.ACTIVE.value)
        return create_agent(
            organisation=organisation, slug=data["slug"], card=card, draft=draft, actor=actor, status=status, note=note
        )
    update_agent(agent=agent, card=card, actor=actor)
    if "status" in data:
        set_status(agent=agent, status=data["status"], actor=actor, replaced_by=agent.replaced_by)
    return publish_version(agent=agent, draft=draft, actor=actor, note=note, confirmed=confirmed)


def draft_of(data: JSON) -> VersionDraft:
    """A draft out of its JSON form. Raises InvalidAgent."""
    faults = list(_version_faults(data))
    if faults:
        raise InvalidAgent(faults)
    values = dict(data)
    cost = values.get("cost_per_run_usd")
    values["cost_per_run_usd"] = None if cost is None else Decimal(str(cost))
    return VersionDraft(**values)


def _form_faults(data: JSON) -> list[Fault]:
    if not isinstance(data, dict):
        return [Fault("$", "must be an object: an agent in the format ensemble.agent/1")]
    faults = [
        Fault(f"$.{name}", "is not known here")
        for name in sorted(data.keys() - {"format", "slug", "status", "version", *_CARD})
    ]
    faults += [Fault(f"$.{name}", "is required") for name in ("slug", "name", "version") if name not in data]
    if data.get("format", FORMAT) != FORMAT:
        faults.append(Fault("$.format", f"must be {FORMAT}"))
    faults += [
        Fault(f"$.{name}", "must be text")
        for name in ("slug", "name", "description", "domain", "status")
        if not isinstance(data.get(name, ""), str)
    ]
    return faults + _version_faults(data.get("version", {"kind": "", "config": {}}))


def _version_faults(data: JSON) -> list[Fault]:
    """Of the form only; what the values say is judged when the version is published."""
    if not isinstance(data, dict):
        return [Fault("$.version", "must be an object")]
    faults = [Fault(f"$.version.{name}", "is not known here") for name in sorted(data.keys() - set(_DRAFT))]
    faults += [Fault(f"$.version.{name}", "is required") for name in ("kind", "config") if name not in data]
    for name in ("config", "input_schema", "output_schema", "retry"):
        if not isinstance(data.get(name, {}), dict):
            faults.append(Fault(f"$.version.{name}", "must be an object"))
    if not isinstance(data.get("kind", ""), str):
        faults.append(Fault("$.version.kind", "must be text"))
    if not _is_amount(data.get("cost_per_run_usd")):
        faults.append(Fault("$.version.cost_per_run_usd", "must be a number of USD, or null"))
    return faults


def _is_amount(value: JSON) -> bool:
    if value is None:
        return True
    try:
        return not isinstance(value, bool) and Decimal(str(value)).is_finite()
    except InvalidOperation:
        return False
