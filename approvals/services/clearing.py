"""What of approvals goes with runs that a retention policy deletes."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from approvals.models import ApprovalRequest, Decision


def forget(run_ids: Sequence[UUID]) -> None:
    """Requests and decisions. Who decided what, by what right and on which digest stays in the audit ledger."""
    requests = ApprovalRequest.objects.filter(run_id__in=run_ids)
    Decision.objects.filter(request__in=requests).delete()
    requests.delete()
