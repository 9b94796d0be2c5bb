"""Organisations, people, roles, tokens and secrets in the admin site."""

from typing import Any

from axes.models import AccessAttempt
from axes.utils import reset
from django import forms
from django.contrib import admin, messages
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.core.exceptions import PermissionDenied
from django.db import models
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from unfold.decorators import display
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminPasswordWidget,
)

from portal.core import access, clock, permissions
from portal.core.actors import Actor
from portal.core.admin_base import OrganisationAdmin, ReadOnlyAdmin, ScopedForm
from portal.core.models import ApiToken, Membership, Organisation, Role, Secret, User
from portal.core.permissions import Permission
from portal.core.services import audit, organisations, secrets, sessions, tokens

__all__ = ["OrganisationAdmin", "ReadOnlyAdmin", "ScopedForm"]


def _link(url: str, text: object) -> SafeString:
    return format_html('<a class="text-primary-600 dark:text-primary-500" href="{}">{}</a>', url, text)


def _list(rows: Any) -> SafeString:
    return format_html_join(" · ", "{}", ((row,) for row in rows))


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
        organisations.save_organisation(organisation=obj, by=Actor.of(request, "admin"))

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
            _link(reverse("home", args=[obj.slug]), "Home"),
            _link(reverse("audit:list", args=[obj.slug]), "Audit ledger"),
            _link(f"{reverse('admin:core_membership_changelist')}?organisation__id__exact={obj.pk}", "Members"),
        ]
        return _list(links)


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
        organisations.save_role(role=obj, by=Actor.of(request, "admin"))

    def erase(self, request: HttpRequest, obj: Any) -> None:
        organisations.delete_role(role=obj, by=Actor.of(request, "admin"))

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
            organisations.set_roles(membership=obj, roles=roles, by=by)
            return
        made = organisations.add_member(organisation=obj.organisation, user=obj.user, roles=roles, by=by)
        obj.pk, obj._state.adding = made.pk, False

    def erase(self, request: HttpRequest, obj: Any) -> None:
        organisations.remove_member(membership=obj, by=Actor.of(request, "admin"))

    @display(description="Person", ordering="user__username", header=True)
    def person(self, obj: Membership) -> list[str]:
        return [obj.user.display_name, obj.user.username]

    @display(description="Roles")
    def role_names(self, obj: Membership) -> str:
        return ", ".join(role.name for role in obj.roles.all()) or "none"

    @display(description="Active", boolean=True)
    def active(self, obj: Membership) -> bool:
        return obj.user.is_active


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
        by = Actor.of(request, "admin")
        organisations.save_user(user=obj, by=by)
        chosen: dict[Organisation, list[Role]] = {}
        for role in form.cleaned_data.get("roles", []):
            chosen.setdefault(role.organisation, []).append(role)
        for organisation, roles in chosen.items():
            organisations.add_member(organisation=organisation, user=obj, roles=roles, by=by)

    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> Any:
        response: HttpResponse = super().user_change_password(request, id, form_url)
        user = User.objects.filter(pk=id).first()
        if request.method == "POST" and response.status_code == 302 and user is not None:
            sessions.password_reset(user=user, by=Actor.of(request, "admin"))
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
            _link(
                reverse("admin:core_membership_change", args=[one.pk]),
                f"{one.organisation}: {', '.join(role.name for role in one.roles.all()) or 'no role'}",
            )
            for one in obj.memberships.all()
        ]
        return _list(rows) if rows else "none"


