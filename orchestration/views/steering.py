"""Pages on which people steer a run: what would happen is shown first, then a POST does it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from agents.contracts import data_faults
from orchestration import access
from orchestration.engine.ids import path_of
from orchestration.engine.moving import people_left_out
from orchestration.engine.reuse import is_aside
from orchestration.models import Run, WorkflowVersion
from orchestration.nodes.base import node_type
from orchestration.queries.state import asks_a_person, folded, graph
from orchestration.services import escalations, new_runs, rerun, values
from orchestration.services.steering.refusals import InvalidOutcome
from orchestration.services.steering.steps import override_step, retry_step_now, skip_step, step_choices
from orchestration.services.steering.variables import change_variables
from orchestration.services.steering.versions import move_run, plan_move
from portal.core import htmx, reading, schema_forms
from portal.core.access import member, require
from portal.core.actors import Actor
from portal.core.errors import UserError
from portal.core.htmx import HtmxRequest
from portal.core.permissions import Permission

LONGEST_TEXT = 256 * 1024
"""Characters of JSON that a page shows for editing; more is edited by API."""
ACTS = {"skip": "Skip", "override": "Override", "retry-now": "Try again now"}


class WrongFields(UserError):
    """`fields`: {name of a field: [what is wrong with it]}."""

    status = 422

    def __init__(self, fields: dict[str, list[str]]) -> None:
        super().__init__("Mend what is marked below.", code="wrong_fields")
        self.fields = fields


@require_http_methods(["GET", "POST"])
@member(Permission.RUNS_CONTROL)
def step(request: HtmxRequest, org: str, run_id: UUID, node: str, act: str) -> HttpResponse:
    """`?path=` names an iteration. GET: what it would mean, and the form. POST: do it."""
    run = access.run_for(request.organisation, run_id)
    if act not in ACTS:
        raise Http404("There is no such act.")
    path, state = _path(request), folded(run).state
    spec = state.graph.nodes.get(node)
    if spec is None:
        raise Http404("The run has no such step.")
    posted, error = request.POST, None
    if request.method == "POST":
        try:
            _do(request, run, node, path_of(path), act)
            return htmx.say_and_go(request, _run_url(run, node, path), _SAID[act].format(spec.name))
        except UserError as refusal:
            error = refusal
    node_run = state.node((node, path_of(path)))
    possible = act.replace("-", "_") in step_choices(state, node, path_of(path))
    known = node_run.outputs
    if known is None and act == "override":
        known = escalations.shape(run=run, node=node).example
    context = {
        "run": run,
        "spec": spec,
        "path": path,
        "act": act,
        "title": ACTS[act],
        "status": str(node_run.status),
        "possible": possible,
        "ports": list(node_type(spec.type).ports(spec.settings)),
        "outputs": posted.get("outputs") or json.dumps(known, indent=2, ensure_ascii=False),
        "port": posted.get("port", "out"),
        "reason": posted.get("reason", ""),
        "error": None if isinstance(error, WrongFields) else error,
        "wrong": _wrong(error, "outputs"),
        "run_url": _run_url(run, node, path),
    }
    return render(request, "runs/steer_step.html", context, status=error.status if error else 200)


_SAID = {
    "skip": "“{}” is being skipped; the run goes on behind it.",
    "override": "“{}” has what you said; the run goes on behind it.",
    "retry-now": "“{}” is tried again now.",
}


def _do(request: HtmxRequest, run: Run, node: str, path: tuple[int, ...], act: str) -> None:
    said: dict[str, Any] = {"actor": Actor.of(request), "reason": request.POST.get("reason", "")[:500]}
    match act:
        case "skip":
            skip_step(run=run, node=node, path=path, **said)
        case "override":
            outputs = _json(request, "outputs")
            port = request.POST.get("port") or "out"
            override_step(run=run, node=node, path=path, outputs=outputs, port=port, **said)
        case _:
            retry_step_now(run=run, node=node, path=path, **said)


@require_http_methods(["GET", "POST"])
@member(Permission.RUNS_CONTROL)
def variables(request: HtmxRequest, org: str, run_id: UUID) -> HttpResponse:
    """The run's variables as they are now; POST sets those that were changed."""
    run = access.run_for(request.organisation, run_id)
    declared = run.definition.body.get("variables") or {}
    schema = {"type": "object", "properties": declared}
    now = {name: folded(run).state.variables.get(name) for name in declared}
    error = None
    if request.method == "POST":
        form = schema_forms.form_for(schema, data=request.POST, files=request.FILES, check=data_faults)
        if form.is_valid():
            given = form.values()
            try:
                seen = _seen(request)
                changed = {name: given.get(name) for name in declared if given.get(name) != seen.get(name)}
                reason = request.POST.get("reason", "")[:500]
                change_variables(run=run, values=changed, seen=seen, actor=Actor.of(request), reason=reason)
                return htmx.say_and_go(request, _run_url(run), "The variables are being changed.")
            except InvalidOutcome as wrong:
                form.show(wrong.problems)
            except UserError as refusal:
                error = refusal
    else:
        known = values.whole_of(run.organisation_id, now)
        form = schema_forms.form_for(
            schema, initial={name: value for name, value in known.items() if value is not None}
        )
    context = {
        "run": run,
        "form": form,
        "seen": json.dumps(now),
        "declared": declared,
        "error": error,
        "reason": request.POST.get("reason", ""),
    }
    status = error.status if error else 422 if form.errors else 200
    return render(request, "runs/variables.html", context, status=status)


