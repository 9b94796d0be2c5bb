"""Trying an agent on its page: a form made from its contract, and its answer as it comes."""

from __future__ import annotations

import uuid
from typing import Any

from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods

from agents import access as registry
from agents import page
from agents.contracts import data_faults
from agents.models import Agent, AgentVersion
from orchestration import access
from orchestration.models import Run
from orchestration.queries import trials as queries
from orchestration.services import trials
from orchestration.views.starting import fits_a_form
from portal.core import htmx, reading, schema_forms
from portal.core.access import member
from portal.core.actors import Actor
from portal.core.errors import UserError
from portal.core.htmx import HtmxRequest
from portal.core.permissions import Permission

EARLIER = 12


@require_http_methods(["GET", "HEAD", "POST"])
@member(Permission.RUNS_START)
def agent(request: HtmxRequest, org: str, slug: str) -> HttpResponse:
    """GET: the form; `?run=` shows that trial's inputs and answer, `?version=` an earlier version. POST: start one."""
    found = registry.agent_for(request.organisation, slug)
    version = _version(found, request.GET.get("version", ""))
    shown = _trial(request, found, request.GET["run"]) if request.GET.get("run") else None
    if version is None:
        return render(request, "agents/try.html", {**page.head(request, found, "try"), "version": None})
    form = _form(request, version, shown)
    if request.method == "POST" and form.is_valid():
        try:
            run = trials.start_trial(
                agent=found,
                version=version,
                inputs=form.values(),
                actor=Actor.of(request),
                idempotency_key=_key(request),
            )
            return htmx.redirect(request, _address(request, found, version, run))
        except UserError as error:
            form.add_error(None, error.message)
    context = {
        **page.head(request, found, "try"),
        "version": version,
        "form": form,
        "form_key": uuid.uuid4().hex,
        "trial": queries.trial(shown) if shown else None,
        "earlier": queries.trials_of(request.organisation, found, request.user, EARLIER),
    }
    return render(request, "agents/try.html", context, status=422 if form.is_bound else 200)


@require_GET
@member(Permission.RUNS_START)
def answer(request: HtmxRequest, org: str, slug: str, run_id: uuid.UUID) -> HttpResponse:
    """The answer of one trial alone, for the page while it is under way."""
    found = registry.agent_for(request.organisation, slug)
    run = _trial(request, found, str(run_id))
    return render(request, "agents/_try_answer.html", {"agent": found, "trial": queries.trial(run), "alone": True})


def _version(found: Agent, number: str) -> AgentVersion | None:
    return registry.version_for(found, reading.number(number) or 0) if number else found.current


def _trial(request: HtmxRequest, found: Agent, run_id: str) -> Run:
    run = access.run_for(request.organisation, run_id)
    if not queries.is_trial_of(run, found):
        raise Http404("There is no such trial.")
    return run


def _form(request: HtmxRequest, version: AgentVersion, shown: Run | None) -> schema_forms.SchemaForm:
    if request.method == "POST":
        return schema_forms.form_for(version.input_schema, data=request.POST, files=request.FILES, check=data_faults)
    initial: dict[str, Any] = fits_a_form(shown) if shown else {}
    return schema_forms.form_for(version.input_schema, initial=initial)


def _key(request: HtmxRequest) -> str | None:
    """One form starts one trial, however often its button is pressed."""
    key = request.POST.get("form_key", "")
    return f"trial:{key}"[:200] if key else None


def _address(request: HtmxRequest, found: Agent, version: AgentVersion, run: Run) -> str:
    pinned = f"&version={version.number}" if version.pk != found.current_id else ""
    return f"{reverse('trials:agent', args=[request.organisation.slug, found.slug])}?run={run.pk}{pinned}#answer"
