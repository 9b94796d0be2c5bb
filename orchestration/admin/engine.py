"""The engine in the administration: its hosts, and how much of it an organisation may have."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db import models
from django.http import HttpRequest

from orchestration.models import EngineHost, OrganisationLimits
from portal.core.admin_base import OrganisationAdmin, ReadOnlyAdmin
from portal.core.permissions import Permission


@admin.register(EngineHost)
class EngineHostAdmin(ReadOnlyAdmin):
    """Of the installation, not of an organisation: superusers only."""

    view_permission = None
    organisation_path = ""
    list_display = ("id", "hostname", "pid", "started_at", "heartbeat_at", "draining", "ended_at")
    list_filter = (("ended_at", admin.EmptyFieldListFilter),)
    ordering = ("-id",)

    def organisation_of(self, obj: models.Model) -> None:
        return None

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[Any]:
        if not request.user.is_superuser:
            return EngineHost.objects.none()
        return EngineHost.objects.order_by("-id")


@admin.register(OrganisationLimits)
class OrganisationLimitsAdmin(OrganisationAdmin):
    """How much an organisation may have the engine do at once. Where there is no row, nothing is limited."""

    view_permission = Permission.ORGANISATION_MANAGE
    change_permission = None  # an organisation does not set its own share of an installation: superusers do
    audit_noun = "orchestration.limits"
    list_display = ("organisation", "open_runs", "runs_in_hand", "steps_at_work")
    ordering = ("organisation__name",)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        fixed = list(super().get_readonly_fields(request, obj))
        return [*fixed, "organisation"] if obj else fixed
