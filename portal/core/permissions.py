"""What may be done, and the roles every organisation starts with. Roles themselves are rows (`models.Role`).

Source of the list: SEC-02 and the working words of the product; a code is `area.verb`.
"""

from dataclasses import dataclass
from enum import StrEnum

from django.utils.translation import gettext_lazy as _


class Permission(StrEnum):
    """One right inside one organisation; its value is the code stored in roles and token scopes."""

    WORKFLOWS_VIEW = "workflows.view"
    WORKFLOWS_EDIT = "workflows.edit"
    WORKFLOWS_PUBLISH = "workflows.publish"
    WORKFLOWS_DELETE = "workflows.delete"
    RUNS_VIEW = "runs.view"
    RUNS_START = "runs.start"
    RUNS_CONTROL = "runs.control"
    EVENTS_PUBLISH = "events.publish"
    APPROVALS_VIEW = "approvals.view"
    APPROVALS_DECIDE = "approvals.decide"
    AGENTS_VIEW = "agents.view"
    AGENTS_MANAGE = "agents.manage"
    MEMBERS_VIEW = "members.view"
    MEMBERS_MANAGE = "members.manage"
    SECRETS_MANAGE = "secrets.manage"
    TOKENS_MANAGE = "tokens.manage"
    AUDIT_VIEW = "audit.view"
    RETENTION_MANAGE = "retention.manage"
    ORGANISATION_MANAGE = "organisation.manage"
    SYSTEM_VIEW = "system.view"

    @property
    def label(self) -> str:
        """What a person reads: `Start runs`."""
        return str(_LABELS[self])


ALL: frozenset[str] = frozenset(Permission)

_LABELS = {
    Permission.WORKFLOWS_VIEW: _("See workflows"),
    Permission.WORKFLOWS_EDIT: _("Edit workflows"),
    Permission.WORKFLOWS_PUBLISH: _("Publish workflows"),
    Permission.WORKFLOWS_DELETE: _("Delete workflows"),
    Permission.RUNS_VIEW: _("See runs"),
    Permission.RUNS_START: _("Start runs"),
    Permission.RUNS_CONTROL: _("Cancel, pause and retry runs"),
    Permission.EVENTS_PUBLISH: _("Publish events"),
    Permission.APPROVALS_VIEW: _("See approvals"),
    Permission.APPROVALS_DECIDE: _("Decide approvals"),
    Permission.AGENTS_VIEW: _("See agents"),
    Permission.AGENTS_MANAGE: _("Manage agents and model profiles"),
    Permission.MEMBERS_VIEW: _("See members and roles"),
    Permission.MEMBERS_MANAGE: _("Manage members and roles"),
    Permission.SECRETS_MANAGE: _("Manage secrets"),
    Permission.TOKENS_MANAGE: _("Create API tokens"),
    Permission.AUDIT_VIEW: _("Read the audit ledger"),
    Permission.RETENTION_MANAGE: _("Set how long runs are kept, and legal holds"),
    Permission.ORGANISATION_MANAGE: _("Change the organisation"),
    Permission.SYSTEM_VIEW: _("See the state of the system"),
}


def choices() -> list[tuple[str, str]]:
    """For forms: [(code, label)] in the order of the enum, which groups by area."""
    return [(permission.value, permission.label) for permission in Permission]


@dataclass(frozen=True)
class BuiltInRole:
    """A role each new organisation gets; afterwards its row may be edited like any other."""

    slug: str
    name: str
    description: str
    permissions: frozenset[Permission]


_READ = frozenset(
    {
        Permission.WORKFLOWS_VIEW,
        Permission.RUNS_VIEW,
        Permission.APPROVALS_VIEW,
        Permission.AGENTS_VIEW,
    }
)

BUILT_IN_ROLES: tuple[BuiltInRole, ...] = (
    BuiltInRole("viewer", "Viewer", "Sees workflows, runs, approvals and agents; changes nothing.", _READ),
    BuiltInRole(
        "designer",
        "Designer",
        "Draws and publishes workflows, and tries them.",
        _READ
        | {
            Permission.WORKFLOWS_EDIT,
            Permission.WORKFLOWS_PUBLISH,
            Permission.WORKFLOWS_DELETE,
            Permission.RUNS_START,
            Permission.RUNS_CONTROL,
            Permission.EVENTS_PUBLISH,
            Permission.TOKENS_MANAGE,
        },
    ),
    BuiltInRole(
        "operator",
        "Operator",
        "Starts runs and keeps them going.",
        _READ
        | {
            Permission.RUNS_START,
            Permission.RUNS_CONTROL,
            Permission.EVENTS_PUBLISH,
            Permission.TOKENS_MANAGE,
            Permission.SYSTEM_VIEW,
        },
    ),
    BuiltInRole("approver", "Approver", "Decides what waits for a person.", _READ | {Permission.APPROVALS_DECIDE}),
    BuiltInRole(
        "compliance-officer",
        "Compliance officer",
        "Reads everything, the audit ledger included; decides approvals and how long runs are kept.",
        _READ
        | {
            Permission.APPROVALS_DECIDE,
            Permission.MEMBERS_VIEW,
            Permission.AUDIT_VIEW,
            Permission.RETENTION_MANAGE,
            Permission.SYSTEM_VIEW,
        },
    ),
    BuiltInRole("admin", "Administrator", "May do everything in the organisation.", frozenset(Permission)),
)

ADMIN_ROLE = "admin"