@admin.register(ApiToken)
class ApiTokenAdmin(ReadOnlyAdmin):
    """All tokens of the organisation, to be looked over and revoked; people create their own on their account page."""

    view_permission = Permission.MEMBERS_MANAGE
    list_display = ["name", "user", "organisation", "prefix", "scope_list", "token_state", "expires_at", "last_used_at"]
    list_filter = ["organisation"]
    search_fields = ["name", "prefix", "user__username"]
    list_select_related = ["organisation", "user"]
    actions = ["revoke"]
    fields = [
        "name",
        "user",
        "organisation",
        "prefix",
        "scope_list",
        "created_at",
        "expires_at",
        "revoked_at",
        "last_used_at",
    ]

    @admin.action(description="Revoke the chosen tokens")
    def revoke(self, request: HttpRequest, queryset: models.QuerySet[ApiToken]) -> None:
        for token in queryset:
            tokens.revoke_token(token=token, by=Actor.of(request, "admin"))
        messages.success(request, f"{len(queryset)} tokens revoked.")

    @display(description="Scopes")
    def scope_list(self, obj: ApiToken) -> str:
        return ", ".join(obj.scopes) or "all of the user's rights"

    @display(description="State", label={"active": "success", "expired": "warning", "revoked": "danger"})
    def token_state(self, obj: ApiToken) -> str:
        return obj.state(clock.now())


class SecretForm(ScopedForm):
    value = forms.CharField(
        required=False,
        strip=False,
        widget=UnfoldAdminPasswordWidget(attrs={"autocomplete": "new-password"}),
        help_text="Never shown again. Leave empty to keep the present value.",
    )

    class Meta:
        model = Secret
        fields = ["organisation", "name", "description"]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        if not self.instance.pk and not cleaned.get("value"):
            self.add_error("value", "A secret needs a value.")
        return cleaned


@admin.register(Secret)
class SecretAdmin(OrganisationAdmin):
    """Write-only: the value goes in here and never comes out."""

    form = SecretForm
    view_permission = change_permission = Permission.SECRETS_MANAGE
    list_display = ["name", "organisation", "description", "set_at", "key_state"]
    list_filter = ["organisation"]
    search_fields = ["name", "description"]
    list_select_related = ["organisation"]
    readonly_fields = ["set_at", "key_state"]
    fieldsets = [
        (None, {"fields": ["organisation", "name", "description"]}),
        ("Value", {"fields": ["value", "set_at", "key_state"]}),
    ]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        # The value is sealed together with both; a new name is a new secret.
        return [*self.readonly_fields, "organisation", "name"] if obj else [*self.readonly_fields]

    def write(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        by, value = Actor.of(request, "admin"), form.cleaned_data.get("value", "")
        if not value:
            super().write(request, obj, form, change)
            return
        made = secrets.set_secret(
            organisation=obj.organisation, name=obj.name, value=value, description=obj.description, by=by
        )
        obj.pk, obj._state.adding = made.pk, False

    def erase(self, request: HttpRequest, obj: Any) -> None:
        secrets.delete_secret(secret=obj, by=Actor.of(request, "admin"))

    audit_noun = "core.secret"
    audit_without = ("ciphertext", "key_id")

    @display(description="Key", label={"newest": "success", "older": "warning"})
    def key_state(self, obj: Secret) -> str:
        return "newest" if obj.key_id == secrets.newest_key_id() else "older"


@admin.register(AccessAttempt)
class LockoutAdmin(ReadOnlyAdmin):
    """Failed sign-ins that count towards a lock; for superusers, since they belong to no organisation."""

    list_display = ["username", "ip_address", "failures_since_start", "attempt_time"]
    search_fields = ["username", "ip_address"]
    fields = ["username", "ip_address", "user_agent", "failures_since_start", "attempt_time"]
    actions = ["unlock"]

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[Any]:
        rows = AccessAttempt.objects.all()
        return rows if request.user.is_superuser else rows.none()

    @admin.action(description="Lift the lock")
    def unlock(self, request: HttpRequest, queryset: models.QuerySet[AccessAttempt]) -> None:
        if not request.user.is_superuser:
            raise PermissionDenied
        for attempt in queryset:
            reset(username=attempt.username, ip=attempt.ip_address)
            audit.record(
                organisation=None,
                actor=Actor.of(request, "admin"),
                verb="core.session.unlocked",
                target_label=str(attempt.username),
            )
        messages.success(request, "The lock has been lifted.")
