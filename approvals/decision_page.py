"""The decision page: what is shown, and the form that carries the decision."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django import forms
from django.utils.datastructures import MultiValueDict

from agents import contracts
from approvals import queries
from approvals.eligibility import Eligibility
from approvals.escalation_form import EscalationForm
from approvals.models import ApprovalRequest
from orchestration.models import Run
from orchestration.monitoring import large
from orchestration.monitoring.steps import StepRow, steps
from orchestration.services import values
from orchestration.values.references import is_reference
from portal.core import schema_forms
from portal.core.models import User


class DecisionForm(forms.Form):
    """Option and comment. The fields of the request's own schema are a second form beside it (`fields`)."""

    option = forms.CharField(widget=forms.HiddenInput, error_messages={"required": "Choose one of the options."})
    comment = forms.CharField(
        required=False, max_length=10_000, widget=forms.Textarea(attrs={"rows": 3}), label="Comment"
    )

    def __init__(self, asked: ApprovalRequest, *, data: Any = None, files: Any = None) -> None:
        super().__init__(data, files)
        self.asked = asked
        schema = asked.fields_schema
        self.fields_form = (
            schema_forms.form_for(schema, data=data, files=files, check=contracts.data_faults) if schema else None
        )

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        chosen = self.asked.option(cleaned.get("option", ""))
        if chosen and chosen.get("comment_required") and not cleaned.get("comment", "").strip():
            self.add_error("comment", f"“{chosen['label']}” needs a comment: say why.")
        return cleaned

    def is_valid(self) -> bool:
        return all([super().is_valid(), self.fields_form is None or self.fields_form.is_valid()])

    @property
    def values(self) -> dict[str, Any] | None:
        return self.fields_form.values() if self.fields_form is not None else None


def _form(asked: ApprovalRequest, *, data: Any = None, files: Any = None) -> AnyForm:
    if asked.kind == ApprovalRequest.Kind.ESCALATION:
        return EscalationForm(asked, data=data)
    return DecisionForm(asked, data=data, files=files)


AnyForm = DecisionForm | EscalationForm


@dataclass(frozen=True, slots=True)
class ContextBlock:
    label: str
    value: Any
    format: str
    """markdown | text | json"""


@dataclass(frozen=True, slots=True)
class DecisionPage:
    """All that the page of one request shows."""

    right: Eligibility
    form: AnyForm
    shown: str
    context: list[ContextBlock]
    steps: list[StepRow]
    position: int
    """Place among those that wait for the user, from 1; 0 when it is not among them."""
    waiting: int
    previous_id: Any
    next_id: Any


def form_for(
    asked: ApprovalRequest, *, data: Mapping[str, Any], files: MultiValueDict[str, Any] | None = None
) -> AnyForm:
    return _form(asked, data=data, files=files)


def build(user: User, asked: ApprovalRequest, *, form: AnyForm | None = None) -> DecisionPage:
    """About eight queries."""
    waiting = list(queries.waiting_for(user, asked.organisation).values_list("pk", flat=True)[:500])
    place = waiting.index(asked.pk) if asked.pk in waiting else -1
    return DecisionPage(
        right=queries.eligibility_of(user, asked),
        form=form or _form(asked),
        shown=queries.shown_digest(asked),
        context=[_block(asked.run, item) for item in _items(asked)],
        steps=steps(asked.run, asked.run.definition.body),
        position=place + 1,
        waiting=len(waiting),
        previous_id=waiting[place - 1] if place > 0 else None,
        next_id=waiting[place + 1] if 0 <= place < len(waiting) - 1 else None,
    )


def _items(asked: ApprovalRequest) -> list[dict[str, Any]]:
    """Very many items are one large value together."""
    if is_reference(asked.context):
        return list(values.whole_of(asked.organisation_id, asked.context))
    return list(asked.context)


def _block(run: Run, item: dict[str, Any]) -> ContextBlock:
    """A value that is no text is shown as JSON, whatever was asked for."""
    value, shown_as = large.readable(run, item.get("value")), item.get("format", "markdown")
    return ContextBlock(item.get("label", ""), value, shown_as if isinstance(value, str) else "json")
