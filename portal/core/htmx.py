"""htmx at the edge of a view: typed request, partial or page, toast, redirect."""

import json
from typing import Literal

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django_htmx.http import HttpResponseClientRedirect
from django_htmx.middleware import HtmxDetails

from portal.core.models import Organisation, User

Level = Literal["success", "info", "warning", "error"]


class HtmxRequest(HttpRequest):
    """What a view behind `access.member` receives. For type checkers; nothing is ever made of this class."""

    htmx: HtmxDetails
    organisation: Organisation
    user: User
    request_id: str
    address: str | None


def is_partial(request: HttpRequest) -> bool:
    """Whether htmx asks for a fragment. A boosted link and a history restore want the whole page."""
    details: HtmxDetails | None = getattr(request, "htmx", None)
    return details is not None and bool(details) and not details.boosted and not details.history_restore_request


def toast(response: HttpResponseBase, text: str, level: Level = "success") -> HttpResponseBase:
    """Let the page show a short message: HX-Trigger `{"toast": {"text", "level"}}`, joined to what is there."""
    events = json.loads(response.headers.get("HX-Trigger", "{}"))
    response.headers["HX-Trigger"] = json.dumps({**events, "toast": {"text": str(text), "level": level}})
    return response


def redirect(request: HttpRequest, url: str) -> HttpResponse:
    """302 for a browser; HX-Redirect for htmx, which would otherwise swap the next page into a fragment."""
    return HttpResponseClientRedirect(url) if getattr(request, "htmx", None) else HttpResponseRedirect(url)


def say_and_go(request: HttpRequest, url: str, text: str, level: Level = "success") -> HttpResponse:
    """Go to `url` and say `text` there, after a POST: the message travels in the session."""
    messages.add_message(request, getattr(messages, level.upper()), text)
    return redirect(request, url)
