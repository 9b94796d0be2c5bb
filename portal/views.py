"""The pages that need every app: home and health; and the pages of refusal."""

from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from portal.core import access, context, health, htmx
from portal.home import home_page


@require_safe
@access.signed_in
def start(request: HttpRequest) -> HttpResponseBase:
    """To the home of the organisation last used; a page of its own for people who belong to none."""
    organisation = context.current(request)
    if organisation is None:
        return render(request, "core/no_organisation.html", status=403)
    return htmx.redirect(request, reverse("home", args=[organisation.slug]))


@require_safe
@access.member()
def home(request: htmx.HtmxRequest, org: str) -> HttpResponse:
    """One view for page and partial; live hints of runs and inbox ask for the partial."""
    template = "_home.html" if htmx.is_partial(request) else "home.html"
    return render(request, template, {"page": home_page(request.user, request.organisation)})


@never_cache
@require_safe
def live(request: HttpRequest) -> HttpResponse:
    """The process answers; nothing else is asked."""
    return JsonResponse({"status": "alive"})


@never_cache
@require_safe
def ready(request: HttpRequest) -> HttpResponse:
    """503 when something required is not there; every item with its truth and its latency."""
    items = health.report()
    body = health.as_json(items)
    return JsonResponse(body, status=503 if body["status"] == "unavailable" else 200)
