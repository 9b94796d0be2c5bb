"""Workflows and their versions in the administration: to look at and to find. Changing them is done on their pages,
which check definitions and keep the ledger; an admin action calls the service that does it.
"""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import models
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from orchestration.definition.canonical import pretty
from orchestration.models import Workflow, WorkflowVersion
from orchestration.services import workflows
from portal.core.actors import Actor
from portal.core.admin.links import link
from portal.core.admin_base import ReadOnlyAdmin, ReadOnlyInline
from portal.core.permissions import Permission


class VersionInline(ReadOnlyInline):
    model = WorkflowVersion
    fk_name = "workflow"
    fields = readonly_fields = ("number", "note", "published_by", "published_at")
    ordering = ("-number",)
    show_change_link = True


@admin.register(Workflow)
class WorkflowAdmin(ReadOnlyAdmin):
    view_permission, change_permission = Permission.WORKFLOWS_VIEW, None
    audit_noun = "orchestration.workflow"
    list_display = ("name", "slug", "category", "published_number", "draft_saved_at", "archived", "page")
    list_filter = ("organisation", "category", ("archived_at", admin.EmptyFieldListFilter))
    search_fields = ("name", "slug", "description")
    list_select_related = ("organisation", "published")
    ordering = ("name",)
    inlines = (VersionInline,)
    actions = ("archive", "restore")
    fieldsets = (
        (None, {"fields": ("name", "slug", "page", "organisation", "category", "tags", "description")}),
        ("Publishing", {"fields": ("published_number", "archived_at")}),
        ("Draft", {"fields": ("draft_revision", "draft_saved_by", "draft_saved_at", "draft_text")}),
        ("Origin", {"fields": ("created_by", "created_at", "updated_at"), "classes": ("collapse",)}),
    )

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[Any]:
        return super().get_queryset(request).defer("draft")

    @admin.display(description="Published", ordering="published__number")
    def published_number(self, workflow: Workflow) -> str:
        return f"Version {workflow.published.number}" if workflow.published else "–"

    @admin.display(description="Archived", boolean=True)
    def archived(self, workflow: Workflow) -> bool:
        return workflow.archived_at is not None

    @admin.display(description="Page")
    def page(self, workflow: Workflow) -> SafeString:
        return link(reverse("workflows:detail", args=[workflow.organisation.slug, workflow.slug]), "Open")

    @admin.display(description="Definition")
    def draft_text(self, workflow: Workflow) -> SafeString:
        return format_html('<pre class="definition">{}</pre>', pretty(workflow.draft))

    @admin.action(description="Archive")
    def archive(self, request: HttpRequest, rows: models.QuerySet[Workflow]) -> None:
        self._each(request, rows, workflows.archive, "archived")

    @admin.action(description="Bring back from the archive")
    def restore(self, request: HttpRequest, rows: models.QuerySet[Workflow]) -> None:
        self._each(request, rows, workflows.restore, "brought back")

    def _each(self, request: HttpRequest, rows: models.QuerySet[Workflow], act: Any, done: str) -> None:
        allowed = self.organisations(request, Permission.WORKFLOWS_DELETE)
        for workflow in rows.select_related("organisation"):
            if workflow.organisation not in allowed:
                raise PermissionDenied(f"{workflow} is not yours to change.")
            act(workflow=workflow, actor=Actor.of(request, "admin"))
        messages.success(request, f"{len(rows)} workflow{'' if len(rows) == 1 else 's'} {done}.")


@admin.register(WorkflowVersion)
class WorkflowVersionAdmin(ReadOnlyAdmin):
    view_permission = Permission.WORKFLOWS_VIEW
    organisation_path = "workflow__organisation"
    list_display = ("workflow_name", "number", "note", "published_by", "published_at", "page")
    list_filter = ("workflow__organisation",)
    search_fields = ("workflow__name", "workflow__slug", "note")
    list_select_related = ("workflow", "workflow__organisation", "published_by")
    ordering = ("-published_at",)
    fields = ("workflow_name", "number", "note", "published_by", "published_at", "page", "digest", "definition_text")

    @admin.display(description="Workflow", ordering="workflow__name")
    def workflow_name(self, version: WorkflowVersion) -> str:
        return version.workflow.name

    @admin.display(description="Digest (SHA-256)")
    def digest(self, version: WorkflowVersion) -> str:
        return version.definition_id

    @admin.display(description="Definition")
    def definition_text(self, version: WorkflowVersion) -> SafeString:
        return format_html('<pre class="definition">{}</pre>', pretty(version.body))

    @admin.display(description="Page")
    def page(self, version: WorkflowVersion) -> SafeString:
        workflow = version.workflow
        address = reverse("workflows:detail", args=[workflow.organisation.slug, workflow.slug])
        return link(f"{address}?version={version.number}", "Open")
