"""The gate of the registry: an agent is seen inside its own organisation only."""

from django.http import Http404

from agents.models import Agent, AgentVersion
from portal.core.models import Organisation


def agent_for(organisation: Organisation, slug: str) -> Agent:
    """With its current version and replacement selected along. Raises Http404."""
    found = (
        Agent.objects.filter(organisation=organisation, slug=slug)
        .select_related("organisation", "current", "current__published_by", "replaced_by")
        .first()
    )
    if found is None:
        raise Http404("No such agent.")
    if found.current is not None:
        found.current.agent = found
    return found


def version_for(agent: Agent, number: int) -> AgentVersion:
    """Raises Http404."""
    found = AgentVersion.objects.filter(agent=agent, number=number).select_related("published_by").first()
    if found is None:
        raise Http404("No such version.")
    found.agent = agent
    return found
