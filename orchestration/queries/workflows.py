"""What pages and API read of workflows. Everything is within one organisation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db.models import Count, OuterRef, Q, QuerySet, Subquery

from orchestration.models import Run, Workflow, WorkflowVersion
from portal.core.models import Organisation


@dataclass(frozen=True, slots=True)
class WorkflowFilter:
    """As in the address. state: published, draft, archived or empty (all but archived)."""

    q: str = ""
    category: str = ""
    tags: tuple[str, ...] = ()
    state: str = ""


def workflows(organisation: Organisation, chosen: WorkflowFilter | None = None) -> QuerySet[Workflow]:
    """By name, each with `last_run_id`, `last_run_status`, `last_run_at` and `run_count`. One query."""
    chosen = chosen or WorkflowFilter()
    found = Workflow.objects.filter(organisation=organisation, archived_at__isnull=chosen.state != "archived")
    if chosen.state == "published":
        found = found.filter(published__isnull=False)
    if chosen.state == "draft":
        found = found.filter(published__isnull=True)
    if chosen.q:
        words = Q(name__icontains=chosen.q) | Q(description__icontains=chosen.q) | Q(slug__icontains=chosen.q)
        found = found.filter(words | Q(tags__icontains=chosen.q))
    if chosen.category:
        found = found.filter(category=chosen.category)
    for tag in chosen.tags:
        found = found.filter(tags__contains=[tag])
    newest = Run.objects.filter(workflow=OuterRef("pk"), kind="workflow").order_by("-created_at")
    return (
        found.select_related("published")
        .defer("draft")
        .annotate(
            last_run_id=Subquery(newest.values("id")[:1]),
            last_run_status=Subquery(newest.values("status")[:1]),
            last_run_at=Subquery(newest.values("created_at")[:1]),
            run_count=Count("runs", filter=Q(runs__kind="workflow")),
        )
        .order_by("name")
    )


def categories(organisation: Organisation) -> list[tuple[str, str]]:
    """[(category, category)] of the workflows there are, for a filter."""
    found = Workflow.objects.filter(organisation=organisation, archived_at=None).exclude(category="")
    return [
        (name, name.capitalize()) for name in found.order_by("category").values_list("category", flat=True).distinct()
    ]


def choices(organisation: Organisation) -> list[tuple[str, str]]:
    """[(slug, name)] for filters."""
    found = Workflow.objects.filter(organisation=organisation).order_by("name")
    return list(found.values_list("slug", "name"))


def versions(workflow: Workflow) -> QuerySet[WorkflowVersion]:
    """Newest first, with who published each and how many runs it had."""
    found = WorkflowVersion.objects.filter(workflow=workflow).select_related("published_by")
    return found.annotate(run_count=Count("runs")).order_by("-number")


def version(workflow: Workflow, number: int) -> WorkflowVersion | None:
    return WorkflowVersion.objects.select_related("definition").filter(workflow=workflow, number=number).first()


def newest(workflow: Workflow) -> WorkflowVersion | None:
    """The published version with its definition."""
    if workflow.published_id is None:
        return None
    return WorkflowVersion.objects.select_related("definition").get(pk=workflow.published_id)


def ahead(workflow: Workflow, published: WorkflowVersion | None) -> bool:
    """Whether the draft holds something that is not published."""
    return published is None or workflow.draft != published.body


def agents_used(definition: dict[str, Any]) -> list[str]:
    """Slugs of the agents a definition names, each once, in its order."""
    named = (node.get("settings", {}).get("agent") for node in definition["nodes"] if node["type"] == "agent")
    return list(dict.fromkeys(slug for slug in named if isinstance(slug, str)))
