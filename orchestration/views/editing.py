"""Writing a workflow as text: new, import, edit, check, publish, archive. Nothing that was typed is ever lost."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.safestring import SafeString
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from orchestration import access, exports, graph_svg
from orchestration.definition import starter
from orchestration.definition.canonical import pretty
from orchestration.definition.places import Source, Unreadable, read
from orchestration.definition.problems import Problem
from orchestration.models import Workflow, WorkflowVersion
from orchestration.monitoring import queries as run_queries
from orchestration.services import definitions
from orchestration.services import workflows as service
from orchestration.services.promises import BreaksContract
from portal.core import htmx, reading
from portal.core.access import can, member, require
from portal.core.actors import Actor
from portal.core.errors import UserError
from portal.core.htmx import HtmxRequest
from portal.core.models import Organisation
from portal.core.permissions import Permission

JSON = Any


@dataclass(frozen=True, slots=True)
class Finding:
    """A problem as a row of the list beside the text."""

    message: str
    line: int
    is_error: bool = True
    node: str | None = None
    path: str = ""
    code: str = ""


@dataclass(frozen=True, slots=True)
class Findings:
    """What is known of a text: everything wrong with it, and its drawing as far as it can be drawn."""

    rows: list[Finding]
    drawing: SafeString | None = None

    @property
    def errors(self) -> int:
        return sum(row.is_error for row in self.rows)

    @property
    def warnings(self) -> int:
        return len(self.rows) - self.errors


@require_http_methods(["GET", "POST"])
@member(Permission.WORKFLOWS_EDIT)
def new(request: HtmxRequest, org: str) -> HttpResponse:
    """A workflow out of text or a file. With errors it is created only if that is said (`action=keep`)."""
    if request.method == "GET":
        text = pretty(starter.definition())
        return _new_page(request, text, _findings(request.organisation, text))
    text, refusal = _posted_text(request)
    if refusal:
        return _new_page(request, text, Findings([Finding(refusal, 1)]), status=422)
    try:
        source = read(text)
        if source.duplicates:
            return _new_page(request, text, _findings(request.organisation, text), status=422)
        workflow = service.import_definition(
            organisation=request.organisation,
            definition=source.value,
            actor=Actor.of(request),
            with_problems=request.POST.get("action") == "keep",
        )
    except Unreadable:
        return _new_page(request, text, _findings(request.organisation, text), status=422)
    except definitions.InvalidDefinition as error:
        return _new_page(request, text, _findings_of(error.found, source), status=422)
    return htmx.say_and_go(request, _page(workflow), f"“{workflow.name}” has been created as a draft.")


@require_http_methods(["GET", "POST"])
@member(Permission.WORKFLOWS_EDIT)
def edit(request: HtmxRequest, org: str, slug: str) -> HttpResponse:
    """GET: the draft as text. POST: save it (`action=publish`: and publish it)."""
    workflow = access.workflow_for(request.organisation, slug)
    if request.method == "GET":
        text = pretty(workflow.draft)
        found = _findings(request.organisation, text, workflow.slug)
        return _edit_page(request, workflow, text, workflow.draft_revision, found)
    text, refusal = _posted_text(request)
    known = reading.number(request.POST.get("revision", ""))
    revision = -1 if known is None else known
    if refusal:
        return _edit_page(request, workflow, text, revision, Findings([Finding(refusal, 1)]), status=422)
    publishing = request.POST.get("action") == "publish"
    if publishing:
        require(request, request.organisation, Permission.WORKFLOWS_PUBLISH)
    return _save(request, workflow, text, revision, publishing=publishing)


def _save(request: HtmxRequest, workflow: Workflow, text: str, revision: int, *, publishing: bool) -> HttpResponse:
    try:
        source = read(text)
    except Unreadable:
        found = _findings(request.organisation, text, workflow.slug)
        return _edit_page(request, workflow, text, revision, found, status=422)
    if source.duplicates:
        found = _findings(request.organisation, text, workflow.slug)
        return _edit_page(request, workflow, text, revision, found, status=422)
    actor = Actor.of(request)
    try:
        saved = service.save_draft(workflow=workflow, definition=source.value, revision=revision, actor=actor)
    except definitions.InvalidDefinition as error:
        return _edit_page(request, workflow, text, revision, _findings_of(error.found, source), status=422)
    except service.DraftConflict as error:
        return _conflict_page(request, error, text)
    except UserError as error:
        found = Findings([Finding(error.message, 1)])
        return _edit_page(request, workflow, text, revision, found, status=error.status)
    if not publishing:
        return htmx.say_and_go(request, _editor(saved), "The draft has been saved.")
    note = request.POST.get("note", "")
    try:
        version = service.publish(workflow=saved, actor=actor, note=note, confirmed=False)
    except BreaksContract as error:
        return _breaking_page(request, saved, error, note)
    except definitions.InvalidDefinition as error:
        found = _findings_of(error.found, source)
        notice = "The draft has been saved, but with these errors it cannot be published."
        return _edit_page(request, saved, text, saved.draft_revision, found, status=422, notice=notice)
    except UserError as error:
        return htmx.say_and_go(request, _page(saved), error.message, "warning")
    return htmx.say_and_go(request, _page(saved), _published(version))


@require_POST
@member(Permission.WORKFLOWS_EDIT)
def check(request: HtmxRequest, org: str) -> HttpResponse:
    """The list of problems and the drawing of a text, while it is being typed."""
    text, refusal = _posted_text(request)
    found = Findings([Finding(refusal, 1)]) if refusal else _findings(request.organisation, text)
    return render(request, "workflows/_findings.html", {"findings": found})


def _published(version: WorkflowVersion) -> str:
    """What publishing means for the runs under way: they keep their version, and can be moved one by one."""
    others = run_queries.under_way_with_other_versions(version.workflow, version)
    if not others:
        return f"Version {version.number} has been published."
    told = " and ".join(f"{count} run{'s' if count > 1 else ''} with version {number}" for number, count in others)
    return f"Version {version.number} has been published. Under way: {told}; they go on with it, and can be moved."


@require_POST
@member(Permission.WORKFLOWS_PUBLISH)
def publish(request: HtmxRequest, org: str, slug: str) -> HttpResponse:
    """Publish the draft as it is saved; `revision` names the one that was seen. What breaks its contract is asked
    about first, unless that was seen too (`confirm_breaking`).
    """
    workflow = access.workflow_for(request.organisation, slug)
    note, seen = request.POST.get("note", ""), request.POST.get("revision", "")
    try:
        version = service.publish(
            workflow=workflow,
            actor=Actor.of(request),
            note=note,
            revision=reading.number(seen),
            confirmed=bool(request.POST.get("confirm_breaking")),
        )
    except BreaksContract as error:
        return _breaking_page(request, workflow, error, note)
    except definitions.InvalidDefinition as error:
        if not _may_edit(request):
            return htmx.say_and_go(request, _page(workflow), error.message, "error")
        text = pretty(workflow.draft)
        notice = "With these errors the draft cannot be published."
        found = _findings_of(error.found, read(text))
        return _edit_page(request, workflow, text, workflow.draft_revision, found, status=422, notice=notice)
    except UserError as error:
        return htmx.say_and_go(request, _page(workflow), error.message, "warning")
    return htmx.say_and_go(request, _page(workflow), _published(version))


@require_POST
@member(Permission.WORKFLOWS_EDIT)
def restore_version(request: HtmxRequest, org: str, slug: str, number: int) -> HttpResponse:
    """Make a version the draft again."""
    workflow = access.workflow_for(request.organisation, slug)
    version = access.version_for(workflow, number)
    posted = reading.number(request.POST.get("revision", ""))
    revision = workflow.draft_revision if posted is None else posted
    try:
        service.restore_version(workflow=workflow, version=version, revision=revision, actor=Actor.of(request))
    except UserError as error:
        return htmx.say_and_go(request, _page(workflow), error.message, "error")
    return htmx.say_and_go(request, _editor(workflow), f"The draft is version {number} again.")


@require_POST
@member(Permission.WORKFLOWS_DELETE)
def archive(request: HtmxRequest, org: str, slug: str) -> HttpResponse:
    workflow = service.archive(workflow=access.workflow_for(request.organisation, slug), actor=Actor.of(request))
    return htmx.say_and_go(request, _page(workflow), f"“{workflow.name}” has been archived.")


@require_POST
@member(Permission.WORKFLOWS_DELETE)
def restore(request: HtmxRequest, org: str, slug: str) -> HttpResponse:
    workflow = service.restore(workflow=access.workflow_for(request.organisation, slug), actor=Actor.of(request))
    return htmx.say_and_go(request, _page(workflow), f"“{workflow.name}” is back.")


@require_GET
@member(Permission.WORKFLOWS_VIEW)
def export(request: HtmxRequest, org: str, slug: str) -> HttpResponse:
    """The published definition as a file; `?version=3` that one, `?version=draft` the draft."""
    workflow = access.workflow_for(request.organisation, slug)
    wanted = request.GET.get("version", "")
    number = reading.number(wanted)
    return exports.file_of(workflow, exports.definition_of(workflow, number, draft=wanted == "draft"))


# Text in, findings out


def _posted_text(request: HtmxRequest) -> tuple[str, str]:
    """The text of the form, or of its file if one was chosen; and why a file cannot be taken."""
    text = request.POST.get("text", "").replace("\r\n", "\n")
    upload = request.FILES.get("file")
    if upload is None:
        return text, ""
    if upload.size is None or upload.size > definitions.LARGEST_BYTES:
        limit = definitions.LARGEST_BYTES // 1024 // 1024
        return text, f"{upload.name} is larger than {limit} MiB."
    try:
        return upload.read().decode("utf-8-sig").replace("\r\n", "\n"), ""
    except UnicodeDecodeError:
        return text, f"{upload.name} is not a text file in UTF-8."


def _findings(organisation: Organisation, text: str, slug: str = "") -> Findings:
    try:
        source = read(text)
    except Unreadable as error:
        message = f"This is not JSON yet: {error.message}"
        return Findings([Finding(message, error.line, path=f"line {error.line}, column {error.column}")])
    return _findings_of([*source.duplicates, *definitions.problems_of(organisation, source.value, slug)], source)


def _findings_of(found: list[Problem], source: Source) -> Findings:
    rows = [
        Finding(p.message, source.line(p.place), p.is_error, p.node, p.path, p.code.value)
        for p in dict.fromkeys([*source.duplicates, *found])
    ]
    return Findings(rows, _drawing(source.value))


def _drawing(definition: JSON) -> SafeString | None:
    nodes = definition.get("nodes") if isinstance(definition, dict) else None
    return graph_svg.render(definition) if isinstance(nodes, list) and nodes else None


# Pages


def _new_page(request: HtmxRequest, text: str, found: Findings, status: int = 200) -> HttpResponse:
    return render(request, "workflows/new.html", {"text": text, "findings": found}, status=status)


def _edit_page(
    request: HtmxRequest,
    workflow: Workflow,
    text: str,
    revision: int,
    found: Findings,
    *,
    status: int = 200,
    notice: str = "",
) -> HttpResponse:
    context = {"workflow": workflow, "text": text, "revision": revision, "findings": found, "notice": notice}
    return render(request, "workflows/edit.html", context, status=status)


def _conflict_page(request: HtmxRequest, error: service.DraftConflict, mine: str) -> HttpResponse:
    """Both texts, and what the differences are; saving mine over theirs is a choice one makes by name."""
    theirs = pretty(error.workflow.draft)
    difference = difflib.unified_diff(
        theirs.splitlines(), mine.splitlines(), "saved meanwhile", "yours", lineterm="", n=2
    )
    context = {
        "workflow": error.workflow,
        "message": error.message,
        "mine": mine,
        "difference": "\n".join(list(difference)[:2000]),
    }
    return render(request, "workflows/conflict.html", context, status=409)


def _breaking_page(request: HtmxRequest, workflow: Workflow, error: BreaksContract, note: str) -> HttpResponse:
    context = {"workflow": workflow, "breaking": error.breaking, "note": note}
    return render(request, "workflows/breaking.html", context, status=409)


def _may_edit(request: HtmxRequest) -> bool:
    return can(request.user, request.organisation, Permission.WORKFLOWS_EDIT)


def _page(workflow: Workflow) -> str:
    return reverse("workflows:detail", args=[workflow.organisation.slug, workflow.slug])


def _editor(workflow: Workflow) -> str:
    return reverse("workflows:edit", args=[workflow.organisation.slug, workflow.slug])
