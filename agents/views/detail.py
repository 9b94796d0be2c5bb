"""The pages of one agent: what it is, its versions, where it is used."""

from django.http import HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from agents import access, comparison, page, queries
from agents import usage as usage_source
from agents.models import AgentVersion
from agents.services import export_agent
from portal.core import reading
from portal.core.access import member
from portal.core.htmx import HtmxRequest
from portal.core.permissions import Permission

RECENT = 25


@require_GET
@member(Permission.AGENTS_VIEW)
def overview(request: HtmxRequest, org: str, slug: str) -> HttpResponse:
    """?version=2 shows an earlier version's contract and settings."""
    agent = access.agent_for(request.organisation, slug)
    number = request.GET.get("version", "")
    version = access.version_for(agent, reading.number(number) or 0) if number else agent.current
    return render(
        request,
        "agents/detail.html",
        {
            **page.head(request, agent, "overview"),
            "shown": page.shown(version),
            "contract": queries.contracts_of(agent)[version.number] if version else "",
        },
    )


@require_GET
@member(Permission.AGENTS_VIEW)
def versions(request: HtmxRequest, org: str, slug: str) -> HttpResponse:
    """?old=1&new=2 compares two; without, the current one with the one before."""
    agent = access.agent_for(request.organisation, slug)
    rows = list(queries.versions(agent))
    old, new = _chosen(rows, request.GET.get("old", ""), request.GET.get("new", ""))
    compared = comparison.compare_versions(old, new) if old and new and old != new else None
    contracts = queries.contracts_of(agent)
    for row in rows:
        row.contract = contracts[row.number]  # type: ignore[attr-defined]
    context = {"versions": rows, "compared": compared, "old": old, "new": new}
    return render(request, "agents/versions.html", {**page.head(request, agent, "versions"), **context})


@require_GET
@member(Permission.AGENTS_VIEW)
def usage(request: HtmxRequest, org: str, slug: str) -> HttpResponse:
    """Workflows that call it, its recent runs and measured figures; from what runs agents, if anything does."""
    agent = access.agent_for(request.organisation, slug)
    source = usage_source.source()
    facts = {
        "workflows": source.workflows(request.organisation.pk, slug) if source else [],
        "recent": source.recent(request.organisation.pk, slug, RECENT) if source else [],
        "figures": source.figures_of(request.organisation.pk, [slug]).get(slug) if source else None,
    }
    return render(request, "agents/usage.html", {**page.head(request, agent, "usage"), **facts})


@require_GET
@member(Permission.AGENTS_VIEW)
def export(request: HtmxRequest, org: str, slug: str) -> HttpResponse:
    """The agent as a file in the format ensemble.agent/1."""
    agent = access.agent_for(request.organisation, slug)
    response = JsonResponse(export_agent(agent), json_dumps_params={"indent": 2, "ensure_ascii": False})
    response["Content-Disposition"] = f'attachment; filename="{agent.slug}.agent.json"'
    return response


def _chosen(rows: list[AgentVersion], old: str, new: str) -> tuple[AgentVersion | None, AgentVersion | None]:
    """The two versions to compare: as asked, else the newest and the one before it. rows: newest first."""
    by_number = {str(row.number): row for row in rows}
    newer = by_number.get(new) or (rows[0] if rows else None)
    before = [row for row in rows if newer and row.number < newer.number]
    return by_number.get(old) or (before[0] if before else None), newer
