"""The gate: which organisation a user may enter, and what they may do there.

A stranger gets 404, so that nobody learns which organisations exist; a member without the right gets 403, with the
name of the right. Objects inside an organisation go through the `access.py` of their app.
"""

import functools
import inspect
from collections.abc import Callable
from typing import Any, cast

from asgiref.sync import sync_to_async
from django.contrib.auth.models import AnonymousUser
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponseBase
from django.shortcuts import resolve_url

from portal.core import htmx, permissions
from portal.core.models import Membership, Organisation, User
from portal.core.permissions import Permission
from portal.core.prepared import Prepared

_ANY_ENTRY = Prepared(lambda slug: Organisation.objects.filter(slug=slug))
_ENTRY = Prepared(lambda slug, user: Organisation.objects.filter(slug=slug, is_active=True, memberships__user=user))
_ALL = Prepared(lambda: Organisation.objects.all())
_MINE = Prepared(lambda user: Organisation.objects.filter(is_active=True, memberships__user=user))
_PERMISSIONS = Prepared(
    lambda organisation, user: Membership.objects.filter(
        organisation=organisation, organisation__is_active=True, user=user, roles__isnull=False
    ).values_list("roles__permissions")
)


class MissingPermission(PermissionDenied):
    """A member lacks a right; the 403 page names it."""

    def __init__(self, permission: Permission) -> None:
        super().__init__(f"This needs the permission “{permission.label}” ({permission.value}).")
        self.permission = permission


def organisation_for(user: User | AnonymousUser, slug: str) -> Organisation:
    """Raises Http404 unless the user is a member (or a superuser). One query, two for a superuser who is no member."""
    if not user.is_authenticated or not user.is_active:
        raise Http404("No such organisation.")
    found = _ANY_ENTRY.first(slug) if user.is_superuser else _ENTRY.first(slug, user.pk)
    if found is None:
        raise Http404("No such organisation.")
    return found


def permissions_of(user: User | AnonymousUser, organisation: Organisation) -> frozenset[str]:
    """The user's permission codes there. One query a request: kept on the user object, which lives as long."""
    if not user.is_authenticated or not user.is_active:
        return frozenset()
    if user.is_superuser:
        return permissions.ALL
    known: dict[int, frozenset[str]] = user.__dict__.setdefault("_permissions_by_organisation", {})
    if organisation.pk not in known:
        lists = _PERMISSIONS.all(organisation.pk, user.pk)
        known[organisation.pk] = frozenset(code for (codes,) in lists for code in codes) & permissions.ALL
    return known[organisation.pk]


def forget(user: User) -> None:
    """Drop what is kept on the user object; for whoever changes rights and goes on with the same one."""
    user.__dict__.pop("_permissions_by_organisation", None)
    user.__dict__.pop("_organisations", None)


def can(user: User | AnonymousUser, organisation: Organisation, permission: Permission) -> bool:
    return permission.value in permissions_of(user, organisation)


def require(who: HttpRequest | User | AnonymousUser, organisation: Organisation, permission: Permission) -> None:
    """Raises MissingPermission (403). A request that came with an API token needs the scope as well."""
    user = who.user if isinstance(who, HttpRequest) else who
    scopes = getattr(who, "scopes", None) if isinstance(who, HttpRequest) else None
    if not can(user, organisation, permission) or (scopes is not None and permission.value not in scopes):
        raise MissingPermission(permission)


def organisations_of(user: User | AnonymousUser) -> list[Organisation]:
    """All that the user may enter, by name. One query a request, like `permissions_of`."""
    if not user.is_authenticated or not user.is_active:
        return []
    if "_organisations" not in user.__dict__:
        user.__dict__["_organisations"] = _ALL.all() if user.is_superuser else _MINE.all(user.pk)
    return list(user.__dict__["_organisations"])


type_view = Callable[..., Any]


def member(permission: Permission | None = None) -> Callable[[type_view], type_view]:
    """Decorator of every page of an organisation: `@member(Permission.RUNS_VIEW) def view(request, org, ...)`.

    Asks for sign-in, answers 404 to strangers and 403 to members without the permission, and sets
    `request.organisation`. None means any member. Async views work too.
    """

    def decorate(view: type_view) -> type_view:
        if inspect.iscoroutinefunction(view):

            @functools.wraps(view)
            async def asynchronous(request: HttpRequest, org: str, *args: Any, **kwargs: Any) -> HttpResponseBase:
                refusal = await sync_to_async(_enter)(request, org, permission)
                return refusal or cast(HttpResponseBase, await view(request, org, *args, **kwargs))

            return asynchronous

        @functools.wraps(view)
        def synchronous(request: HttpRequest, org: str, *args: Any, **kwargs: Any) -> HttpResponseBase:
            return _enter(request, org, permission) or cast(HttpResponseBase, view(request, org, *args, **kwargs))

        return synchronous

    return decorate


def signed_in(view: type_view) -> type_view:
    """Decorator of the pages of one's own account, which belong to no organisation."""

    @functools.wraps(view)
    def wrapped(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not request.user.is_authenticated:
            return to_login(request)
        return cast(HttpResponseBase, view(request, *args, **kwargs))

    return wrapped


def to_login(request: HttpRequest) -> HttpResponseBase:
    """To the login page and back. An htmx request takes the whole page there, and comes back to the page itself."""
    details = getattr(request, "htmx", None)
    if details:
        after = details.current_url_abs_path or resolve_url("home")
        return htmx.redirect(request, redirect_to_login(after).url)
    return redirect_to_login(request.get_full_path())


def _enter(request: HttpRequest, slug: str, permission: Permission | None) -> HttpResponseBase | None:
    """Let the request in, or answer it."""
    if not request.user.is_authenticated:
        return to_login(request)
    organisation = organisation_for(request.user, slug)
    request.organisation = organisation  # type: ignore[attr-defined]
    if permission is not None:
        require(request, organisation, permission)
    return None
