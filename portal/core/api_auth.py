"""Bearer tokens for the API: who calls, in which organisation, and what the token and the roles allow together."""

import structlog
from django.http import HttpRequest
from ninja.security import HttpBearer

from portal.core import access
from portal.core.actors import Actor
from portal.core.models import ApiToken
from portal.core.permissions import ALL, Permission
from portal.core.services import tokens


class TokenAuth(HttpBearer):
    """Sets request.user, request.organisation, request.actor, request.scopes and request.token.

    The header is the only place a token is read from: an address ends up in logs and histories.
    """

    def authenticate(self, request: HttpRequest, token: str) -> ApiToken | None:
        found = tokens.authenticate(token)
        if found is None:
            return None
        request.user = found.user
        request.organisation = found.organisation  # type: ignore[attr-defined]
        request.token = found  # type: ignore[attr-defined]
        request.scopes = frozenset(found.scopes) if found.scopes else ALL  # type: ignore[attr-defined]
        request.actor = Actor(  # type: ignore[attr-defined]
            user=found.user,
            label=f"{found.user.username} (token {found.name})",
            channel="api",
            address=getattr(request, "address", None),
            request_id=getattr(request, "request_id", None),
        )
        structlog.contextvars.bind_contextvars(organisation=found.organisation.slug)
        return found


def allow(request: HttpRequest, permission: Permission) -> None:
    """Raises MissingPermission unless the token's scope *and* the user's roles allow it."""
    access.require(request, request.organisation, permission)  # type: ignore[attr-defined]
