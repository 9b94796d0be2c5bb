"""Pages of runs: the list, the live page of one, its event log, downloads and control."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any
from uuid import UUID

from django.core.paginator import Paginator
from django.http import Http404, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from orchestration import access
from orchestration.engine.statuses import RunStatus
from orchestration.models import Run, RunEvent
from orchestration.monitoring import downloads, large, queries, run_page, words
from orchestration.queries import workflows
from orchestration.queries.triggers import SOURCES
from orchestration.services import retrying, values
from orchestration.services import runs as service
from orchestration.views.values import streamed
from portal.core import htmx, reading
from portal.core.access import can, member
from portal.core.actors import Actor
from portal.core.errors import UserError
from portal.core.htmx import HtmxRequest
from portal.core.permissions import Permission

PAGE_SIZE = 50
EVENTS_PAGE = 200


@require_GET
@member(Permission.RUNS_VIEW)
def run_list(request: HtmxRequest, org: str) -> HttpResponse:
    """The list, by the filters in the address; a partial request gets the rows only."""
    chosen = queries.RunFilter(
        q=request.GET.get("q", "").strip(),
        status=_one_of(request.GET.get("status", ""), ("unfinished", *RunStatus)),
        workflow=request.GET.get("workflow", ""),
        period=_one_of(request.GET.get("period", ""), queries.PERIODS),
        source=_one_of(request.GET.get("source", ""), SOURCES),
        kind=_one_of(request.GET.get("kind", "workflow"), ("workflow", "any", "trial")) or "workflow",
        kept=_one_of(request.GET.get("kept", ""), ("rows", "archived", "held")),
    )
    page = Paginator(queries.runs(request.organisation, chosen), PAGE_SIZE).get_page(request.GET.get("page"))
    context = {
        "page": page,
        "chosen": chosen,
        "counts": queries.counts(request.organisation),
        "workflows": workflows.choices(request.organisation),
        "status_options": [("unfinished", "Under way"), *((s.value, s.value.capitalize()) for s in RunStatus)],
        "period_options": queries.PERIOD_CHOICES,
        "kind_options": [("workflow", "Workflows"), ("any", "With subworkflows"), ("trial", "Trials of agents")],
        "source_options": list(SOURCES.items()),
        "kept_options": [("rows", "Not archived"), ("archived", "Archived"), ("held", "On legal hold")],
        "filtered": bool(chosen.q or chosen.status or chosen.workflow or chosen.period or chosen.source or chosen.kept),
    }
    return render(request, "runs/_list.html" if htmx.is_partial(request) else "runs/list.html", context)


@require_GET
@member(Permission.RUNS_VIEW)
def detail(request: HtmxRequest, org: str, run_id: UUID) -> HttpResponse:
    """The live page. `?step=` and `?path=` open a step; a partial request gets the part that is live."""
    run = access.run_for(request.organisation, run_id)
    page = run_page.build(
        run,
        step=request.GET.get("step", ""),
        path=request.GET.get("path", ""),
        iterations_page=request.GET.get("iterations", "1"),
        may_control=can(request.user, request.organisation, Permission.RUNS_CONTROL),
        may_start=can(request.user, request.organisation, Permission.RUNS_START),
        may_hold=can(request.user, request.organisation, Permission.RETENTION_MANAGE),
    )
    template = "runs/_live.html" if htmx.is_partial(request) else "runs/detail.html"
    return render(request, template, {"run": run, "page": page})


@require_GET
@member(Permission.RUNS_VIEW)
def events(request: HtmxRequest, org: str, run_id: UUID) -> HttpResponse:
    """The run's numbered log, newest last, from `?after=`."""
    run = access.run_for(request.organisation, run_id)
    after = _whole_number(request.GET.get("after", "0"))
    rows = queries.events(run, after=after, limit=EVENTS_PAGE + 1)
    shown = rows[:EVENTS_PAGE]
    context = {
        "run": run,
        "events": _told(run, shown),
        "more": len(rows) > EVENTS_PAGE,
        "after": after,
        "last_seq": shown[-1].seq if shown else after,
    }
    return render(request, "runs/_events.html" if htmx.is_partial(request) else "runs/events.html", context)


