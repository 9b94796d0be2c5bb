"""The gate to workflows and runs of an organisation: what is not there, or is another's, is 404."""

from __future__ import annotations

from uuid import UUID

from django.core.exceptions import ValidationError
from django.http import Http404

from orchestration.models import Run
from portal.core.models import Organisation


def run_for(organisation: Organisation, run_id: UUID | str) -> Run:
    """The run with its workflow, version and starter. One query. Raises Http404."""
    try:
        return Run.objects.select_related("workflow", "version", "started_by", "organisation").get(
            organisation=organisation, pk=run_id
        )
    except (Run.DoesNotExist, ValidationError) as error:
        raise Http404("There is no such run.") from error
