"""What pages and API read of workflows. Everything is within one organisation."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import Count, F, OuterRef, Q, QuerySet, Subquery, Window
from django.db.models.functions import RowNumber

from orchestration.definition.canonical import canonical
from orchestration.engine.statuses import RunStatus
from orchestration.models import Run, Workflow, WorkflowVersion
from portal.core.models import Organisation


@dataclass(frozen=True, slots=True)
class WorkflowFilter:
    """As in the address. state: published, draft, archived or empty (all but archived)."""

    q: str = ""
    category: str = ""
    tags: tuple[str, ...] = ()
    state: str = ""


def tags_in(text: str) -> tuple[str, ...]:
    """Of a text in which they are separated by commas."""
    return tuple(tag for part in text.split(",") if (tag := part.strip()))


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


def workflow_ids(organisation: Organisation, slugs: Collection[str]) -> dict[str, UUID]:
    """{slug: id} of those of these workflows that there are."""
    return dict(Workflow.objects.filter(organisation=organisation, slug__in=slugs).values_list("slug", "pk"))


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
    return published is None or canonical(workflow.draft) != canonical(published.body)


def agents_used(definition: dict[str, Any]) -> list[str]:
    """Slugs of the agents a definition names, each once, in its order."""
    named = (node.get("settings", {}).get("agent") for node in definition["nodes"] if node["type"] == "agent")
    return list(dict.fromkeys(slug for slug in named if isinstance(slug, str)))


@dataclass(frozen=True, slots=True)
class PublishedRow:
    """A workflow that can be executed, for `GET /api/workflows/list`."""

    slug: str
    name: str
    description: str
    category: str
    tags: list[str]
    nodes: int
    seconds: float
    """Mean duration of its last completed runs; 0 before the first."""


_RUNS_MEASURED = 20


def published_rows(organisation: Organisation, chosen: WorkflowFilter) -> list[PublishedRow]:
    """What can be executed, by name. Two queries."""
    found = list(workflows(organisation, chosen).select_related("published__definition"))
    seconds = _mean_seconds([workflow.pk for workflow in found])
    return [
        PublishedRow(
            slug=workflow.slug,
            name=workflow.name,
            description=workflow.description,
            category=workflow.category,
            tags=workflow.tags,
            nodes=len(workflow.published.body["nodes"]),
            seconds=seconds.get(workflow.pk, 0.0),
        )
        for workflow in found
        if workflow.published
    ]


def _mean_seconds(workflow_ids: list[Any]) -> dict[Any, float]:
    rank = Window(RowNumber(), partition_by="workflow_id", order_by=F("created_at").desc())
    ended = Run.objects.filter(workflow__in=workflow_ids, status=RunStatus.COMPLETED, started_at__isnull=False)
    last = (
        ended.annotate(rank=rank).filter(rank__lte=_RUNS_MEASURED).values_list("workflow_id", "started_at", "ended_at")
    )
    taken: dict[Any, list[float]] = {}
    for workflow, started_at, ended_at in last:
        if started_at and ended_at:
            taken.setdefault(workflow, []).append((ended_at - started_at).total_seconds())
    return {workflow: round(sum(seconds) / len(seconds), 1) for workflow, seconds in taken.items()}
