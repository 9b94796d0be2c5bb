"""API tokens, secrets and locked sign-ins in the admin site."""

from typing import Any

from axes.models import AccessAttempt
from axes.utils import reset
from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import models
from django.http import HttpRequest
from unfold.decorators import display
from unfold.widgets import UnfoldAdminPasswordWidget

from portal.core import clock
from portal.core.actors import Actor
from portal.core.admin_base import OrganisationAdmin, ReadOnlyAdmin, ScopedForm
from portal.core.models import ApiToken, Secret
from portal.core.permissions import Permission
from portal.core.services import audit, secrets, tokens


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
            tokens.revoke_token(token=token, actor=Actor.of(request, "admin"))
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
            organisation=obj.organisation, name=obj.name, value=value, description=obj.description, actor=by
        )
        obj.pk, obj._state.adding = made.pk, False

    def erase(self, request: HttpRequest, obj: Any) -> None:
        secrets.delete_secret(secret=obj, actor=Actor.of(request, "admin"))

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
