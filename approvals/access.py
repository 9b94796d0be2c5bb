"""The only way a page or an API call gets an approval request."""

from __future__ import annotations

from uuid import UUID

from django.http import Http404

from approvals.models import ApprovalRequest
from portal.core.models import Organisation


def request_for(organisation: Organisation, request_id: UUID) -> ApprovalRequest:
    """Raises Http404 for an unknown id and for one of another organisation alike."""
    found = (
        ApprovalRequest.objects.filter(organisation=organisation, pk=request_id)
        .select_related(
            "organisation", "run", "run__workflow", "run__version", "run__started_by", "assignee_user", "decision"
        )
        .first()
    )
    if found is None:
        raise Http404("No such approval request.")
    return found