@require_http_methods(["GET", "POST"])
@member(Permission.RUNS_CONTROL)
def move(request: HtmxRequest, org: str, run_id: UUID) -> HttpResponse:
    """The dry run of moving to `?version=` (the published one if left out); POST moves."""
    run = access.run_for(request.organisation, run_id)
    if run.workflow is None:
        raise Http404("This run belongs to no workflow.")
    version = _version(run, request.POST.get("version") or request.GET.get("version", ""))
    error = None
    if request.method == "POST":
        try:
            reason = request.POST.get("reason", "")[:500]
            move_run(run=run, version=version, actor=Actor.of(request), reason=reason)
            return htmx.say_and_go(request, _run_url(run), f"The run goes on with version {version.number}.")
        except UserError as refusal:
            error = refusal
    state, plan = plan_move(run=run, version=version)
    other = graph(version.definition_id)
    context = {
        "run": run,
        "version": version,
        "versions": run.workflow.versions.exclude(definition=run.definition_id).order_by("-number"),
        "plan": plan,
        "finished": _named(state.graph.nodes, plan.finished),
        "under_way": _named(state.graph.nodes, plan.under_way),
        "vanishing": _named(state.graph.nodes, plan.vanishing),
        "new": [other.nodes[node] for node in plan.new],
        "changed": [state.graph.nodes[node] for node in plan.changed],
        "not_asked": [state.graph.nodes[node] for node in people_left_out(state, other, asks_a_person(state.graph))],
        "same": version.definition_id == run.definition_id,
        "error": error,
        "reason": request.POST.get("reason", ""),
        "run_url": _run_url(run),
    }
    return render(request, "runs/move.html", context, status=error.status if error else 200)


@require_http_methods(["GET", "POST"])
@member(Permission.RUNS_CONTROL)
def rerun_from(request: HtmxRequest, org: str, run_id: UUID) -> HttpResponse:
    """GET `?node=`: the plan. POST `action=plan`: with edits; `action=start`: start what the shown plan says."""
    require(request, request.organisation, Permission.RUNS_START)
    run = access.run_for(request.organisation, run_id)
    given = request.POST if request.method == "POST" else request.GET
    error: UserError | None = None
    prepared: rerun.Prepared | None = None
    wish = rerun.Wish(nodes=given.getlist("node"))
    try:
        wish = _wish(request, run, given)
        if wish.nodes:
            prepared = rerun.plan_of(run=run, wish=wish)
        if prepared and request.method == "POST" and request.POST.get("action") == "start":
            made = rerun.rerun_from(
                run=run,
                wish=wish,
                digest=request.POST.get("plan", ""),
                actor=Actor.of(request),
                source="web",
                reason=request.POST.get("reason", "")[:500],
            )
            return htmx.say_and_go(request, _run_url(made), "The re-run has started.")
    except rerun.PlanChanged as changed:
        error, prepared = changed, changed.prepared
    except UserError as refusal:
        error = refusal
    flow = graph(run.definition_id)
    context = {
        "run": run,
        "run_url": _run_url(run),
        "nodes": [raw for raw in run.definition.body["nodes"] if not is_aside(flow, raw["id"])],
        "chosen": list(wish.nodes),
        "newest": _newest(run),
        "version": given.get("version", ""),
        "prepared": prepared,
        "why_words": rerun.WHY_WORDS,
        "inputs": given.get("inputs") or _as_text(run, run.inputs),
        "outputs": given.get("outputs", ""),
        "variables": given.get("variables", ""),
        "edited": any(given.get(name) for name in ("outputs", "variables")) or wish.inputs is not None or error,
        "reason": given.get("reason", ""),
        "error": None if isinstance(error, WrongFields) else error,
        "wrong": _wrong(error, "inputs" if isinstance(error, new_runs.InvalidInputs) else "outputs"),
    }
    return render(request, "runs/rerun.html", context, status=error.status if error else 200)


