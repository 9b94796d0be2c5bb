"""Starting a workflow by its published version: what page, API and command line share."""

from __future__ import annotations

from copy import copy
from functools import lru_cache
from typing import Any
from uuid import UUID

from orchestration.models import Run, Trigger, Workflow, WorkflowVersion
from orchestration.services import new_runs
from portal.core.actors import Actor
from portal.core.errors import Conflict, UserError

_VERSIONS_KEPT = 64


class NotPublished(Conflict):
    def __init__(self, workflow: Workflow) -> None:
        super().__init__(f"“{workflow.name}” has no published version yet. Publish it first.", code="not_published")


class Archived(Conflict):
    def __init__(self, workflow: Workflow) -> None:
        super().__init__(f"“{workflow.name}” is archived. Restore it first.", code="archived")


class NoSuchVersion(UserError):
    status = 404

    def __init__(self, workflow: Workflow, number: int) -> None:
        super().__init__(f"“{workflow.name}” has no version {number}.", code="no_such_version")


def start_workflow(
    *,
    workflow: Workflow,
    inputs: dict[str, Any],
    actor: Actor,
    source: str,
    version: int | None = None,
    idempotency_key: str | None = None,
    priority: int = 5,
    trigger: Trigger | None = None,
) -> tuple[Run, bool]:
    """Start the published version, or the given one. Returns the run and whether it is new.

    Raises NotPublished, NoSuchVersion, Archived, and what `new_runs.start_run` raises for wrong inputs.
    """
    chosen = chosen_version(workflow, version)
    # Two callers with one new key at once are both told "new"; they get the same run all the same.
    known = idempotency_key is not None and new_runs.by_key(workflow.organisation, idempotency_key) is not None
    run = new_runs.start_run(
        new_runs.NewRun(
            organisation=workflow.organisation,
            version=chosen,
            inputs=inputs,
            actor=actor,
            source=source,
            idempotency_key=idempotency_key,
            priority=priority,
            trigger=trigger,
        )
    )
    return run, not known


def chosen_version(workflow: Workflow, number: int | None) -> WorkflowVersion:
    """The published version, or the one with this number. Raises NotPublished, NoSuchVersion, Archived."""
    if workflow.archived_at is not None:
        raise Archived(workflow)
    if number is not None:
        versions = WorkflowVersion.objects.select_related("definition", "workflow")
        found = versions.filter(workflow=workflow, number=number).first()
        if found is None:
            raise NoSuchVersion(workflow, number)
        return found
    if workflow.published_id is None:
        raise NotPublished(workflow)
    published = copy(_published(workflow.pk, workflow.published_id))
    published.workflow = workflow
    return published


@lru_cache(maxsize=_VERSIONS_KEPT)
def _published(workflow_id: UUID, version_id: int) -> WorkflowVersion:
    """With its definition. Neither ever changes."""
    return WorkflowVersion.objects.select_related("definition").get(workflow=workflow_id, pk=version_id)
