"""Organisations, people, their rights; secrets; the audit ledger."""

from portal.core.models.audit import AuditEntry, AuditLink, AuditPending
from portal.core.models.notifications import Mail, Notification
from portal.core.models.organisations import Membership, Organisation, Role
from portal.core.models.secrets import Secret
from portal.core.models.sessions import SignIn
from portal.core.models.tokens import ApiToken
from portal.core.models.users import User

__all__ = [
    "ApiToken",
    "AuditEntry",
    "AuditLink",
    "AuditPending",
    "Mail",
    "Membership",
    "Notification",
    "Organisation",
    "Role",
    "Secret",
    "SignIn",
    "User",
]
