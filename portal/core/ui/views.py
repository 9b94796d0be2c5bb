"""Views of the frame itself: the numbers of the navigation, and the gallery of components (debug only)."""

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from portal.core import access, shell
from portal.core.htmx import HtmxRequest, is_partial
from portal.core.ui import gallery


@require_GET
@access.member()
def nav_counts(request: HtmxRequest, org: str) -> JsonResponse:
    """{"inbox": int, "running": int, ...} of what the apps have registered. One query each."""
    return JsonResponse(dict(shell.Counts(request.user, request.organisation)))


@require_GET
def components(request: HttpRequest) -> HttpResponse:
    """All components with invented data. Its address exists in debug only."""
    template = "core/_gallery_results.html" if is_partial(request) else "core/gallery.html"
    return render(request, template, gallery.context(request.GET))
