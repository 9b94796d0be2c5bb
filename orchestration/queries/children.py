"""What a subworkflow node asks: which definition, which runs are above it, what an earlier life left."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Q

from orchestration.models import Run, Workflow, WorkflowVersion

JSON = Any


@dataclass(frozen=True, slots=True)
class Above:
    """A run above another, the nearest first."""

    run: UUID
    workflow: UUID | None
    slug: str
    name: str


def workflow(organisation_id: int, slug: str) -> Workflow | None:
    return Workflow.objects.filter(organisation_id=organisation_id, slug=slug).only("id", "slug", "name").first()


def version(found: Workflow, number: int | None, as_of: datetime | None) -> WorkflowVersion | None:
    """The given version, or the one that was published at a time: what comes later does not concern a run."""
    versions = WorkflowVersion.objects.filter(workflow=found).select_related("definition").order_by("-number")
    if number is not None:
        return versions.filter(number=number).first()
    return versions.filter(Q() if as_of is None else Q(published_at__lte=as_of)).first()


def line_above(run_id: UUID, most: int) -> list[Above]:
    """The run itself, its parent, and so on. One query a level."""
    found: list[Above] = []
    current: UUID | None = run_id
    while current is not None and len(found) <= most:
        run = Run.objects.select_related("workflow").only("id", "parent_id", "name", "workflow__slug").get(pk=current)
        slug = run.workflow.slug if run.workflow else ""
        found.append(Above(run.pk, run.workflow_id, slug, run.name))
        current = run.parent_id
    return found


def handed_up(run_id: UUID) -> dict[tuple[str, str], dict[str, float]]:
    """What a run's row has been given of its children's costs, by the node and path that began them. One query."""
    found: dict[tuple[str, str], dict[str, float]] = {}
    for child in Run.objects.filter(parent_id=run_id).exclude(passed_on=None).only(*_PLACE, "passed_on"):
        sums = found.setdefault((child.parent_node, child.parent_path), {})
        for name, value in (child.passed_on or {}).items():
            sums[name] = sums.get(name, 0.0) + float(value)
    return found


_PLACE = ("parent_node", "parent_path")


def earlier(run_id: UUID, node: str, path: str, attempt: int) -> list[Run]:
    """Children of the same attempt, which an earlier life of a retried run began; the newest last."""
    children = Run.objects.filter(parent_id=run_id, parent_node=node, parent_path=path, parent_attempt=attempt)
    return list(children.order_by("created_at", "id"))
