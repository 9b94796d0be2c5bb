"""People in the admin site."""

from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.db import models
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.safestring import SafeString
from unfold.decorators import display
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget

from portal.core import access
from portal.core.actors import Actor
from portal.core.admin.links import link, row_of
from portal.core.admin.members import RoleChoice
from portal.core.admin_base import OrganisationAdmin
from portal.core.models import Organisation, Role, User
from portal.core.permissions import Permission
from portal.core.services import organisations, sessions


class NewUserForm(UserCreationForm):
    """Name, password and the first roles: a person without any organisation would be nobody's to manage."""

    refusal: str | None = None
    roles = RoleChoice(
        queryset=Role.objects.none(),
        required=False,
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
        help_text="Makes the person a member of the organisations of these roles.",
    )

    class Meta:
        model = User
        fields = ["username", "first_name", "last_name", "email"]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if self.refusal:
            raise forms.ValidationError(self.refusal)
        return cleaned


class ChangeUserForm(UserChangeForm):
    refusal: str | None = None

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if self.refusal:
            raise forms.ValidationError(self.refusal)
        return cleaned


@admin.register(User)
class UserAdmin(DjangoUserAdmin, OrganisationAdmin):  # type: ignore[misc]  # Unfold has no types
    """A superuser manages everybody. Others manage people who are only in organisations that they manage, and who
    have no right there that they lack themselves: setting somebody's password is becoming them."""

    form: Any = ChangeUserForm
    add_form: Any = NewUserForm
    change_password_form: Any = AdminPasswordChangeForm
    view_permission = Permission.MEMBERS_VIEW
    change_permission = Permission.MEMBERS_MANAGE
    organisation_path = "memberships__organisation"
    list_display = ["person", "email", "organisations_of", "active", "last_login"]
    list_filter = ["is_active", "memberships__organisation"]
    search_fields = ["username", "first_name", "last_name", "email"]
    ordering = ["username"]
    filter_horizontal = ()
    readonly_fields = ["last_login", "date_joined", "member_of"]
    add_fieldsets = [
        (None, {"fields": ["username", "first_name", "last_name", "email"]}),
        ("Password", {"fields": ["usable_password", "password1", "password2"]}),
        ("Roles", {"fields": ["roles"]}),
    ]

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is None:
            return self.add_fieldsets
        state = ["is_active", "is_superuser"] if request.user.is_superuser else ["is_active"]
        return [
            (None, {"fields": ["username", "password", "first_name", "last_name", "email"]}),
            ("State", {"fields": [*state, "last_login", "date_joined"]}),
            ("Organisations and roles", {"fields": ["member_of"]}),
        ]

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[Any]:
        return (
            super().get_queryset(request).prefetch_related("memberships__organisation", "memberships__roles").distinct()
        )

    def organisation_of(self, obj: models.Model) -> Organisation | None:
        return None  # of several; see _may

    def _may(self, request: HttpRequest, permission: Permission | None, obj: models.Model | None) -> bool:
        if request.user.is_superuser or not isinstance(obj, User):
            return super()._may(request, permission, None)
        mine = self.organisations(request, permission)
        theirs = [membership.organisation for membership in obj.memberships.select_related("organisation")]
        if permission != self.change_permission:
            return any(one in mine for one in theirs)
        return (
            not obj.is_superuser
            and all(one in mine for one in theirs)
            and all(access.permissions_of(obj, one) <= access.permissions_of(request.user, one) for one in theirs)
        )

    def has_delete_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return False  # deactivating keeps the name beside what the person has done

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form = super().get_form(request, obj, change=change, **kwargs)
        if "roles" in form.base_fields:
            field: Any = form.base_fields["roles"]
            offered = self.organisations(request, self.change_permission)
            field.queryset = Role.objects.filter(organisation__in=offered).select_related("organisation")
            field.required = not request.user.is_superuser
        if "is_superuser" in form.base_fields:
            form.base_fields["is_superuser"].help_text = "Runs the whole installation: every organisation, every right."
        return form

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        actor = Actor.of(request, "admin")
        organisations.save_user(user=obj, actor=actor)
        chosen: dict[Organisation, list[Role]] = {}
        for role in form.cleaned_data.get("roles", []):
            chosen.setdefault(role.organisation, []).append(role)
        for organisation, roles in chosen.items():
            organisations.add_member(organisation=organisation, user=obj, roles=roles, actor=actor)

    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> Any:
        response: HttpResponse = super().user_change_password(request, id, form_url)
        user = User.objects.filter(pk=id).first()
        if request.method == "POST" and response.status_code == 302 and user is not None:
            sessions.password_reset(user=user, actor=Actor.of(request, "admin"))
        return response

    @display(description="Person", ordering="username", header=True)
    def person(self, obj: User) -> list[str]:
        return [obj.display_name, obj.username]

    @display(description="Organisations")
    def organisations_of(self, obj: User) -> str:
        return ", ".join(membership.organisation.name for membership in obj.memberships.all()) or "none"

    @display(description="Active", boolean=True, ordering="is_active")
    def active(self, obj: User) -> bool:
        return obj.is_active

    @display(description="Member of")
    def member_of(self, obj: User) -> SafeString | str:
        rows = [
            link(
                reverse("admin:core_membership_change", args=[one.pk]),
                f"{one.organisation}: {', '.join(role.name for role in one.roles.all()) or 'no role'}",
            )
            for one in obj.memberships.all()
        ]
        return row_of(rows) if rows else "none"
