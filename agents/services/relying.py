"""Who relies on an agent's contract, and asking before it is broken for them."""

from collections.abc import Sequence

from agents import usage
from agents.compatibility import Change
from agents.models import Agent
from agents.usage import WorkflowUse
from portal.core.errors import Conflict


class BreaksWorkflows(Conflict):
    """Publishing would break workflows that follow the latest version. `problems`: the changes, as JSON."""

    def __init__(self, agent: Agent, changes: Sequence[Change], relying: Sequence[WorkflowUse]) -> None:
        super().__init__(words(changes, relying), "breaking_change", agent=agent.slug)
        self.changes, self.relying = list(changes), list(relying)
        self.problems = [{"code": "breaking_change", **change.as_json()} for change in changes]


def relying_on(agent: Agent) -> list[WorkflowUse]:
    """Published workflows that call it and follow its latest version."""
    source = usage.source()
    if source is None:
        return []
    return [use for use in source.workflows(agent.organisation_id, agent.slug) if use.published and use.version is None]


def words(changes: Sequence[Change], relying: Sequence[WorkflowUse]) -> str:
    """The warning: what breaks, and for which workflows."""
    told = "; ".join(map(str, changes[:5])) + (f"; and {len(changes) - 5} more" if len(changes) > 5 else "")
    names = ", ".join(f"“{use.name}”" for use in relying[:5])
    more = f" and {len(relying) - 5} more" if len(relying) > 5 else ""
    return (
        f"The new contract breaks what the version before promised ({told}). Workflows that follow the latest version "
        f"get it with their next run: {names}{more}. Pin them to the present version first, or confirm."
    )
