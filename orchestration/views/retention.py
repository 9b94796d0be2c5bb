"""How long runs are kept: the organisation's policy, and legal holds of runs and workflows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST

from orchestration import access
from orchestration.forms.retention import PolicyForm
from orchestration.models import LegalHold, Run, Workflow
from orchestration.queries import retention as queries
from orchestration.retention.rules import Rule, saved
from orchestration.services import holds
from orchestration.services import retention as service
from portal.core import htmx
from portal.core.access import member
from portal.core.actors import Actor
from portal.core.errors import UserError
from portal.core.htmx import HtmxRequest
from portal.core.permissions import Permission


@require_http_methods(["GET", "POST"])
@member(Permission.RETENTION_MANAGE)
def policy(request: HtmxRequest, org: str) -> HttpResponse:
    """The policy, what it would do now, and the holds that stand."""
    rules = saved(request.organisation)
    form = PolicyForm(request.organisation, data=request.POST or None, rules=rules)
    if request.method == "POST":
        wanted = _checked(request, form)
        if wanted is not None:
            service.set_policy(organisation=request.organisation, rules=wanted, actor=Actor.of(request))
            address = reverse("retention:policy", args=[request.organisation.slug])
            return htmx.say_and_go(request, address, "Saved. It is carried out within a quarter of an hour.")
    context = {
        "form": form,
        "holds": queries.standing(request.organisation),
        **_preview(request, form, rules if not form.is_bound else None),
    }
    return render(request, "retention/policy.html", context, status=422 if form.is_bound else 200)


@require_POST
@member(Permission.RETENTION_MANAGE)
def preview(request: HtmxRequest, org: str) -> HttpResponse:
    """What the form as it stands would do now; nothing is saved."""
    form = PolicyForm(request.organisation, data=request.POST)
    return render(request, "retention/_preview.html", _preview(request, form, _checked(request, form)))


def _checked(request: HtmxRequest, form: PolicyForm) -> list[Rule] | None:
    """The form's rules; None, with the form saying why, when they are not right."""
    if not form.is_valid():
        return None
    try:
        service.check(request.organisation, form.rules())
    except service.InvalidPolicy as error:
        form.show(error)
        return None
    return form.rules()


def _preview(request: HtmxRequest, form: PolicyForm, rules: Sequence[Rule] | None) -> dict[str, Any]:
    """rules None: the form is wrong, and says how."""
    if rules is None:
        wrong = [(form.fields[name].label, error) for name, errors in form.errors.items() for error in errors]
        return {"preview": None, "faults": [f"{label}: {error}" for label, error in wrong]}
    return {
        "preview": queries.preview(request.organisation, rules),
        "rules": rules,
    }


@require_http_methods(["GET", "POST"])
@member(Permission.RETENTION_MANAGE)
def hold_run(request: HtmxRequest, org: str, run_id: UUID) -> HttpResponse:
    """Put the run on hold, or lift its hold."""
    run = access.run_for(request.organisation, run_id)
    standing = queries.holds_of_run(run)
    own = next((hold for hold in standing if hold.run_id == run.pk), None)
    back = reverse("runs:detail", args=[request.organisation.slug, run.pk])
    others = [hold for hold in standing if hold is not own]
    context = {"name": run.name, "what": "run", "run": run, "others": others}
    return _hold(request, run, own, back, context)


@require_http_methods(["GET", "POST"])
@member(Permission.RETENTION_MANAGE)
def hold_workflow(request: HtmxRequest, org: str, slug: str) -> HttpResponse:
    """Put all runs of the workflow on hold, or lift that."""
    workflow = access.workflow_for(request.organisation, slug)
    own = queries.hold_of_workflow(workflow)
    back = reverse("workflows:detail", args=[request.organisation.slug, workflow.slug])
    context = {"name": workflow.name, "what": "workflow", "workflow": workflow}
    return _hold(request, workflow, own, back, context)


def _hold(
    request: HtmxRequest, target: Run | Workflow, own: LegalHold | None, back: str, context: dict[str, Any]
) -> HttpResponse:
    """GET: what stands, and the form. POST: do the other. `lift` says what the person saw, so that two who click at
    once do not undo each other.
    """
    error: UserError | None = None
    if request.method == "POST":
        try:
            if bool(request.POST.get("lift")) != bool(own):
                raise holds.AlreadyHeld(own) if own else holds.NotHeld
            act = holds.lift if own else holds.hold
            act(target, actor=Actor.of(request), reason=request.POST.get("reason", ""))
            return htmx.say_and_go(request, back, "The hold is lifted." if own else "On legal hold.")
        except UserError as refusal:
            error = refusal
    said = {"hold": own, "error": error, "reason": request.POST.get("reason", ""), "back": back}
    return render(request, "retention/hold.html", {**context, **said}, status=error.status if error else 200)
