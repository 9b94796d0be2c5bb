"""A policy as a value: what is saved, or what somebody is about to save. See `models.RetentionRule`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from orchestration.models import RetentionRule
from portal.core.models import Organisation

STATUSES = ("completed", "failed", "cancelled")


@dataclass(frozen=True, slots=True)
class Rule:
    """workflow None: any; status empty: any; days None: never."""

    workflow: UUID | None
    status: str
    archive_after_days: int | None
    delete_after_days: int | None
    slug: str = ""
    """Of the workflow, for words."""

    @property
    def words(self) -> str:
        """`failed runs of rfp-response`"""
        runs = f"{self.status} runs" if self.status else "runs"
        return f"{runs} of {self.slug or self.workflow}" if self.workflow else f"{runs} of any workflow"

    def as_json(self) -> dict[str, str | int | None]:
        return {
            "workflow": self.slug or None,
            "status": self.status or None,
            "archive_after_days": self.archive_after_days,
            "delete_after_days": self.delete_after_days,
        }


def saved(organisation: Organisation) -> list[Rule]:
    """The most general first. One query."""
    rows = RetentionRule.objects.filter(organisation=organisation).select_related("workflow")
    rules = [
        Rule(
            row.workflow_id,
            row.status,
            row.archive_after_days,
            row.delete_after_days,
            row.workflow.slug if row.workflow else "",
        )
        for row in rows.defer("workflow__draft")
    ]
    return sorted(rules, key=lambda rule: (rule.slug, STATUSES.index(rule.status) if rule.status else -1))


def as_parameter(rules: Sequence[Rule]) -> str:
    """For `choosing`'s statements."""
    return json.dumps(
        [
            {
                "number": number,
                "workflow": str(rule.workflow) if rule.workflow else None,
                "status": rule.status,
                "archive": rule.archive_after_days,
                "delete": rule.delete_after_days,
            }
            for number, rule in enumerate(rules)
        ]
    )
