"""Roles and memberships in the admin site."""

from typing import Any

from django import forms
from django.contrib import admin
from django.db import models
from django.http import HttpRequest
from unfold.decorators import display
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget

from portal.core import permissions
from portal.core.actors import Actor
from portal.core.admin_base import OrganisationAdmin, ScopedForm
from portal.core.models import Membership, Role
from portal.core.permissions import Permission
from portal.core.services import organisations


class RoleForm(ScopedForm):
    permissions = forms.MultipleChoiceField(
        choices=permissions.choices,
        required=False,
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
        help_text="What members with this role may do in this organisation. You can only change rights that you have.",
    )

    class Meta:
        model = Role
        fields = ["organisation", "name", "slug", "description", "permissions"]


@admin.register(Role)
class RoleAdmin(OrganisationAdmin):
    form = RoleForm
    view_permission = Permission.MEMBERS_VIEW
    change_permission = Permission.MEMBERS_MANAGE
    list_display = ["name", "organisation", "description", "rights", "kind", "member_count"]
    list_filter = ["organisation", "built_in"]
    search_fields = ["name", "slug", "description"]
    fieldsets = [
        (None, {"fields": ["organisation", "name", "slug", "description"]}),
        ("Permissions", {"fields": ["permissions"]}),
    ]

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[Any]:
        return (
            super().get_queryset(request).select_related("organisation").annotate(members=models.Count("memberships"))
        )

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        if obj is None:
            return []
        return ["organisation", "slug"] if obj.built_in else ["organisation"]

    def has_delete_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        built_in = isinstance(obj, Role) and obj.built_in
        return not built_in and super().has_delete_permission(request, obj)

    def write(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        organisations.save_role(role=obj, actor=Actor.of(request, "admin"))

    def erase(self, request: HttpRequest, obj: Any) -> None:
        organisations.delete_role(role=obj, actor=Actor.of(request, "admin"))

    @display(description="Permissions")
    def rights(self, obj: Role) -> str:
        return "all" if set(obj.permissions) == permissions.ALL else f"{len(obj.permissions)} of {len(permissions.ALL)}"

    @display(description="Kind", label={"built in": "info", "own": "success"})
    def kind(self, obj: Role) -> str:
        return "built in" if obj.built_in else "own"

    @display(description="Members", ordering="members")
    def member_count(self, obj: Any) -> int:
        return int(obj.members)


class RoleChoice(forms.ModelMultipleChoiceField):
    """Roles by name, with the organisation where several are offered."""

    def label_from_instance(self, obj: Any) -> str:
        return f"{obj.organisation}: {obj.name} — {obj.description}"


class MembershipForm(ScopedForm):
    roles = RoleChoice(
        queryset=Role.objects.none(),
        required=False,
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
        help_text="Rights are the sum of the roles. You cannot give a role with rights that you do not have.",
    )

    class Meta:
        model = Membership
        fields = ["organisation", "user", "roles"]


@admin.register(Membership)
class MembershipAdmin(OrganisationAdmin):
    form = MembershipForm
    view_permission = Permission.MEMBERS_VIEW
    change_permission = Permission.MEMBERS_MANAGE
    list_display = ["person", "organisation", "role_names", "active", "created_at"]
    list_filter = ["organisation", "roles"]
    search_fields = ["user__username", "user__first_name", "user__last_name", "user__email"]
    fieldsets = [(None, {"fields": ["organisation", "user"]}), ("Roles", {"fields": ["roles"]})]

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[Any]:
        return super().get_queryset(request).select_related("organisation", "user").prefetch_related("roles")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return ["organisation", "user"] if obj else []

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form = super().get_form(request, obj, change=change, **kwargs)
        if "roles" in form.base_fields:
            offered = [obj.organisation] if obj else self.organisations(request, self.change_permission)
            form.base_fields["roles"].queryset = Role.objects.filter(organisation__in=offered).select_related(
                "organisation"
            )
        return form

    def write(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        by, roles = Actor.of(request, "admin"), list(form.cleaned_data.get("roles", []))
        if change:
            organisations.set_roles(membership=obj, roles=roles, actor=by)
            return
        made = organisations.add_member(organisation=obj.organisation, user=obj.user, roles=roles, actor=by)
        obj.pk, obj._state.adding = made.pk, False

    def erase(self, request: HttpRequest, obj: Any) -> None:
        organisations.remove_member(membership=obj, actor=Actor.of(request, "admin"))

    @display(description="Person", ordering="user__username", header=True)
    def person(self, obj: Membership) -> list[str]:
        return [obj.user.display_name, obj.user.username]

    @display(description="Roles")
    def role_names(self, obj: Membership) -> str:
        return ", ".join(role.name for role in obj.roles.all()) or "none"

    @display(description="Active", boolean=True)
    def active(self, obj: Membership) -> bool:
        return obj.user.is_active
