"""Runs with their steps in the administration: to look at and to find."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db import models
from django.http import HttpRequest
from django.urls import reverse
from django.utils.safestring import SafeString

from orchestration.models import NodeRun, Run
from portal.core.admin.links import link
from portal.core.admin_base import ReadOnlyAdmin, ReadOnlyInline
from portal.core.permissions import Permission


class NodeRunInline(ReadOnlyInline):
    model = NodeRun
    fields = readonly_fields = (
        "node",
        "path",
        "type",
        "status",
        "attempts",
        "agent",
        "cost_usd",
        "started_at",
        "ended_at",
    )
    ordering = ("id",)

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[Any]:
        return super().get_queryset(request).defer("inputs", "outputs", "error", "waiting")


@admin.register(Run)
class RunAdmin(ReadOnlyAdmin):
    view_permission = Permission.RUNS_VIEW
    list_display = ("name", "short_id", "status", "kind", "source", "started_by", "created_at", "cost_usd", "page")
    list_filter = ("organisation", "status", "kind", "source", ("incident", admin.EmptyFieldListFilter))
    search_fields = ("name", "id__startswith", "idempotency_key")
    list_select_related = ("organisation", "started_by")
    date_hierarchy = "created_at"
    ordering = ("-created_at",)
    show_full_result_count = False
    inlines = (NodeRunInline,)
    fieldsets = (
        (
            None,
            {"fields": ("name", "id", "page", "organisation", "workflow", "version", "kind", "source", "started_by")},
        ),
        (
            "State",
            {
                "fields": (
                    "status",
                    "nodes_ended",
                    "nodes_total",
                    "created_at",
                    "started_at",
                    "ended_at",
                    "archived_at",
                    "error",
                )
            },
        ),
        ("Cost", {"fields": ("cost_usd", "input_tokens", "output_tokens")}),
        (
            "Engine",
            {
                "fields": (
                    "priority",
                    "due_at",
                    "host",
                    "lease_token",
                    "lease_expires_at",
                    "claims",
                    "incident",
                    "last_seq",
                ),
                "classes": ("collapse",),
            },
        ),
    )

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[Any]:
        return super().get_queryset(request).defer("inputs", "outputs")

    @admin.display(description="Id")
    def short_id(self, run: Run) -> str:
        return str(run.id)[:8]

    @admin.display(description="Page")
    def page(self, run: Run) -> SafeString:
        return link(reverse("runs:detail", args=[run.organisation.slug, run.pk]), "Open")