def _wish(request: HttpRequest, run: Run, given: Any) -> rerun.Wish:
    """Raises WrongFields."""
    texts = {name: given.get(name, "").strip() for name in ("inputs", "outputs", "variables")}
    parsed: dict[str, Any] = {}
    wrong: dict[str, list[str]] = {}
    for name, text in texts.items():
        if not text:
            continue
        try:
            parsed[name] = reading.json_of(text)
        except json.JSONDecodeError as error:
            wrong[name] = [reading.not_json(error)]
        else:
            wrong |= {} if isinstance(parsed[name], dict) else {name: ["This must be an object: {...}."]}
    if wrong:
        raise WrongFields(wrong)
    inputs = parsed.get("inputs")
    if inputs is not None and inputs == values.whole_of(run.organisation_id, run.inputs, most_bytes=None):
        inputs = None
    return rerun.Wish(
        nodes=given.getlist("node"),
        version=_version(run, given["version"]) if given.get("version") else None,
        inputs=inputs,
        outputs=parsed.get("outputs", {}),
        variables=parsed.get("variables", {}),
    )


def _version(run: Run, number: str) -> WorkflowVersion:
    assert run.workflow is not None  # noqa: S101  asked before
    if number:
        return access.version_for(run.workflow, reading.number(number) or 0)
    found = _newest(run)
    if found is None:
        raise Http404("Nothing has been published.")
    return found


def _newest(run: Run) -> WorkflowVersion | None:
    if run.workflow is None or run.workflow.published_id is None:
        return None
    return WorkflowVersion.objects.select_related("definition").get(pk=run.workflow.published_id)


def _named(nodes: Mapping[str, Any], keys: Any) -> list[str]:
    return [nodes[node].name + (f" [{'.'.join(map(str, path))}]" if path else "") for node, path in keys]


def _as_text(run: Run, kept: Any) -> str:
    try:
        text = json.dumps(values.whole_of(run.organisation_id, kept), indent=2, ensure_ascii=False)
    except values.TooLarge:
        return ""
    return text if len(text) <= LONGEST_TEXT else ""


def _json(request: HttpRequest, name: str) -> Any:
    try:
        return reading.json_of(request.POST.get(name, "").strip() or "null")
    except json.JSONDecodeError as error:
        raise WrongFields({name: [reading.not_json(error)]}) from error


def _wrong(error: UserError | None, field: str) -> dict[str, list[str]]:
    """What is wrong with each field. Problems with a path are those of `field`."""
    if isinstance(error, WrongFields):
        return error.fields
    problems = error.problems if error else ()
    return {field: [f"{one['path']}: {one['message']}".removeprefix(": ") for one in problems]} if problems else {}


def _seen(request: HttpRequest) -> dict[str, Any]:
    found = _json(request, "seen") or {}
    return found if isinstance(found, dict) else {}


def _path(request: HttpRequest) -> str:
    path = request.POST.get("path", request.GET.get("path", ""))
    if path and any(reading.number(part) is None for part in path.split(".")):
        raise Http404("There is no such iteration.")
    return path


def _run_url(run: Run, node: str = "", path: str = "") -> str:
    address = reverse("runs:detail", args=[run.organisation.slug, run.pk])
    return f"{address}?step={node}&path={path}#step" if node else address
