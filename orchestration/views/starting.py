"""The start form of a workflow, made from its inputs."""

from __future__ import annotations

import uuid
from contextlib import suppress
from typing import Any

from django import forms
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from agents.contracts import data_faults
from orchestration import access
from orchestration.models import Run
from orchestration.queries import workflows as queries
from orchestration.services import starting, values
from orchestration.values.references import is_reference
from portal.core import htmx, reading, schema_forms
from portal.core.access import member
from portal.core.actors import Actor
from portal.core.errors import UserError
from portal.core.htmx import HtmxRequest
from portal.core.permissions import Permission

MOST_IN_A_FIELD = 1024 * 1024


class AdvancedForm(forms.Form):
    """What every workflow takes besides its inputs."""

    priority = forms.IntegerField(
        min_value=1, max_value=10, initial=5, required=False, help_text="10 is served first, 1 last."
    )


@require_http_methods(["GET", "POST"])
@member(Permission.RUNS_START)
def start(request: HtmxRequest, org: str, slug: str) -> HttpResponse:
    """GET: the form, filled in by `?from=<run>` or `?example=<number>`. POST: start."""
    workflow = access.workflow_for(request.organisation, slug)
    version = queries.newest(workflow)
    if version is None or workflow.archived_at is not None:
        return render(request, "workflows/not_published.html", {"workflow": workflow}, status=409)
    schema: dict[str, Any] = version.body.get("inputs") or {"type": "object"}
    examples = [example for example in schema.get("examples", []) if isinstance(example, dict)]
    if request.method == "POST":
        form = schema_forms.form_for(schema, data=request.POST, files=request.FILES, check=data_faults)
        advanced = AdvancedForm(request.POST)
        if form.is_valid() and advanced.is_valid():
            try:
                run, _ = starting.start_workflow(
                    workflow=workflow,
                    inputs=form.values(),
                    actor=Actor.of(request),
                    source="web",
                    idempotency_key=_form_key(request),
                    priority=advanced.cleaned_data["priority"] or 5,
                )
                return htmx.redirect(request, reverse("runs:detail", args=[org, run.pk]))
            except UserError as error:
                form.add_error(None, error.message)
    else:
        form = schema_forms.form_for(schema, initial=_initial(request, workflow.pk, examples))
        advanced = AdvancedForm()
    context = {
        "workflow": workflow,
        "version": version,
        "form": form,
        "advanced": advanced,
        "examples": range(len(examples)),
        "form_key": request.POST.get("form_key") or uuid.uuid4().hex,
    }
    return render(request, "workflows/start.html", context, status=422 if form.is_bound else 200)


def _form_key(request: HtmxRequest) -> str | None:
    """One form starts one run, however often its button is pressed or the page is sent again."""
    key = request.POST.get("form_key", "")
    return f"form:{key}"[:200] if key else None


def _initial(request: HtmxRequest, workflow_id: Any, examples: list[dict[str, Any]]) -> dict[str, Any]:
    chosen = request.GET.get("example", "")
    if (number := reading.number(chosen)) is not None and number < len(examples):
        return examples[number]
    if "from" in request.GET:
        run = access.run_for(request.organisation, request.GET["from"])
        return fits_a_form(run) if run.workflow_id == workflow_id else {}
    return {}


def fits_a_form(run: Run) -> dict[str, Any]:
    """Its inputs without those that are too large for a form: these are to be given anew."""
    found: dict[str, Any] = {}
    for name, kept in () if is_reference(run.inputs) else run.inputs.items():
        with suppress(values.TooLarge):
            found[name] = values.whole_of(run.organisation_id, kept, most_bytes=MOST_IN_A_FIELD)
    return found
