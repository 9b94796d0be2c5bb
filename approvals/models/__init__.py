"""Tables of the approvals desk."""

from approvals.models.requests import ApprovalRequest, Decision

__all__ = ["ApprovalRequest", "Decision"]