@require_GET
@member(Permission.RUNS_VIEW)
def download(request: HtmxRequest, org: str, run_id: UUID, name: str) -> HttpResponseBase:
    """One output as a file, or all of them as `all.json`. Always an attachment: outputs are other people's text."""
    run = access.run_for(request.organisation, run_id)
    file = downloads.output_file(run, name)
    if file is None:
        raise Http404("The run has no such output.")
    return streamed(file)


@require_GET
@member(Permission.RUNS_VIEW)
def value(request: HtmxRequest, org: str, run_id: UUID, digest: str) -> HttpResponseBase:
    """A large value that the run names, as a file."""
    file = values.download(access.run_for(request.organisation, run_id), digest)
    if file is None:
        raise Http404("The run has no such value.")
    return streamed(file)


@require_POST
@member(Permission.RUNS_CONTROL)
def cancel(request: HtmxRequest, org: str, run_id: UUID) -> HttpResponse:
    if request.POST.get("undo"):
        ask = partial(service.cancel_run, undo=True)
        return _control(request, run_id, ask, "Cancelling. What is under way is stopped, then what was done is undone.")
    return _control(request, run_id, service.cancel_run, "Cancelling. What is under way is being stopped.")


@require_POST
@member(Permission.RUNS_CONTROL)
def pause(request: HtmxRequest, org: str, run_id: UUID) -> HttpResponse:
    return _control(request, run_id, service.pause_run, "Paused. Steps under way finish, no new one starts.")


@require_POST
@member(Permission.RUNS_CONTROL)
def resume(request: HtmxRequest, org: str, run_id: UUID) -> HttpResponse:
    return _control(request, run_id, service.resume_run, "Resumed.")


@require_GET
@member(Permission.RUNS_CONTROL)
def retry_plan(request: HtmxRequest, org: str, run_id: UUID) -> HttpResponse:
    """What a retry would reuse and do again; the form on it posts to `retry`."""
    run = access.run_for(request.organisation, run_id)
    run_url = reverse("runs:detail", args=[request.organisation.slug, run_id])
    try:
        plan = retrying.retry_plan(run)
    except UserError as error:
        return htmx.say_and_go(request, run_url, error.message, "error")
    return render(request, "runs/retry.html", {"run": run, "run_url": run_url, "plan": plan})


@require_POST
@member(Permission.RUNS_CONTROL)
def retry(request: HtmxRequest, org: str, run_id: UUID) -> HttpResponse:
    return _control(request, run_id, service.retry_run, "Goes on from what failed; finished steps are kept.")


def _told(run: Run, events: Sequence[RunEvent]) -> list[dict[str, Any]]:
    """[{"event", "told", "name"}] with large data by its beginning. `name` is that of the step."""
    names = words.names_of(run.definition.body)
    rows = large.shown_events(run, events)
    return [
        {"event": row, "told": words.told(row.type, row.data, names), "name": names.get(row.node, row.node)}
        for row in rows
    ]


def _control(request: HtmxRequest, run_id: UUID, act: Callable[..., Run], said: str) -> HttpResponse:
    """Do it and come back to the page; a refusal is said in words and changes nothing."""
    run = access.run_for(request.organisation, run_id)
    run_url = reverse("runs:detail", args=[request.organisation.slug, run_id])
    try:
        act(run=run, actor=Actor.of(request))
    except UserError as error:
        return htmx.say_and_go(request, run_url, error.message, "error")
    return htmx.say_and_go(request, run_url, said)


def _one_of(value: str, known: Any) -> str:
    return value if value in known else ""


def _whole_number(text: str) -> int:
    return reading.number(text) or 0
