"""The form of an organisation's policy: what counts for all runs, and exceptions as rows."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from django import forms

from orchestration.models import Workflow
from orchestration.retention.rules import STATUSES, Rule
from orchestration.services.retention import MOST_DAYS, InvalidPolicy
from portal.core.models import Organisation
from portal.core.schema_tables import Column, RowsField

JSON = Any
ANY = "*"
_DAYS = {"min": 1, "max": MOST_DAYS, "inputmode": "numeric", "placeholder": "never"}


class PolicyForm(forms.Form):
    """Rule 0 is what counts for all runs; the rows are the rules behind it, in their order."""

    archive_after_days = forms.IntegerField(
        label="Archive after days",
        required=False,
        min_value=1,
        max_value=MOST_DAYS,
        widget=forms.NumberInput(attrs=_DAYS),
        help_text="Counted from the end of a run. It stays readable and takes a fraction of the space.",
    )
    delete_after_days = forms.IntegerField(
        label="Delete after days",
        required=False,
        min_value=1,
        max_value=MOST_DAYS,
        widget=forms.NumberInput(attrs=_DAYS),
        help_text="Counted from the end of a run. It is gone for good; the audit ledger stays.",
    )

    def __init__(self, organisation: Organisation, *, data: Any = None, rules: Sequence[Rule] = ()) -> None:
        workflows = Workflow.objects.filter(organisation=organisation).order_by("name", "slug")
        self.workflows: dict[str, tuple[UUID, str]] = {
            slug: (pk, name) for pk, slug, name in workflows.values_list("pk", "slug", "name")
        }
        super().__init__(data, initial=_initial(rules))
        self.fields["exceptions"] = RowsField(
            columns=self._columns(),
            required=False,
            label="Exceptions",
            help_text="The row that names most of a run counts. A row without days keeps its runs for ever.",
        )

    def _columns(self) -> list[Column]:
        slugs = {ANY: "Any workflow", **{slug: name for slug, (_, name) in self.workflows.items()}}
        statuses = {ANY: "However it ended", **{status: status.capitalize() for status in STATUSES}}
        return [
            _choice("workflow", "Workflow", slugs),
            _choice("status", "Ended", statuses),
            Column("archive_after_days", "Archive (days)", "integer", False, "number"),
            Column("delete_after_days", "Delete (days)", "integer", False, "number"),
        ]

    def rules(self) -> list[Rule]:
        """Of a valid form. Without any days anywhere and without exceptions: none."""
        given = self.cleaned_data
        first = Rule(None, "", given["archive_after_days"], given["delete_after_days"])
        rows = [self._rule(row) for row in given["exceptions"] or ()]
        return [first, *rows] if rows or first.archive_after_days or first.delete_after_days else []

    def _rule(self, row: Mapping[str, JSON]) -> Rule:
        slug = row.get("workflow", ANY)
        status = row.get("status", ANY)
        return Rule(
            None if slug == ANY else self.workflows[slug][0],
            "" if status == ANY else status,
            row.get("archive_after_days"),
            row.get("delete_after_days"),
            "" if slug == ANY else slug,
        )

    def show(self, error: InvalidPolicy) -> None:
        """Put each fault where it was made: rule 0 has fields of its own, all others are rows."""
        for problem in error.problems:
            place, _, name = problem["path"].removeprefix("$.rules[").partition("].")
            words = problem["message"].replace("archive_after_days", "the days before archiving")
            if place == "0" and name in self.fields:
                self.add_error(name, f"It {words}.")
            else:
                self.add_error("exceptions", f"Row {place}, {name.replace('_', ' ')}: {words}.")


def _choice(name: str, label: str, choices: Mapping[str, str]) -> Column:
    pairs = tuple((json.dumps(value), words) for value, words in choices.items())
    return Column(name, label, "choice", False, choices=pairs, values=tuple(choices))


def _initial(rules: Sequence[Rule]) -> dict[str, JSON]:
    general = next((rule for rule in rules if rule.workflow is None and not rule.status), None)
    return {
        "archive_after_days": general.archive_after_days if general else None,
        "delete_after_days": general.delete_after_days if general else None,
        "exceptions": [
            {
                "workflow": rule.slug or ANY,
                "status": rule.status or ANY,
                "archive_after_days": rule.archive_after_days,
                "delete_after_days": rule.delete_after_days,
            }
            for rule in rules
            if rule is not general
        ],
    }
