"""What those who manage agents do on its pages; everything else is edited in the admin."""

from typing import Any

from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from agents import access, services
from agents.forms import ImportForm, StatusForm
from agents.models import Agent
from agents.services import InvalidAgent, Published
from portal.core import htmx
from portal.core.access import member
from portal.core.actors import Actor
from portal.core.errors import UserError
from portal.core.htmx import HtmxRequest
from portal.core.permissions import Permission


@require_POST
@member(Permission.AGENTS_MANAGE)
def set_status(request: HtmxRequest, org: str, slug: str) -> HttpResponse:
    """Activate, deprecate (with or without a replacement), or take offline."""
    agent = access.agent_for(request.organisation, slug)
    form = StatusForm(request.POST, agent=agent)
    if not form.is_valid():
        return _back(request, agent, " ".join(str(text) for texts in form.errors.values() for text in texts), "error")
    wanted = form.cleaned_data
    try:
        agent = services.set_status(
            agent=agent, status=wanted["status"], replaced_by=wanted["replaced_by"], actor=Actor.of(request)
        )
    except UserError as error:
        return _back(request, agent, error.message, "error")
    return _back(
        request,
        agent,
        _("“%(name)s” is now %(status)s.") % {"name": agent, "status": agent.get_status_display().lower()},
    )


@require_POST
@member(Permission.AGENTS_MANAGE)
def restore(request: HtmxRequest, org: str, slug: str, number: int) -> HttpResponse:
    """Publish an earlier version again, as a new one."""
    agent = access.agent_for(request.organisation, slug)
    try:
        published = services.restore_version(version=access.version_for(agent, number), actor=Actor.of(request))
    except UserError as error:
        return _back(request, agent, error.message, "error")
    if not published.created:
        return _back(
            request,
            agent,
            _("Version %(number)d is the current one already.") % {"number": published.version.number},
            "info",
        )
    said = _("Version %(new)d says again what version %(old)d said.") % {"new": published.version.number, "old": number}
    return _back(request, agent, said)


@require_http_methods(["GET", "HEAD", "POST"])
@member(Permission.AGENTS_MANAGE)
def import_agent(request: HtmxRequest, org: str) -> HttpResponse:
    """All of the document's agents are taken, or none."""
    form = ImportForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        documents: list[Any] = form.cleaned_data["document"]
        try:
            with transaction.atomic():
                done = [
                    services.import_agent(organisation=request.organisation, data=one, actor=Actor.of(request))
                    for one in documents
                ]
            return _imported(request, done)
        except InvalidAgent as error:
            form.add_error("document", [str(fault) for fault in error.faults])
        except UserError as error:
            form.add_error("document", error.message)
    status = 422 if form.is_bound else 200
    return render(request, "agents/import.html", {"form": form}, status=status)


def _imported(request: HtmxRequest, done: list[Published]) -> HttpResponse:
    names = ", ".join(str(one.version.agent) for one in done[:5])
    breaking = sum(len(one.breaking) for one in done)
    said = _("Imported: %(names)s.") % {"names": names}
    if breaking:
        said += " " + _("%(count)d changes of contracts may break workflows; see the versions.") % {"count": breaking}
    slug = request.organisation.slug
    only = len(done) == 1
    url = (
        reverse("agents:detail", args=[slug, done[0].version.agent.slug])
        if only
        else reverse("agents:list", args=[slug])
    )
    return htmx.say_and_go(request, url, said, "warning" if breaking else "success")


def _back(request: HtmxRequest, agent: Agent, said: str, level: htmx.Level = "success") -> HttpResponse:
    return htmx.say_and_go(request, reverse("agents:detail", args=[request.organisation.slug, agent.slug]), said, level)
