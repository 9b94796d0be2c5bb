"""The admin page of model profiles."""

from typing import Any

from asgiref.sync import async_to_sync
from django import forms
from django.contrib import admin
from django.db import models
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from unfold.decorators import display
from unfold.widgets import UnfoldAdminSelectWidget

from agents import services
from agents.admin.fields import WordsField
from agents.errors import AgentError
from agents.llm import router
from agents.models import ModelProfile
from agents.services.profiles import PROFILE_FIELDS, fallback_faults
from portal.core.actors import Actor
from portal.core.admin_base import OrganisationAdmin, ScopedForm
from portal.core.models import Secret
from portal.core.permissions import Permission


class ModelProfileForm(ScopedForm):
    fallbacks = WordsField(
        help_text="Profiles to try in order when this one cannot answer, with commas between: quality, offline."
    )

    api_key_secret = forms.ChoiceField(
        label="Secret with the key",
        required=False,
        widget=UnfoldAdminSelectWidget,
        help_text="One of the organisation's secrets. None: the provider's usual name, there or in the environment.",
    )

    class Meta:
        model = ModelProfile
        fields = ["organisation", "name", *PROFILE_FIELDS]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "api_key_secret" in self.fields:
            there = Secret.objects.filter(organisation__in=self.organisations()).order_by("name")
            # The present one stays a choice although its secret may be gone, so that saving changes nothing unseen.
            names = dict.fromkeys(
                [*there.values_list("name", flat=True), *filter(None, [self.instance.api_key_secret])]
            )
            self.fields["api_key_secret"].choices = [("", "None"), *((name, name) for name in names)]  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        organisation = cleaned.get("organisation") or (self.instance.organisation if self.instance.pk else None)
        name = cleaned.get("name") or self.instance.name
        if organisation is not None and "fallbacks" in cleaned:
            others = {
                row.name: row for row in ModelProfile.objects.filter(organisation=organisation).exclude(name=name)
            }
            for sentence in fallback_faults(name, cleaned["fallbacks"], others):
                self.add_error("fallbacks", forms.ValidationError(f"Fallbacks {sentence}."))
        return cleaned


@admin.register(ModelProfile)
class ModelProfileAdmin(OrganisationAdmin):
    form = ModelProfileForm
    view_permission = Permission.AGENTS_VIEW
    change_permission = Permission.AGENTS_MANAGE
    audit_noun = "agents.profile"
    list_display = ["titled", "organisation", "model", "on", "default", "description"]
    list_filter = ["organisation", "enabled"]
    search_fields = ["name", "model", "description"]
    readonly_fields = ["found"]
    fieldsets = [
        ("Profile", {"fields": ["organisation", "name", "description", "enabled", "is_default"]}),
        (
            "Model",
            {
                "fields": ["model", "api_base", "api_key_secret", "found"],
                "description": "Keys are kept under Secrets, encrypted; here only the name of one is written.",
            },
        ),
        ("Answers", {"fields": ["temperature", "max_tokens", "timeout_seconds", "fallbacks"]}),
        ("Prices", {"fields": ["input_price_usd", "output_price_usd"]}),
    ]

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[Any]:
        return super().get_queryset(request).select_related("organisation")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        fixed = list(super().get_readonly_fields(request, obj))
        return [*fixed, "organisation", "name"] if obj else fixed

    def write(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        values = {name: form.cleaned_data[name] for name in PROFILE_FIELDS}
        saved = services.save_profile(
            organisation=obj.organisation, name=obj.name, actor=Actor.of(request, "admin"), **values
        )
        obj.pk, obj._state.adding = saved.pk, False

    def erase(self, request: HttpRequest, obj: Any) -> None:
        services.delete_profile(profile=obj, actor=Actor.of(request, "admin"))

    @display(description="Profile", ordering="name")
    def titled(self, obj: ModelProfile) -> str:
        return obj.name

    @display(description="Enabled", boolean=True, ordering="enabled")
    def on(self, obj: ModelProfile) -> bool:
        return obj.enabled

    @display(description="Default", boolean=True)
    def default(self, obj: ModelProfile) -> bool:
        return obj.is_default

    @display(description="What would answer now")
    def found(self, obj: ModelProfile) -> SafeString | str:
        """The models that the profile leads to at this moment, and where their keys were found; never a key itself."""
        if not obj.pk:
            return "after saving"
        try:
            targets = async_to_sync(router.resolve)(obj.organisation_id, obj.name)
        except AgentError as error:
            return format_html("<strong>Nothing:</strong> {}", error.message)
        rows = ((target.model, target.reason) for target in targets)
        return format_html_join(format_html("<br>"), "<strong>{}</strong> — {}", rows)
