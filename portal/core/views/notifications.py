"""What one has been told in an organisation."""

from uuid import UUID

from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from portal.core import access, htmx, queries
from portal.core.htmx import HtmxRequest
from portal.core.services import notifications

PAGE_SIZE = 30


@require_GET
@access.member()
def listing(request: HtmxRequest, org: str) -> HttpResponse:
    """The newest first; `?show=unread`. A partial request gets the list."""
    show = "unread" if request.GET.get("show") == "unread" else ""
    found = queries.notifications(request.user, request.organisation, unread=show == "unread")
    context = {
        "page": Paginator(found, PAGE_SIZE).get_page(request.GET.get("page")),
        "show": show,
        "all": not show,
        "unread": queries.unread_notifications(request.user, request.organisation),
    }
    template = "core/_notifications.html" if htmx.is_partial(request) else "core/notifications.html"
    return render(request, template, context)


@require_POST
@access.member()
def mark_read(request: HtmxRequest, org: str, notification_id: UUID) -> HttpResponse:
    """Mark one as read, and come back to where one was; with `follow` go where it leads."""
    notifications.mark_read(user=request.user, organisation=request.organisation, ids=[notification_id])
    found = queries.notifications(request.user, request.organisation).filter(pk=notification_id).first()
    if request.POST.get("follow") and found is not None and found.link:
        return htmx.redirect(request, found.link)
    return _back(request)


@require_POST
@access.member()
def mark_all_read(request: HtmxRequest, org: str) -> HttpResponse:
    notifications.mark_read(user=request.user, organisation=request.organisation)
    return _back(request)


def _back(request: HtmxRequest) -> HttpResponse:
    address = reverse("notifications:list", args=[request.organisation.slug])
    return htmx.redirect(request, f"{address}?show=unread" if request.POST.get("show") == "unread" else address)
