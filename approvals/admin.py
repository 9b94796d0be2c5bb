"""Requests and decisions in the admin: to look at, never to change. Deciding happens on the desk."""

from typing import Any

from django.contrib import admin
from django.db import models
from django.http import HttpRequest
from django.urls import reverse
from django.utils.safestring import SafeString

from approvals.models import ApprovalRequest, Decision
from portal.core.admin.links import link
from portal.core.admin_base import ReadOnlyAdmin
from portal.core.permissions import Permission


@admin.register(ApprovalRequest)
class ApprovalRequestAdmin(ReadOnlyAdmin):
    view_permission = Permission.APPROVALS_VIEW
    list_display = ("title", "status", "run", "assignee_user", "assignee_role", "opened_at", "on_the_desk")
    list_filter = ("organisation", "status", "kind", "assignee_role")
    search_fields = ("title", "message", "run__name")
    list_select_related = ("organisation", "run", "assignee_user")
    date_hierarchy = "opened_at"

    @admin.display(description="On the desk")
    def on_the_desk(self, asked: ApprovalRequest) -> SafeString:
        return link(reverse("inbox:detail", args=[asked.organisation.slug, asked.pk]), "Open")


@admin.register(Decision)
class DecisionAdmin(ReadOnlyAdmin):
    view_permission = Permission.APPROVALS_VIEW
    organisation_path = "request__organisation"
    list_display = ("request", "label", "decided_by_label", "right", "channel", "decided_at")
    list_filter = ("option", "channel")
    search_fields = ("request__title", "comment", "decided_by_label")
    list_select_related = ("request", "request__organisation")

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[Any]:
        return super().get_queryset(request).select_related("request__organisation")
