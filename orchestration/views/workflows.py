"""Pages of workflows: the list and one workflow with its drawing, versions, runs and definition."""

from __future__ import annotations

from django.core.paginator import Paginator
from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET

from orchestration import access, graph_svg
from orchestration.definition.canonical import pretty
from orchestration.definition.drawable import drawable
from orchestration.models import Workflow, WorkflowVersion
from orchestration.monitoring import queries as run_queries
from orchestration.queries import dependants, estimates, retention
from orchestration.queries import triggers as trigger_queries
from orchestration.queries import workflows as queries
from portal.core import htmx, reading
from portal.core.access import can, member
from portal.core.htmx import HtmxRequest
from portal.core.permissions import Permission

PAGE_SIZE = 40
TABS = ("overview", "versions", "runs", "definition")


@require_GET
@member(Permission.WORKFLOWS_VIEW)
def workflow_list(request: HtmxRequest, org: str) -> HttpResponse:
    """The list, by the filters in the address; a partial request gets the rows only."""
    state = request.GET.get("state", "")
    chosen = queries.WorkflowFilter(
        q=request.GET.get("q", "").strip(),
        category=request.GET.get("category", ""),
        state=state if state in ("published", "draft", "archived") else "",
    )
    context = {
        "page": Paginator(queries.workflows(request.organisation, chosen), PAGE_SIZE).get_page(request.GET.get("page")),
        "chosen": chosen,
        "categories": queries.categories(request.organisation),
        "states": [("published", "Published"), ("draft", "Not published"), ("archived", "Archived")],
        "filtered": bool(chosen.q or chosen.category or chosen.state),
    }
    return render(request, "workflows/_list.html" if htmx.is_partial(request) else "workflows/list.html", context)


@require_GET
@member(Permission.WORKFLOWS_VIEW)
def detail(request: HtmxRequest, org: str, slug: str) -> HttpResponse:
    """`?tab=` picks a tab, `?version=` an older version; without one the published, else the draft."""
    workflow = access.workflow_for(request.organisation, slug)
    published = queries.newest(workflow)
    shown = _shown(workflow, published, request.GET.get("version", ""))
    definition = shown.body if shown else workflow.draft
    tab = request.GET.get("tab", "overview")
    ahead = queries.ahead(workflow, published)
    may_publish = ahead and can(request.user, request.organisation, Permission.WORKFLOWS_PUBLISH)
    context = {
        "workflow": workflow,
        "published": published,
        "shown": shown,
        "ahead": ahead,
        "breaking": dependants.breaking(workflow, workflow.draft, published) if may_publish else None,
        "definition": definition,
        "tab": tab if tab in TABS else "overview",
        "on_other_versions": run_queries.under_way_with_other_versions(workflow, published),
        "hold": retention.hold_of_workflow(workflow),
        **trigger_queries.notice(workflow),
    }
    match context["tab"]:
        case "versions":
            context["versions"] = Paginator(queries.versions(workflow), PAGE_SIZE).get_page(request.GET.get("page"))
            promised = dependants.promised(workflow)
            for version in context["versions"].object_list:
                version.promised = promised[version.number]
        case "runs":
            chosen = run_queries.RunFilter(workflow=workflow.slug)
            found = run_queries.runs(request.organisation, chosen)
            context["page"] = Paginator(found, PAGE_SIZE).get_page(request.GET.get("page"))
        case "definition":
            context["text"] = pretty(definition)
        case _:
            drawn = drawable(definition)  # a draft may be wrong anywhere
            context["graph"] = graph_svg.render(drawn, link=_node_link(workflow))
            context["inputs"] = _inputs(drawn)
            context["agents"] = queries.agents_used(drawn)
            context["expected"] = estimates.expected(request.organisation.pk, drawn)
    return render(request, "workflows/detail.html", context)


def _shown(workflow: Workflow, published: WorkflowVersion | None, number: str) -> WorkflowVersion | None:
    """None stands for the draft. Raises Http404 for a version that is not there."""
    if number == "draft":
        return None
    if not number:
        return published
    found = queries.version(workflow, reading.number(number) or 0)
    if found is None:
        raise Http404("There is no such version.")
    return found


def _node_link(workflow: Workflow) -> str:
    address = reverse("workflows:detail", args=[workflow.organisation.slug, workflow.slug])
    return f"{address}?tab=definition#node-{{}}"


def _inputs(definition: dict[str, object]) -> list[dict[str, object]]:
    """Rows of a table: {"name", "type", "required", "description", "default"}."""
    schema = definition.get("inputs")
    properties = schema.get("properties") if isinstance(schema, dict) else None
    if not isinstance(schema, dict) or not isinstance(properties, dict):
        return []
    required = schema.get("required")
    required = required if isinstance(required, list) else []
    return [
        {
            "name": name,
            "title": raw.get("title", name),
            "type": _type_words(raw),
            "required": name in required,
            "description": raw.get("description", ""),
            "default": raw.get("default"),
        }
        for name, raw in properties.items()
        if isinstance(raw, dict)
    ]


def _type_words(schema: dict[str, object]) -> str:
    """`string`, `date`, `one of: low, normal, high`"""
    choices = schema.get("enum")
    if isinstance(choices, list):
        shown = ", ".join(str(choice) for choice in choices[:6])
        return f"one of: {shown}{' …' if len(choices) > 6 else ''}"
    kind = schema.get("format") or schema.get("type", "any")
    return " or ".join(map(str, kind)) if isinstance(kind, list) else str(kind)
