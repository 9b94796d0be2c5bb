"""The gate to workflows and runs of an organisation: what is not there, or is another's, is 404."""

from __future__ import annotations

from uuid import UUID

from django.core.exceptions import ValidationError
from django.http import Http404

from orchestration.models import Run, Workflow, WorkflowVersion
from portal.core.models import Organisation


def run_for(organisation: Organisation, run_id: UUID | str) -> Run:
    """The run with its workflow, version and starter. One query. Raises Http404."""
    try:
        return Run.objects.select_related("workflow", "version", "started_by", "organisation").get(
            organisation=organisation, pk=run_id
        )
    except (Run.DoesNotExist, ValidationError) as error:
        raise Http404("There is no such run.") from error


def workflow_for(organisation: Organisation, slug: str) -> Workflow:
    """The workflow with its published version, archived ones too. One query. Raises Http404."""
    found = (
        Workflow.objects.select_related("organisation", "published", "draft_saved_by", "created_by")
        .filter(organisation=organisation, slug=slug)
        .first()
    )
    if found is None:
        raise Http404("There is no such workflow.")
    return found


def version_for(workflow: Workflow, number: int) -> WorkflowVersion:
    """A published version with its definition. One query. Raises Http404."""
    found = (
        WorkflowVersion.objects.select_related("definition", "published_by")
        .filter(workflow=workflow, number=number)
        .first()
    )
    if found is None:
        raise Http404("There is no such version.")
    found.workflow = workflow
    return found
