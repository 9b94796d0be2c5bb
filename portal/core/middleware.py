"""What surrounds every request: static files, its id and log context, and further in the organisation's habits.

All of it is synchronous, as every entry of MIDDLEWARE must be: one that is not makes each request cross from its
thread to the event loop and back (`portal.core.handler`).
"""

import re
import uuid
from collections.abc import Callable

import structlog
from asgiref.sync import async_to_sync
from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import render
from django.urls import is_valid_path
from django.utils.cache import add_never_cache_headers
from django.utils.translation import gettext as _
from ipware import get_client_ip
from servestatic.middleware import ServeStaticMiddleware

from portal.core import problems
from portal.core.models import Organisation, User
from portal.core.services import sessions

_REQUEST_ID = re.compile(r"[A-Za-z0-9_.-]{8,64}")

Handler = Callable[[HttpRequest], HttpResponseBase]


def StaticFilesMiddleware(get_response: Handler) -> Handler:
    """ServeStatic's, which knows the event loop only: asked for static files, and not for every request."""

    async def nothing(request: HttpRequest) -> None:
        return None

    files = ServeStaticMiddleware(nothing)
    serve = async_to_sync(files.__call__)

    def middleware(request: HttpRequest) -> HttpResponseBase:
        found = serve(request) if request.path_info.startswith(files.static_prefix) else None
        return found or get_response(request)

    return middleware


def RequestContextMiddleware(get_response: Handler) -> Handler:
    """Give the request an id and an address, bind the id to every log line, and send it back as X-Request-ID."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        asked = request.headers.get("X-Request-ID", "")
        # A caller's id is only taken over when it cannot break a log line.
        request_id = asked if _REQUEST_ID.fullmatch(asked) else uuid.uuid4().hex
        request.request_id = request_id  # type: ignore[attr-defined]
        request.address = client_address(request)  # type: ignore[attr-defined]
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request_id)
        response = get_response(request)
        response.headers["X-Request-ID"] = request_id
        return response

    return middleware


def OrganisationMiddleware(get_response: Handler) -> Handler:
    """Remember the organisation last used and the session's last sign of life; keep private pages out of caches."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        request.organisation = None  # type: ignore[attr-defined]
        response = get_response(request)
        _after(request, response)
        return response

    return middleware


def WrongMethodMiddleware(get_response: Handler) -> Handler:
    """Say 405 so that whoever asked can go on: the API as a problem document, like its every error; a person, who has
    opened an address that only takes a form by the back button or a pasted link, is led to the page above it. Only
    what is opened as a page says that it wants HTML; everything else gets its 405 as it is.
    """

    def middleware(request: HttpRequest) -> HttpResponseBase:
        response = get_response(request)
        return response if response.status_code != 405 else _wrong_method(request, response)

    return middleware


def _wrong_method(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    opened = request.method in ("GET", "HEAD") and "text/html" in request.headers.get("Accept", "")
    allowed = response.headers.get("Allow", "")
    if opened and request.path_info.startswith(("/api/", "/hooks/")):  # no page lives above these
        response = render(request, "405.html", status=405)
    elif request.path_info.startswith("/api/"):
        detail = f"This address does not take {request.method}; it takes {allowed}."
        response = problems.problem(request, 405, detail, "method_not_allowed")
    elif opened and not request.headers.get("HX-Request"):
        messages.info(request, _("That address only takes what a form sends. Nothing has been done; here is its page."))
        return HttpResponseRedirect(_page_above(request.path_info))
    response.headers["Allow"] = allowed
    return response


def _page_above(path: str) -> str:
    """The nearest address above that exists. Should it take forms only, too, one is led on from there."""
    while path.strip("/"):
        path = path.rstrip("/").rpartition("/")[0] + "/"
        if is_valid_path(path):
            break
    return path


def client_address(request: HttpRequest) -> str | None:
    """The visitor's address; X-Forwarded-For counts only behind TRUSTED_PROXIES, else anybody forges it."""
    if not settings.AXES_IPWARE_PROXY_COUNT:
        return request.META.get("REMOTE_ADDR") or None
    address, _trusted = get_client_ip(request, proxy_count=settings.AXES_IPWARE_PROXY_COUNT)
    return str(address) if address else None


def _after(request: HttpRequest, response: HttpResponseBase) -> None:
    user = getattr(request, "user", None)
    if not isinstance(user, User):
        return
    if not response.has_header("Cache-Control"):
        add_never_cache_headers(response)
        response.headers["Cache-Control"] = "no-store, private"
    if getattr(request, "scopes", None) is not None:
        return  # an API token: no session, no "last used"
    organisation: Organisation | None = getattr(request, "organisation", None)
    if organisation is not None and user.last_organisation_id != organisation.pk:
        User.objects.filter(pk=user.pk).update(last_organisation=organisation)
    sessions.touch(request)
