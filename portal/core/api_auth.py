"""Bearer tokens for the API: who calls, in which organisation, and what the token and the roles allow together."""

from typing import cast

import structlog
from django.http import HttpRequest
from ninja.security import HttpBearer

from portal.core import access
from portal.core.actors import Actor
from portal.core.models import ApiToken, Organisation, User
from portal.core.permissions import ALL, Permission
from portal.core.services import tokens


class ApiRequest(HttpRequest):
    """What a handler of the API receives: `TokenAuth` has set these. For type checkers, like `htmx.HtmxRequest`."""

    user: User
    organisation: Organisation
    token: ApiToken
    scopes: frozenset[str]
    actor: Actor


class TokenAuth(HttpBearer):
    """Makes an `ApiRequest` of a request with a token that counts.

    The header is the only place a token is read from: an address ends up in logs and histories.
    """

    def authenticate(self, request: HttpRequest, token: str) -> ApiToken | None:
        found = tokens.authenticate(token)
        if found is None:
            return None
        made = cast(ApiRequest, request)
        made.user, made.organisation, made.token = found.user, found.organisation, found
        made.scopes = frozenset(found.scopes) if found.scopes else ALL
        made.actor = Actor.on(request, found.user, "api", label=f"{found.user.username} (token {found.name})")
        structlog.contextvars.bind_contextvars(organisation=found.organisation.slug)
        return found


def allow(request: ApiRequest, permission: Permission) -> None:
    """Raises MissingPermission unless the token's scope *and* the user's roles allow it."""
    access.require(request, request.organisation, permission)
