"""The gate to workflows, runs, triggers and events of an organisation: what is not there, or is another's, is 404."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from django.http import Http404

from orchestration.models import BusEvent, Run, Trigger, Workflow, WorkflowVersion
from portal.core import access
from portal.core.models import Organisation
from portal.core.permissions import Permission
from portal.core.prepared import Prepared

if TYPE_CHECKING:
    from portal.core.api_auth import ApiRequest
    from portal.core.htmx import HtmxRequest

_RUN = Prepared(
    lambda organisation, run: Run.objects.select_related(
        "workflow", "version", "started_by", "organisation", "trigger__workflow", "parent"
    ).filter(organisation=organisation, pk=run)
)
_WORKFLOW = Prepared(
    lambda organisation, slug: Workflow.objects.select_related(
        "organisation", "published", "draft_saved_by", "created_by"
    ).filter(organisation=organisation, slug=slug)
)
_TO_START = Prepared(
    lambda organisation, slug: Workflow.objects.filter(organisation=organisation, slug=slug).only(
        "slug", "name", "organisation_id", "published_id", "archived_at"
    )
)


def run_for(organisation: Organisation, run_id: UUID | str) -> Run:
    """The run with its workflow, version, starter and parent. One query. Raises Http404."""
    try:
        found = _RUN.first(organisation.pk, UUID(str(run_id)))
    except ValueError:
        found = None
    if found is None:
        raise Http404("There is no such run.")
    return found


def workflow_for(organisation: Organisation, slug: str) -> Workflow:
    """The workflow with its published version, archived ones too. One query. Raises Http404."""
    found = _WORKFLOW.first(organisation.pk, slug)
    if found is None:
        raise Http404("There is no such workflow.")
    return found


def workflow_to_start(organisation: Organisation, slug: str) -> Workflow:
    """The workflow with only what starting a run needs; the rest costs a query when it is asked for. Raises Http404."""
    found = _TO_START.first(organisation.pk, slug)
    if found is None:
        raise Http404("There is no such workflow.")
    found.organisation = organisation
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


def trigger_for(organisation: Organisation, trigger_id: UUID) -> Trigger:
    """The trigger with its workflow, version and maker. One query. Raises Http404."""
    found = (
        Trigger.objects.select_related("organisation", "workflow", "version", "created_by")
        .filter(organisation=organisation, pk=trigger_id)
        .first()
    )
    if found is None:
        raise Http404("There is no such trigger.")
    return found


def may_manage_triggers(request: HtmxRequest | ApiRequest) -> bool:
    """Whether a webhook's address may be shown: half of what is needed to call it."""
    try:
        access.require(request, request.organisation, Permission.WORKFLOWS_PUBLISH)
    except access.MissingPermission:
        return False
    return True


def event_for(organisation: Organisation, event_id: UUID) -> BusEvent:
    """The event with who published it. One query. Raises Http404."""
    found = BusEvent.objects.select_related("published_by", "run").filter(organisation=organisation, pk=event_id)
    event = found.first()
    if event is None:
        raise Http404("There is no such event.")
    return event
