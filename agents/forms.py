"""Small forms of the catalogue's pages; services do the saving."""

import json
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from agents import queries
from agents.models import Agent, Status
from portal.core import reading

LARGEST_IMPORT_BYTES = 1024 * 1024


class StatusForm(forms.Form):
    """status, and for a deprecated agent the slug of its replacement."""

    status = forms.ChoiceField(choices=Status.choices)
    replaced_by = forms.ModelChoiceField(
        queryset=Agent.objects.none(), to_field_name="slug", required=False, empty_label=_("No replacement")
    )

    def __init__(self, *args: Any, agent: Agent, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["replaced_by"].queryset = queries.replacements(agent)  # type: ignore[attr-defined]


class ImportForm(forms.Form):
    """One agent in the format ensemble.agent/1, or a list of them."""

    document = forms.CharField(
        label=_("Agent"),
        help_text=_("JSON as an agent's page exports it; a list of agents is taken too."),
        widget=forms.Textarea(attrs={"rows": 12, "data-json": True, "data-file-drop": True, "spellcheck": "false"}),
    )

    def clean_document(self) -> list[Any]:
        """Always a list."""
        text: str = self.cleaned_data["document"]
        if len(text.encode()) > LARGEST_IMPORT_BYTES:
            raise forms.ValidationError(_("This is larger than 1 MB."))
        try:
            found = reading.json_of(text)
        except json.JSONDecodeError as error:
            raise forms.ValidationError(reading.not_json(error)) from None
        return found if isinstance(found, list) else [found]
