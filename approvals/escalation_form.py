"""The form of a request about a failed step: try again, edit and try again, go on with a value, or let it fail."""

from __future__ import annotations

from typing import Any

from django import forms

from approvals.models import ApprovalRequest
from orchestration.monitoring import steps
from orchestration.services import escalations, values
from portal.core.schema_controls import JsonField

JSON = Any
LARGEST_EDITED_BYTES = 256 * 1024
"""More is not put into a text area."""


class JsonArea(JsonField):
    """Only one of the answers needs it, and that one cannot do without: so it is not required, nor called optional."""

    says_optional = False

    def __init__(self, **field: Any) -> None:
        widget = forms.Textarea(attrs={"rows": 10, "spellcheck": "false", "class": "mono"})
        super().__init__(required=False, widget=widget, **field)


class EscalationForm(forms.Form):
    """About four queries, of which one is the step's row."""

    option = forms.CharField(widget=forms.HiddenInput, error_messages={"required": "Choose one of the answers."})
    comment = forms.CharField(
        required=False, max_length=10_000, widget=forms.Textarea(attrs={"rows": 2}), label="Comment"
    )
    settings = JsonArea(label="Settings of the step", help_text="As values; a mask left as it is keeps what it hides.")
    outputs = JsonArea(label="What the step is to have given", help_text="JSON, as the step itself would give it.")
    fields_form = None

    def __init__(self, asked: ApprovalRequest, *, data: Any = None) -> None:
        self.asked = asked
        shape = escalations.shape(run=asked.run, node=asked.node)
        edited = _editable(asked)
        super().__init__(data, initial={"settings": edited, "outputs": shape.example})
        self.too_large = edited is None
        if len(shape.ports) > 1:
            self.fields["port"] = forms.ChoiceField(label="Goes on by", choices=[(port, port) for port in shape.ports])

    @property
    def opened(self) -> str:
        """The answer whose fields are to be seen again."""
        return str(self.data.get("option", "")) if self.is_bound else ""

    @property
    def values(self) -> dict[str, JSON] | None:
        given = self.cleaned_data
        match given.get("option"):
            case "retry_with":
                return {"settings": given.get("settings")}
            case "skip":
                port = {"port": given["port"]} if given.get("port") else {}
                return {"outputs": given.get("outputs"), **port}
        return None


def _editable(asked: ApprovalRequest) -> JSON | None:
    """The settings the step was last tried with, whole; None where they are too much to be edited in a page."""
    found = steps.node_run(asked.run, asked.node, asked.path)
    try:
        whole = values.whole_of(asked.organisation_id, found and found.inputs, most_bytes=LARGEST_EDITED_BYTES)
    except values.TooLarge:
        return None
    return whole or {}
