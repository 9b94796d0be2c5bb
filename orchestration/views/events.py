"""Pages of the event bus: what was published and what came of it, who waits, and publishing by hand."""

from __future__ import annotations

from uuid import UUID

from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods

from orchestration import access
from orchestration.forms.events import PublishForm
from orchestration.models import BusEvent
from orchestration.monitoring.queries import PERIOD_CHOICES, PERIODS
from orchestration.queries import events as queries
from orchestration.services import events as service
from portal.core import htmx
from portal.core.access import member
from portal.core.actors import Actor
from portal.core.errors import UserError
from portal.core.htmx import HtmxRequest
from portal.core.permissions import Permission

PAGE_SIZE = 50
WAITS_SHOWN = 12


@require_GET
@member(Permission.RUNS_VIEW)
def event_list(request: HtmxRequest, org: str) -> HttpResponse:
    """The list, by the filters in the address; a partial request gets the rows only."""
    source, period = request.GET.get("source", ""), request.GET.get("period", "")
    chosen = queries.EventFilter(
        name=request.GET.get("q", "").strip(),
        key=request.GET.get("key", "").strip(),
        source=source if source in BusEvent.Source.values else "",
        period=period if period in PERIODS else "",
    )
    context = {
        "page": Paginator(queries.events(request.organisation, chosen), PAGE_SIZE).get_page(request.GET.get("page")),
        "chosen": chosen,
        "sources": BusEvent.Source.choices,
        "periods": PERIOD_CHOICES,
        "waits": queries.waits(request.organisation, WAITS_SHOWN + 1),
        "waits_shown": WAITS_SHOWN,
        "filtered": bool(chosen.name or chosen.key or chosen.source or chosen.period),
    }
    return render(request, "events/_list.html" if htmx.is_partial(request) else "events/list.html", context)


@require_GET
@member(Permission.RUNS_VIEW)
def detail(request: HtmxRequest, org: str, event_id: UUID) -> HttpResponse:
    event = access.event_for(request.organisation, event_id)
    context = {"event": event, "deliveries": queries.deliveries(event), "fires": queries.fires(event)}
    return render(request, "events/detail.html", context)


@require_http_methods(["GET", "POST"])
@member(Permission.EVENTS_PUBLISH)
def publish(request: HtmxRequest, org: str) -> HttpResponse:
    """GET: the form, filled in by `?name=` and `?key=`. POST: publish, and show what came of it."""
    initial = {"name": request.GET.get("name", ""), "key": request.GET.get("key", ""), "content": {}}
    form = PublishForm(request.POST if request.method == "POST" else None, initial=initial)
    if form.is_bound and form.is_valid():
        try:
            published = service.publish(
                organisation=request.organisation,
                actor=Actor.of(request),
                source=BusEvent.Source.PERSON,
                name=form.cleaned_data["name"],
                key=form.cleaned_data["key"],
                data=form.cleaned_data["content"],
            )
            url = reverse("events:detail", args=[org, published.event.pk])
            return htmx.say_and_go(request, url, "Published.")
        except UserError as error:
            form.add_error(None, error.message)
    return render(request, "events/publish.html", {"form": form}, status=422 if form.is_bound else 200)
