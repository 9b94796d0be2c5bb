"""Pages of a workflow's triggers: the list, one with its history and its test, making and changing them."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.core.paginator import Paginator
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from orchestration import access
from orchestration.forms.triggers import FORMS, SampleForm, TriggerForm, WebhookForm
from orchestration.models import Trigger, TriggerFire, Workflow
from orchestration.queries import triggers as queries
from orchestration.services import triggers as service
from orchestration.triggers import templates
from portal.core import htmx
from portal.core.access import member, require
from portal.core.actors import Actor
from portal.core.errors import UserError
from portal.core.htmx import HtmxRequest
from portal.core.permissions import Permission

PAGE_SIZE = 25
_EXAMPLE = """\
SECRET='...'
BODY='{{"order": "7"}}'
TIME=$(date +%s)
SIGNATURE=$(printf '%s.%s' "$TIME" "$BODY" | openssl dgst -sha256 -hmac "$SECRET" -r | cut -d' ' -f1)
curl -X POST '{address}' \\
  -H 'Content-Type: application/json' \\
  -H "X-Ensemble-Timestamp: $TIME" \\
  -H "X-Ensemble-Signature: sha256=$SIGNATURE" \\
  -d "$BODY"
"""


@require_GET
@member(Permission.WORKFLOWS_VIEW)
def trigger_list(request: HtmxRequest, org: str, slug: str) -> HttpResponse:
    """The workflow's triggers, and how its runs were started lately."""
    workflow = access.workflow_for(request.organisation, slug)
    context = {
        "workflow": workflow,
        "triggers": queries.triggers(request.organisation, workflow),
        "sources": queries.sources(workflow),
        "kinds": Trigger.Kind.choices,
    }
    return render(request, "triggers/_list.html" if htmx.is_partial(request) else "triggers/list.html", context)


@require_http_methods(["GET", "POST"])
@member(Permission.WORKFLOWS_PUBLISH)
def new(request: HtmxRequest, org: str, slug: str, kind: str) -> HttpResponse:
    """The form of a kind (cron, webhook, event). A webhook's secret is shown by the answer, this once."""
    workflow = access.workflow_for(request.organisation, slug)
    if kind not in FORMS:
        raise Http404("There is no such kind of trigger.")
    posted = request.POST if request.method == "POST" else None
    first = {"inputs": templates.skeleton(kind, service.schema_of(workflow, None))}
    form = FORMS[kind](posted, workflow=workflow, initial=first)
    if form.is_bound and form.is_valid():
        try:
            made = service.create_trigger(
                workflow=workflow,
                kind=kind,
                wanted=form.wanted(),
                actor=Actor.of(request),
                secret=form.cleaned_data.get("secret", ""),
            )
            if made.secret:
                # no redirect: a secret that is shown once must not wait anywhere for the next page
                return _detail(request, made.trigger, secret=made.secret)
            return htmx.say_and_go(request, _url(made.trigger), f"“{made.trigger.name}” is switched on.")
        except UserError as error:
            _show(form, error)
    return _form_page(request, workflow, kind, form)


@require_http_methods(["GET", "POST"])
@member(Permission.WORKFLOWS_PUBLISH)
def edit(request: HtmxRequest, org: str, slug: str, trigger_id: UUID) -> HttpResponse:
    """The form with the trigger as it is; saving says every fault at its field."""
    trigger = _trigger(request, slug, trigger_id)
    more: dict[str, Any] = {"changing": True} if trigger.kind == Trigger.Kind.WEBHOOK else {}
    now = {
        **trigger.settings,
        "name": trigger.name,
        "inputs": trigger.inputs,
        "version": trigger.version.number if trigger.version else "",
        "priority": trigger.priority,
        "most_unfinished": trigger.most_unfinished,
    }
    posted = request.POST if request.method == "POST" else None
    form = FORMS[trigger.kind](posted, workflow=trigger.workflow, initial=now, **more)
    if form.is_bound and form.is_valid():
        try:
            changed = service.change_trigger(trigger=trigger, wanted=form.wanted(), actor=Actor.of(request))
            return htmx.say_and_go(request, _url(changed), "Saved.")
        except UserError as error:
            _show(form, error)
    return _form_page(request, trigger.workflow, trigger.kind, form, trigger)


@require_GET
@member(Permission.WORKFLOWS_VIEW)
def detail(request: HtmxRequest, org: str, slug: str, trigger_id: UUID) -> HttpResponse:
    """`?outcome=` narrows the history; a partial request gets the history alone."""
    return _detail(request, _trigger(request, slug, trigger_id))


@require_POST
@member(Permission.WORKFLOWS_PUBLISH)
def switch(request: HtmxRequest, org: str, slug: str, trigger_id: UUID) -> HttpResponse:
    """`enabled` is on or off."""
    trigger = _trigger(request, slug, trigger_id)
    enabled = request.POST.get("enabled") == "on"
    service.set_enabled(trigger=trigger, enabled=enabled, actor=Actor.of(request))
    return htmx.say_and_go(request, _url(trigger), "Switched on." if enabled else "Switched off. It starts nothing.")


@require_POST
@member(Permission.WORKFLOWS_PUBLISH)
def rotate(request: HtmxRequest, org: str, slug: str, trigger_id: UUID) -> HttpResponse:
    trigger = _trigger(request, slug, trigger_id)
    try:
        made = service.rotate_secret(trigger=trigger, actor=Actor.of(request), seen=request.POST.get("seen", ""))
    except UserError as error:
        return htmx.say_and_go(request, _url(trigger), error.message, "error")
    return _detail(request, made.trigger, secret=made.secret)


