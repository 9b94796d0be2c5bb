"""All that changes workflows: create, import, save the draft, publish, archive, restore.

A draft may be wrong while it is being edited; a version may not. Lock → check → write → audit → tell open pages.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Max
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.text import slugify

from orchestration.definition.canonical import canonical, digest
from orchestration.models import Workflow, WorkflowVersion
from orchestration.queries import dependants
from orchestration.services.definitions import checked, keepable, kept
from orchestration.services.promises import BreaksContract
from orchestration.services.starting import Archived
from portal.core import clock, live
from portal.core.actors import Actor
from portal.core.errors import Conflict
from portal.core.models import Organisation
from portal.core.services import audit

JSON = Any
LONGEST_SLUG = 80
RESERVED_SLUGS = frozenset({"new", "check", "schema", "validate", "list", "execute"})
"""Words that addresses of pages and API use themselves."""


class DraftConflict(Conflict):
    """Somebody else has saved the draft meanwhile. `workflow` is as it is now."""

    def __init__(self, workflow: Workflow) -> None:
        who = workflow.draft_saved_by.get_username() if workflow.draft_saved_by else "Somebody"
        at = date_format(timezone.localtime(workflow.draft_saved_at), "j M Y, H:i")
        super().__init__(f"{who} has changed the draft meanwhile ({at}). Nothing was saved.", code="draft_conflict")
        self.workflow = workflow
        self.problems = [{"code": "draft_conflict", "message": self.message, "path": "revision", "node": None}]


class NothingToPublish(Conflict):
    def __init__(self, version: WorkflowVersion) -> None:
        super().__init__(f"The draft is what version {version.number} already says.", code="nothing_to_publish")
        self.version = version


class SlugTaken(Conflict):
    def __init__(self, slug: str) -> None:
        super().__init__(f"There is a workflow “{slug}” already.", code="slug_taken")


# Changing


@transaction.atomic
def create_workflow(*, organisation: Organisation, definition: JSON, actor: Actor, slug: str = "") -> Workflow:
    """A new workflow with this draft, which may still have problems. The slug is made from the name unless given.

    Raises SlugTaken (only for a given slug) and InvalidDefinition when it cannot even be kept. One audit entry.
    """
    body = keepable(definition)
    if slug in RESERVED_SLUGS or (slug and Workflow.objects.filter(organisation=organisation, slug=slug).exists()):
        raise SlugTaken(slug)
    workflow = Workflow(
        organisation=organisation,
        slug=slug or free_slug(organisation, body["name"]),
        draft=body,
        created_by=actor.user,
        draft_saved_by=actor.user,
        draft_saved_at=clock.now(),
        **_card(body),
    )
    try:
        with transaction.atomic():
            workflow.save(force_insert=True)
    except IntegrityError:  # somebody else has taken it in this moment
        if slug:
            raise SlugTaken(slug) from None
        workflow.slug = free_slug(organisation, body["name"])
        workflow.save(force_insert=True)
    audit.record(
        organisation=organisation,
        actor=actor,
        verb="orchestration.workflow.created",
        target=workflow,
        after={"slug": workflow.slug, "name": workflow.name, "digest": digest(body)},
    )
    _tell(workflow)
    return workflow


@transaction.atomic
def import_definition(
    *, organisation: Organisation, definition: JSON, actor: Actor, slug: str = "", with_problems: bool = False
) -> Workflow:
    """A new workflow out of an exported one. Raises InvalidDefinition with every problem, unless `with_problems`."""
    if not with_problems:
        checked(organisation=organisation, definition=definition)
    return create_workflow(organisation=organisation, definition=definition, actor=actor, slug=slug)


@transaction.atomic
def save_draft(*, workflow: Workflow, definition: JSON, revision: int, actor: Actor) -> Workflow:
    """Replace the draft, if it is still the one `revision` names. One lock (the workflow).

    Raises DraftConflict, Archived, InvalidDefinition (when it cannot even be kept). No entry when nothing changes.
    """
    body = keepable(definition)
    workflow = _locked(workflow)
    if workflow.draft_revision != revision:
        raise DraftConflict(workflow)
    if canonical(workflow.draft) == canonical(body):
        return workflow
    _write_draft(workflow, body, actor)
    return workflow


@transaction.atomic
def publish(
    *, workflow: Workflow, actor: Actor, note: str = "", revision: int | None = None, confirmed: bool = True
) -> WorkflowVersion:
    """Make the draft the next version, which never changes; new runs take it. One lock (the workflow).

    Raises InvalidDefinition with every problem, NothingToPublish, Archived, and DraftConflict if `revision` is an old
    one. Unless `confirmed`, a draft that takes back what the published version promises raises BreaksContract.
    """
    workflow = _locked(workflow)
    if revision is not None and workflow.draft_revision != revision:
        raise DraftConflict(workflow)
    checked(organisation=workflow.organisation, definition=workflow.draft, slug=workflow.slug)
    definition = kept(workflow.draft)
    current = workflow.published
    if current is not None and current.definition_id == definition.digest:
        raise NothingToPublish(current)
    breaking = dependants.breaking(workflow, workflow.draft, current)
    if breaking is not None and not confirmed:
        raise BreaksContract(workflow, breaking)
    last = workflow.versions.aggregate(last=Max("number"))["last"] or 0
    version = WorkflowVersion.objects.create(
        workflow=workflow,
        number=last + 1,
        definition=definition,
        note=note.strip()[:300],
        published_by=actor.user,
    )
    version.refresh_from_db(fields=["published_at"])
    workflow.published = version
    workflow.save(update_fields=["published", "updated_at"])
    audit.record(
        organisation=workflow.organisation,
        actor=actor,
        verb="orchestration.workflow.published",
        target=workflow,
        before={"version": current.number if current else None},
        after={"version": version.number, "digest": definition.digest},
        data={"note": version.note, **_broken(breaking)},
    )
    _tell(workflow)
    return version


def _broken(breaking: dependants.Breaking | None) -> dict[str, JSON]:
    """For the audit: what was taken back, knowingly, and from whom."""
    if breaking is None:
        return {}
    relying = [f"{row.kind} {row.name}" for row in breaking.dependants]
    return {"breaking": [str(change) for change in breaking.changes], "dependants": relying}


@transaction.atomic
def restore_version(*, workflow: Workflow, version: WorkflowVersion, revision: int, actor: Actor) -> Workflow:
    """Make a published version the draft again. Raises DraftConflict, Archived."""
    workflow = _locked(workflow)
    if workflow.draft_revision != revision:
        raise DraftConflict(workflow)
    if canonical(workflow.draft) != canonical(version.body):
        _write_draft(workflow, version.body, actor, restored=version.number)
    return workflow


@transaction.atomic
def archive(*, workflow: Workflow, actor: Actor) -> Workflow:
    """Take it out of the lists; runs under way go on, no new one starts. Idempotent."""
    return _set_archived(workflow, clock.now(), actor)


@transaction.atomic
def restore(*, workflow: Workflow, actor: Actor) -> Workflow:
    """Bring an archived workflow back. Idempotent."""
    return _set_archived(workflow, None, actor)


def free_slug(organisation: Organisation, name: str) -> str:
    """A slug from a name that no workflow of the organisation has: rfp-response, rfp-response-2, ..."""
    stem = slugify(name)[: LONGEST_SLUG - 5].strip("-") or "workflow"
    pattern = rf"^{re.escape(stem)}(-\d+)?$"
    taken = set(Workflow.objects.filter(organisation=organisation, slug__regex=pattern).values_list("slug", flat=True))
    number = 2
    slug = stem
    while slug in taken or slug in RESERVED_SLUGS:
        slug, number = f"{stem}-{number}", number + 1
    return slug


def _write_draft(workflow: Workflow, body: dict[str, JSON], actor: Actor, restored: int | None = None) -> None:
    before = {"digest": digest(workflow.draft), "name": workflow.name}
    workflow.draft, workflow.draft_revision = body, workflow.draft_revision + 1
    workflow.draft_saved_by, workflow.draft_saved_at = actor.user, clock.now()
    for name, value in _card(body).items():
        setattr(workflow, name, value)
    workflow.save()
    audit.record(
        organisation=workflow.organisation,
        actor=actor,
        verb="orchestration.workflow.draft_saved",
        target=workflow,
        before=before,
        after={"digest": digest(body), "name": workflow.name},
        data={"revision": workflow.draft_revision, **({"restored_version": restored} if restored else {})},
    )
    _tell(workflow)


def _set_archived(workflow: Workflow, at: datetime | None, actor: Actor) -> Workflow:
    workflow = _locked(workflow, archived_too=True)
    if bool(workflow.archived_at) == bool(at):
        return workflow
    before, workflow.archived_at = workflow.archived_at, at
    workflow.save(update_fields=["archived_at", "updated_at"])
    audit.record(
        organisation=workflow.organisation,
        actor=actor,
        verb=f"orchestration.workflow.{'archived' if at else 'restored'}",
        target=workflow,
        before={"archived_at": before.isoformat() if before else None},
        after={"archived_at": at.isoformat() if at else None},
    )
    _tell(workflow)
    return workflow


def _locked(workflow: Workflow, *, archived_too: bool = False) -> Workflow:
    found = (
        Workflow.objects.select_for_update(of=("self",))
        .select_related("organisation", "published", "draft_saved_by")
        .get(pk=workflow.pk)
    )
    if found.archived_at and not archived_too:
        raise Archived(found)
    return found


def _card(body: Mapping[str, JSON]) -> dict[str, JSON]:
    """The columns that lists show, from the definition; what is not right there yet is left empty."""
    tags = body.get("tags")
    return {
        "name": str(body["name"]).strip()[:200],
        "description": body["description"] if isinstance(body.get("description"), str) else "",
        "category": body["category"][:60] if isinstance(body.get("category"), str) else "",
        "tags": [tag for tag in tags if isinstance(tag, str)][:20] if isinstance(tags, list) else [],
    }


def _tell(workflow: Workflow) -> None:
    live.hint(workflow.organisation_id, "workflows")
