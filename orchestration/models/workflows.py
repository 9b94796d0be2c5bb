"""Workflows, their drafts and immutable versions. Definitions are stored once by content."""

from __future__ import annotations

import uuid
from typing import Any

import pgtrigger
from django.conf import settings
from django.db import models
from django.db.models.functions import Now

from portal.core.fields import OrderedJSONField
from portal.core.models import Organisation


class Definition(models.Model):
    """A definition's JSON, kept once by the SHA-256 of its canonical form. Never changed, so hosts may cache by
    digest.
    """

    digest = models.CharField(max_length=64, primary_key=True)
    body = OrderedJSONField()
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        triggers = [pgtrigger.Protect(name="immutable", operation=pgtrigger.Update)]

    def __str__(self) -> str:
        return self.digest[:12]


class Workflow(models.Model):
    """A named thing with a draft that people edit and versions that never change; `published` is the one new runs
    take.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    organisation = models.ForeignKey(Organisation, on_delete=models.CASCADE, related_name="workflows")
    slug = models.SlugField(max_length=80)
    name = models.CharField(max_length=200)
    description = models.TextField(blank=True)
    category = models.CharField(max_length=60, blank=True)
    tags = models.JSONField(default=list, blank=True)
    draft = OrderedJSONField(help_text="The definition being edited, in the format ensemble.workflow/1.")
    draft_revision = models.PositiveIntegerField(
        default=1, help_text="Counts saves of the draft, so that no edit overwrites another unseen."
    )
    draft_saved_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    draft_saved_at = models.DateTimeField(db_default=Now())
    published = models.ForeignKey("WorkflowVersion", null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(db_default=Now())
    updated_at = models.DateTimeField(auto_now=True)
    archived_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["organisation", "slug"], name="workflow_slug_once")]

    def __str__(self) -> str:
        return self.name


class WorkflowVersion(models.Model):
    """A published definition. Rows never change; a run is pinned to one."""

    workflow = models.ForeignKey(Workflow, on_delete=models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    definition = models.ForeignKey(Definition, on_delete=models.PROTECT, related_name="+")
    note = models.CharField(max_length=300, blank=True)
    published_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    published_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [models.UniqueConstraint(fields=["workflow", "number"], name="workflow_version_once")]
        triggers = [
            pgtrigger.Protect(
                name="immutable",
                operation=pgtrigger.UpdateOf("workflow_id", "number", "definition_id", "published_at"),
            )
        ]

    def __str__(self) -> str:
        return f"{self.workflow_id} v{self.number}"

    @property
    def body(self) -> dict[str, Any]:
        """Costs a query unless `definition` was selected along."""
        return self.definition.body
