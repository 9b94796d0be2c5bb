"""The admin site: who may enter, and what they find. Rights come from the same gate as everywhere else.

A superuser runs the installation. A member enters with a permission that manages something (`OPENS`), sees the rows
of their own organisations only, and in each only what their permissions there allow (`portal.core.admin`).
"""

from collections.abc import Callable
from typing import Any

from csp.constants import SELF, UNSAFE_EVAL, UNSAFE_INLINE
from csp.decorators import csp_replace
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from unfold.sites import UnfoldAdminSite

from portal.core import access
from portal.core.permissions import Permission

OPENS = frozenset(
    {
        Permission.MEMBERS_MANAGE,
        Permission.MEMBERS_VIEW,
        Permission.AGENTS_MANAGE,
        Permission.SECRETS_MANAGE,
        Permission.ORGANISATION_MANAGE,
        Permission.SYSTEM_VIEW,
    }
)

# Unfold's templates are Alpine expressions, which need `unsafe-eval`, and carry inline styles, so the admin alone gets
# this looser policy: it is behind the gate and shows no text of models. Scripts still come from this host only.
POLICY = {"script-src": [SELF, UNSAFE_EVAL], "style-src": [SELF, UNSAFE_INLINE]}


class PortalAdminSite(UnfoldAdminSite):
    """Signing in and out is the portal's own; there is one login page."""

    site_title = site_header = "Ensemble"
    index_title = "Administration"
    site_url = "/"

    def admin_view(self, view: Callable[..., Any], cacheable: bool = False) -> Callable[..., Any]:
        guarded: Callable[..., Any] = super().admin_view(view, cacheable)
        relaxed: Callable[..., Any] = csp_replace(POLICY)(guarded)
        return relaxed

    def has_permission(self, request: HttpRequest) -> bool:
        user = request.user
        if not user.is_authenticated or not user.is_active:
            return False
        if user.is_superuser:
            return True
        return any(OPENS & access.permissions_of(user, organisation) for organisation in access.organisations_of(user))

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponseBase:
        """Where the site sends whoever has no permission: visitors to sign in, others to the page that says no."""
        after = request.GET.get("next", "")
        if not url_has_allowed_host_and_scheme(after, allowed_hosts={request.get_host()}):
            after = reverse("admin:index")
        if not request.user.is_authenticated:
            return redirect_to_login(after)
        if not self.has_permission(request):
            raise access.MissingPermission(Permission.MEMBERS_VIEW)
        return redirect(after)

    def logout(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponseBase:
        return redirect("logout", preserve_request=True)

    def password_change(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponseBase:
        return redirect("password_change")
