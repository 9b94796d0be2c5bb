"""Context processor of the page frame. Everything that costs a query waits until a template asks for it."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from portal.core import access
from portal.core import shell as counts
from portal.core.models import Organisation, User


def shell(request: HttpRequest) -> dict[str, Any]:
    """organisation (of the address, else the one last used, else None), organisations, permissions, nav_counts, and
    administers (whether the admin site is open to the user)."""
    user = getattr(request, "user", None)
    if not isinstance(user, User):
        return {"organisation": None, "organisations": [], "permissions": frozenset(), "nav_counts": {}}
    organisations = SimpleLazyObject(lambda: access.organisations_of(user))
    organisation: Organisation | None = getattr(request, "organisation", None) or current(request)
    if organisation is None:
        return {"organisation": None, "organisations": organisations, "permissions": frozenset(), "nav_counts": {}}
    return {
        "organisation": organisation,
        "organisations": organisations,
        "administers": SimpleLazyObject(lambda: admin.site.has_permission(request)),
        "permissions": SimpleLazyObject(lambda: access.permissions_of(user, organisation)),
        "nav_counts": counts.Counts(user, organisation),
    }


def current(request: HttpRequest) -> Organisation | None:
    """The organisation last used, if the user may still enter it, else their first."""
    everywhere = access.organisations_of(request.user)
    last = getattr(request.user, "last_organisation_id", None)
    return next((one for one in everywhere if one.pk == last), everywhere[0] if everywhere else None)
