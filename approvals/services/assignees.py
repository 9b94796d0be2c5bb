"""Whether an approval's assignee exists: a request nobody can decide must not be opened."""

from __future__ import annotations

from portal.core.models import Membership, Role
from portal.core.queries import no_such_role


def fault(*, organisation_id: int, user: str, role: str) -> str:
    """What is wrong with an assignee, in a sentence, or "". One query."""
    if user:
        members = Membership.objects.filter(organisation_id=organisation_id, user__is_active=True)
        if members.filter(user__username=user).exists():
            return ""
        return f"No active member of the organisation is called {user!r}. Correct the approval's assignee."
    if role:
        slugs = list(Role.objects.filter(organisation_id=organisation_id).values_list("slug", flat=True))
        return "" if role in slugs else no_such_role(role, slugs)
    return ""
