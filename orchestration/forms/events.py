"""The form by which a person publishes an event."""

from __future__ import annotations

from django import forms

from orchestration.bus import rules
from portal.core.schema_controls import JsonField


class PublishForm(forms.Form):
    """Cleaned: name, key, content (any JSON)."""

    name = forms.CharField(
        max_length=120,
        help_text="What has happened: letters, digits and . _ : -",
        widget=forms.TextInput(attrs={"class": "mono", "placeholder": "order.paid", "spellcheck": "false"}),
    )
    key = forms.CharField(required=False, max_length=200, help_text="What it is about, such as the order's number.")
    content = JsonField(
        required=False,
        label="Data",
        help_text="JSON, 32 KiB at most.",
        widget=forms.Textarea(attrs={"rows": 6, "class": "mono", "data-json": True, "spellcheck": "false"}),
    )

    def clean_name(self) -> str:
        name: str = self.cleaned_data["name"]
        if found := rules.fault(name, "", None):
            raise forms.ValidationError(found)
        return name
