"""The catalogue: search as one types and filters, all of it in the address."""

from collections.abc import Mapping
from dataclasses import fields

from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from agents import queries, usage
from agents.kinds.base import kind_choices
from agents.queries import CatalogueFilter
from portal.core.access import member
from portal.core.htmx import HtmxRequest, is_partial
from portal.core.permissions import Permission

PAGE_SIZE = 60


@require_GET
@member(Permission.AGENTS_VIEW)
def agent_list(request: HtmxRequest, org: str) -> HttpResponse:
    """?q, domain, skill, input, output, status, kind, success, time, cost, sort, page; view=table for the dense one.

    Three queries, four with the table.
    """
    chosen = CatalogueFilter(**{one.name: request.GET.get(one.name, "").strip() for one in fields(CatalogueFilter)})
    page = Paginator(queries.catalogue(request.organisation, chosen), PAGE_SIZE).get_page(request.GET.get("page"))
    table = request.GET.get("view") == "table"
    context = {
        "page": page,
        "chosen": chosen,
        "table": table,
        "kinds": dict(kind_choices()),
        "figures": _measured(request, [agent.slug for agent in page]) if table else {},
    }
    if is_partial(request):
        return render(request, "agents/_list.html", context)
    found = queries.facets(request.organisation, chosen)
    return render(request, "agents/list.html", {**context, "facets": found.facets, "total": found.total})


def _measured(request: HtmxRequest, slugs: list[str]) -> Mapping[str, usage.Figures]:
    source = usage.source()
    return source.figures_of(request.organisation.pk, slugs) if source else {}