@require_POST
@member(Permission.WORKFLOWS_PUBLISH)
def delete(request: HtmxRequest, org: str, slug: str, trigger_id: UUID) -> HttpResponse:
    trigger = _trigger(request, slug, trigger_id)
    service.delete_trigger(trigger=trigger, actor=Actor.of(request))
    url = reverse("workflows:triggers", args=[org, slug])
    return htmx.say_and_go(request, url, f"“{trigger.name}” has been deleted. Its runs stay.")


@require_http_methods(["GET", "HEAD", "POST"])
@member(Permission.WORKFLOWS_PUBLISH)
def test(request: HtmxRequest, org: str, slug: str, trigger_id: UUID) -> HttpResponse:
    """`action=dry` shows what the inputs would be; `action=run` starts a real run, marked as a test.

    Its address stays in the address bar, so whoever comes back to it is led to the trigger.
    """
    trigger = _trigger(request, slug, trigger_id)
    if request.method != "POST":
        return redirect(reverse("workflows:trigger", args=[org, slug, trigger.pk]))
    form = SampleForm(request.POST, kind=trigger.kind)
    if not form.is_valid():
        return _detail(request, trigger, form=form, status=422)
    if request.POST.get("action") != "run":
        return _detail(request, trigger, form=form, rehearsal=service.rehearse(trigger, form.names()))
    require(request, request.organisation, Permission.RUNS_START)
    fired = service.test_run(trigger=trigger, sample=form.names(), actor=Actor.of(request))
    if fired.run_id is None:
        return _detail(request, trigger, form=form, failed=fired, status=422)
    return htmx.say_and_go(request, reverse("runs:detail", args=[org, fired.run_id]), "This run is a test.")


def _detail(
    request: HtmxRequest,
    trigger: Trigger,
    *,
    form: SampleForm | None = None,
    status: int = 200,
    **more: Any,
) -> HttpResponse:
    outcome = request.GET.get("outcome", "")
    outcome = outcome if outcome in TriggerFire.Outcome.values else ""
    context = {
        "workflow": trigger.workflow,
        "trigger": trigger,
        "page": Paginator(queries.fires(trigger, outcome), PAGE_SIZE).get_page(request.GET.get("page")),
        "outcome": outcome,
        "outcomes": TriggerFire.Outcome.choices,
        "next_times": queries.next_times(trigger),
        "address": (address := _address(request, trigger)),
        "example": _EXAMPLE.format(address=address),
        "secret_mark": service.secret_mark(trigger) if trigger.kind == Trigger.Kind.WEBHOOK else "",
        "form": form or SampleForm(kind=trigger.kind, initial={"sample": _sample(trigger)}),
        **more,
    }
    template = "triggers/_history.html" if htmx.is_partial(request) else "triggers/detail.html"
    return render(request, template, context, status=status)


_BLANK: dict[str, Any] = {"number": 0, "integer": 0, "boolean": False, "array": [], "object": {}}


def _sample(trigger: Trigger) -> dict[str, Any]:
    """Something to begin with: the fields the inputs take from what comes, as empty as the workflow lets them be."""
    root = "body." if trigger.kind == Trigger.Kind.WEBHOOK else "event.data."
    declared = service.schema_of(trigger.workflow, trigger.version).get("properties") or {}
    found: dict[str, Any] = {}
    for given, text in trigger.inputs.items():
        name = text[2:-2].strip().removeprefix(root) if isinstance(text, str) else ""
        if name.isidentifier():
            kind = declared.get(given, {}).get("type") if isinstance(declared.get(given), dict) else None
            found[name] = _BLANK.get(kind, "") if isinstance(kind, str) else ""
    return found


def _address(request: HtmxRequest, trigger: Trigger) -> str:
    if not trigger.path or not access.may_manage_triggers(request):
        return ""
    return request.build_absolute_uri(reverse("hook", args=[trigger.organisation.slug, trigger.path]))


def _show(form: TriggerForm, error: UserError) -> None:
    if isinstance(error, service.InvalidTrigger):
        form.show(error)
    else:
        form.add_error("name" if isinstance(error, service.TriggerNameTaken) else None, error.message)


def _form_page(
    request: HtmxRequest, workflow: Workflow, kind: str, form: TriggerForm, trigger: Trigger | None = None
) -> HttpResponse:
    context = {
        "workflow": workflow,
        "trigger": trigger,
        "kind": kind,
        "kind_label": Trigger.Kind(kind).label,
        "form": form,
        "is_webhook": isinstance(form, WebhookForm),
        "schema": service.schema_of(workflow, trigger.version if trigger else None),
    }
    return render(request, "triggers/form.html", context, status=422 if form.is_bound else 200)


def _trigger(request: HtmxRequest, slug: str, trigger_id: UUID) -> Trigger:
    """Raises Http404, also for a trigger of another workflow."""
    trigger = access.trigger_for(request.organisation, trigger_id)
    if trigger.workflow.slug != slug:
        raise Http404("There is no such trigger.")
    return trigger


def _url(trigger: Trigger) -> str:
    return reverse("workflows:trigger", args=[trigger.organisation.slug, trigger.workflow.slug, trigger.pk])
