"""Organisations in the admin site."""

from typing import Any

from django.contrib import admin
from django.db import models
from django.http import HttpRequest
from django.urls import reverse
from django.utils.safestring import SafeString
from unfold.decorators import display

from portal.core.actors import Actor
from portal.core.admin.links import link, row_of
from portal.core.admin_base import OrganisationAdmin
from portal.core.models import Organisation
from portal.core.permissions import Permission
from portal.core.services import organisations


@admin.register(Organisation)
class OrganisationsAdmin(OrganisationAdmin):
    """Superusers create organisations; members with the right change their own."""

    view_permission = Permission.MEMBERS_VIEW
    change_permission = Permission.ORGANISATION_MANAGE
    list_display = ["name", "slug", "active", "member_count", "pages"]
    search_fields = ["name", "slug"]
    readonly_fields = ["created_at", "pages"]
    fieldsets = [
        (None, {"fields": ["name", "slug", "is_active"]}),
        ("In the portal", {"fields": ["pages", "created_at"]}),
    ]

    def organisation_of(self, obj: models.Model) -> Organisation | None:
        return obj if isinstance(obj, Organisation) else None

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[Any]:
        rows = Organisation.objects.annotate(members=models.Count("memberships"))
        if request.user.is_superuser:
            return rows
        seen = self.organisations(request, self.view_permission) + self.organisations(request, self.change_permission)
        return rows.filter(pk__in=[one.pk for one in seen])

    def has_add_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return bool(request.user.is_superuser)

    def has_delete_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return False  # switching it off hides everything and loses nothing

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        fixed = list(super().get_readonly_fields(request, obj))
        return fixed if request.user.is_superuser else [*fixed, "slug", "is_active"]

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        organisations.save_organisation(organisation=obj, actor=Actor.of(request, "admin"))

    @display(description="Active", boolean=True, ordering="is_active")
    def active(self, obj: Organisation) -> bool:
        return obj.is_active

    @display(description="Members", ordering="members")
    def member_count(self, obj: Any) -> int:
        return int(obj.members)

    @display(description="Pages")
    def pages(self, obj: Organisation) -> SafeString | str:
        if not obj.pk:
            return "after saving"
        links = [
            link(reverse("home", args=[obj.slug]), "Home"),
            link(reverse("audit:list", args=[obj.slug]), "Audit ledger"),
            link(reverse("retention:policy", args=[obj.slug]), "How long runs are kept"),
            link(f"{reverse('admin:core_membership_changelist')}?organisation__id__exact={obj.pk}", "Members"),
        ]
        return row_of(links)
