"""Puts the ready workflows into an organisation, published. Safe to repeat: what people have changed stays theirs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from django.db import transaction

from orchestration.definition.canonical import canonical
from orchestration.models import Workflow
from orchestration.samples import Sample, samples
from orchestration.services import workflows
from portal.core.actors import Actor
from portal.core.models import Organisation

JSON = Any
NOTE = "Sample workflow"


@dataclass(slots=True)
class Loaded:
    """Slugs by what was done with them."""

    created: list[str] = field(default_factory=list)
    updated: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    """Changed or archived by people: left alone."""


@transaction.atomic
def load(organisation: Organisation, actor: Actor) -> Loaded:
    """Create and publish what is missing; publish anew what has changed here and was not touched there.

    The agents they name must be there (`agents.catalogue.load`). Raises InvalidDefinition otherwise.
    """
    known = {
        row.slug: row
        for row in Workflow.objects.filter(organisation=organisation).select_related("published__definition")
    }
    loaded = Loaded()
    for sample in samples():
        workflow = known.get(sample.slug)
        if workflow is None:
            workflow = workflows.create_workflow(
                organisation=organisation, definition=sample.definition, actor=actor, slug=sample.slug
            )
            workflows.publish(workflow=workflow, actor=actor, note=NOTE)
            loaded.created.append(sample.slug)
        else:
            _renew(workflow, sample, actor, loaded)
    return loaded


def _renew(workflow: Workflow, sample: Sample, actor: Actor, loaded: Loaded) -> None:
    published = workflow.published
    ours = published is not None and published.note == NOTE and canonical(published.body) == canonical(workflow.draft)
    if not ours or workflow.archived_at:
        loaded.kept.append(sample.slug)
    elif canonical(workflow.draft) == canonical(sample.definition):
        loaded.unchanged.append(sample.slug)
    else:
        workflows.save_draft(
            workflow=workflow, definition=sample.definition, revision=workflow.draft_revision, actor=actor
        )
        workflows.publish(workflow=workflow, actor=actor, note=NOTE)
        loaded.updated.append(sample.slug)


def seed(organisation: Organisation, demo: bool) -> None:
    """What a new organisation begins with; only if samples are wanted."""
    if demo:
        load(organisation, Actor.command())
