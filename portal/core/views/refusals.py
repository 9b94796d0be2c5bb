"""What is said when something is refused or breaks: a page, or a short text for htmx, which its error toast shows."""

import sys

import structlog
from django.contrib import messages
from django.contrib.auth.models import AnonymousUser
from django.db import DataError, IntegrityError
from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest
from django.shortcuts import render
from django.utils.translation import gettext as _

from portal.core import access, htmx, problems


def forbidden(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """403. A missing permission is named."""
    permission = exception.permission if isinstance(exception, access.MissingPermission) else None
    text = str(exception) if exception and str(exception) else _("You may not do this.")
    if getattr(request, "htmx", None):
        return _short(text, 403)
    context = {"permission": permission, "exception": text}
    return render(request, "403.html", context, status=403)


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """404. Says the same whether a thing does not exist or belongs to strangers."""
    if request.path.startswith("/api/"):
        return problems.problem(request, 404, _("There is nothing at this address of the API."), "not_found")
    if getattr(request, "htmx", None):
        return _short(_("This does not exist, or is not yours to see."), 404)
    return render(request, "404.html", status=404)


def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    if getattr(request, "htmx", None):
        return HttpResponseBadRequest(_("The request could not be understood."), content_type="text/plain")
    return render(request, "400.html", status=400)


def broken(request: HttpRequest) -> HttpResponse:
    """500. No detail but the id under which the log has it. 503 while the database does not answer; 400 for what it
    cannot hold: the character U+0000, a number beyond its types; 409 for what two have done at once.
    """
    error = sys.exc_info()[1]
    if isinstance(error, problems.AWAY):
        return _database_away(request, error)
    of_api = request.path.startswith("/api/")
    if isinstance(error, DataError):
        return problems.invalid_value(request, error) if of_api else bad_request(request)
    if isinstance(error, IntegrityError) and (found := problems.clash(error)):
        return problems.at_the_same_moment(request, error) if of_api else _clash(request, found[1])
    request_id = getattr(request, "request_id", "")
    if of_api:
        detail = _("Something went wrong; the log has it under %(id)s.") % {"id": request_id}
        return problems.problem(request, 500, detail, "internal_error")
    if getattr(request, "htmx", None):
        return _short(_("Something went wrong; the log has it under %(id)s.") % {"id": request_id}, 500)
    return render(request, "500.html", {"request_id": request_id}, status=500)


def _clash(request: HttpRequest, sentence: str) -> HttpResponse:
    """409. Django has logged the error; what was typed is still in the form one goes back to."""
    if getattr(request, "htmx", None):
        return _short(sentence, 409)
    return render(request, "409.html", {"sentence": sentence}, status=409)


def _database_away(request: HttpRequest, error: BaseException) -> HttpResponse:
    if request.path.startswith("/api/"):
        return problems.database_away(request, error)
    if getattr(request, "htmx", None):
        answer = _short(_("The database does not answer just now. Try again in some seconds."), 503)
    else:
        request.user = AnonymousUser()  # without a database nobody is known, and nothing is kept for them to be told
        vars(request).pop("_messages", None)
        answer = render(request, "503.html", status=503)
    answer.headers["Retry-After"] = str(problems.RETRY_AFTER)
    return answer


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """403. Mostly a page opened before a sign-in elsewhere: htmx loads it again, with a fresh token and says so."""
    structlog.get_logger(__name__).warning("CSRF check failed", reason=reason, path=request.path)
    if request.headers.get("HX-Request") == "true":
        messages.warning(request, _("The page was out of date and has been loaded again. Please repeat what you did."))
        response = htmx.toast(_short(_("The page is out of date."), 403), _("The page is out of date."), "warning")
        response.headers["HX-Refresh"] = "true"
        return response  # type: ignore[return-value]
    return render(request, "403_csrf.html", status=403)


def _short(text: str, status: int) -> HttpResponse:
    return HttpResponse(text, status=status, content_type="text/plain; charset=utf-8")
