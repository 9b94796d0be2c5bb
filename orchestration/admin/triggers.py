"""Triggers and events in the administration. Fires and events are facts: they are read; a trigger's own fields may be
changed, by the service that checks them and keeps the ledger.
"""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db import models
from django.http import HttpRequest
from django.urls import reverse
from django.utils.safestring import SafeString

from orchestration.models import BusEvent, Trigger
from orchestration.services import triggers
from orchestration.services.triggers import Wanted
from portal.core.actors import Actor
from portal.core.admin.links import link
from portal.core.admin_base import OrganisationAdmin, ReadOnlyAdmin
from portal.core.permissions import Permission


@admin.register(Trigger)
class TriggerAdmin(OrganisationAdmin):
    view_permission, change_permission = Permission.WORKFLOWS_VIEW, Permission.WORKFLOWS_PUBLISH
    audit_noun = "orchestration.trigger"
    list_display = ("name", "workflow", "kind", "enabled", "failures", "next_at", "page")
    list_filter = ("organisation", "kind", "enabled", ("disabled_because", admin.EmptyFieldListFilter))
    search_fields = ("name", "workflow__name", "workflow__slug")
    list_select_related = ("organisation", "workflow")
    ordering = ("workflow__name", "name")
    fields = (
        "name",
        "page",
        "organisation",
        "workflow",
        "kind",
        "enabled",
        "disabled_because",
        "settings",
        "inputs",
        "priority",
        "most_unfinished",
        "failures",
        "next_at",
        "created_by",
        "created_at",
    )
    readonly_fields = (
        "page",
        "organisation",
        "workflow",
        "kind",
        "disabled_because",
        "failures",
        "next_at",
        "created_by",
        "created_at",
    )

    def has_add_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return False  # made on the workflow's page, which shows a webhook's secret once

    def write(self, request: HttpRequest, obj: Trigger, form: Any, change: bool) -> None:
        actor = Actor.of(request, "admin")
        stored = Trigger.objects.select_related("organisation", "workflow", "version").get(pk=obj.pk)
        wanted = Wanted(
            name=obj.name,
            settings=obj.settings,
            inputs=obj.inputs,
            version=stored.version,
            priority=obj.priority,
            most_unfinished=obj.most_unfinished,
        )
        stored = triggers.change_trigger(trigger=stored, wanted=wanted, actor=actor)
        triggers.set_enabled(trigger=stored, enabled=obj.enabled, actor=actor)

    def erase(self, request: HttpRequest, obj: Trigger) -> None:
        triggers.delete_trigger(trigger=obj, actor=Actor.of(request, "admin"))

    @admin.display(description="Page")
    def page(self, trigger: Trigger) -> SafeString:
        place = [trigger.organisation.slug, trigger.workflow.slug, trigger.pk]
        return link(reverse("workflows:trigger", args=place), "Open")


@admin.register(BusEvent)
class BusEventAdmin(ReadOnlyAdmin):
    view_permission = Permission.RUNS_VIEW
    list_display = ("name", "key", "source", "at", "page")
    list_filter = ("organisation", "source")
    search_fields = ("name", "key", "id__startswith")
    list_select_related = ("organisation",)
    date_hierarchy = "at"
    ordering = ("-at",)
    show_full_result_count = False

    @admin.display(description="Page")
    def page(self, event: BusEvent) -> SafeString:
        return link(reverse("events:detail", args=[event.organisation.slug, event.pk]), "Open")
