"""Whether an approval's assignee exists: a request nobody can decide must not be opened."""

from __future__ import annotations

from difflib import get_close_matches

from portal.core.models import Membership, Role


def fault(*, organisation_id: int, user: str, role: str) -> str:
    """What is wrong with an assignee, in a sentence, or "". One query."""
    if user:
        members = Membership.objects.filter(organisation_id=organisation_id, user__is_active=True)
        if members.filter(user__username=user).exists():
            return ""
        return f"No active member of the organisation is called {user!r}. Correct the approval's assignee."
    if role:
        slugs = list(Role.objects.filter(organisation_id=organisation_id).values_list("slug", flat=True))
        if role in slugs:
            return ""
        close = get_close_matches(role, slugs, n=1)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        return f"There is no role {role!r} in the organisation.{hint}"
    return ""
