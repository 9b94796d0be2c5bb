"""Setting how long runs are kept. What comes of it is told in `orchestration.retention`."""

from __future__ import annotations

from collections.abc import Sequence

from django.db import transaction

from orchestration.models import RetentionRule, Workflow
from orchestration.retention import gate
from orchestration.retention.rules import STATUSES, Rule, saved
from portal.core.actors import Actor
from portal.core.errors import UserError
from portal.core.models import Organisation
from portal.core.services import audit

MOST_DAYS = 36_500


class InvalidPolicy(UserError):
    """`problems`: [{"path": "$.rules[2].delete_after_days", "message"}]."""

    status = 422

    def __init__(self, problems: list[dict[str, str]]) -> None:
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        message = f"The policy is not right: {problems[0]['path']} {problems[0]['message']}{more}."
        super().__init__(message, code="invalid_policy")
        self.problems = problems


@transaction.atomic
def set_policy(*, organisation: Organisation, rules: Sequence[Rule], actor: Actor) -> None:
    """Replace the organisation's rules; none: keep every run. Holds from the next batch on, which waits for this.

    Raises InvalidPolicy.
    """
    check(organisation, rules)
    gate.take(organisation.pk)
    before = saved(organisation)
    after = sorted(rules, key=lambda rule: (rule.slug, rule.status))
    if {_facts(rule) for rule in before} == {_facts(rule) for rule in after}:
        return
    RetentionRule.objects.filter(organisation=organisation).delete()
    RetentionRule.objects.bulk_create(
        RetentionRule(
            organisation=organisation,
            workflow_id=rule.workflow,
            status=rule.status,
            archive_after_days=rule.archive_after_days,
            delete_after_days=rule.delete_after_days,
        )
        for rule in after
    )
    audit.record(
        organisation=organisation,
        actor=actor,
        verb="orchestration.retention.changed",
        target=organisation,
        before={"rules": [rule.as_json() for rule in before]},
        after={"rules": [rule.as_json() for rule in after]},
    )


def check(organisation: Organisation, rules: Sequence[Rule]) -> None:
    """Raises InvalidPolicy with all that is wrong."""
    problems: list[dict[str, str]] = []
    known = set(Workflow.objects.filter(organisation=organisation).values_list("pk", flat=True))
    seen: dict[tuple[object, str], int] = {}
    for number, rule in enumerate(rules):

        def wrong(name: str, message: str, number: int = number) -> None:
            problems.append({"path": f"$.rules[{number}].{name}", "message": message})

        if rule.workflow is not None and rule.workflow not in known:
            wrong("workflow", "is no workflow of this organisation")
        if rule.status and rule.status not in STATUSES:
            wrong("status", f"must be one of {', '.join(STATUSES)}, or empty")
        if (first := seen.setdefault((rule.workflow, rule.status), number)) != number:
            wrong("workflow", f"says the same workflow and status as rule {first}")
        for name in ("archive_after_days", "delete_after_days"):
            days = getattr(rule, name)
            if days is not None and not 1 <= days <= MOST_DAYS:
                wrong(name, f"must be between 1 and {MOST_DAYS:,} days, or empty")
        if rule.archive_after_days and rule.delete_after_days and rule.delete_after_days <= rule.archive_after_days:
            wrong("delete_after_days", "must be more than archive_after_days")
    if problems:
        raise InvalidPolicy(problems)


def _facts(rule: Rule) -> tuple[object, ...]:
    return (rule.workflow, rule.status, rule.archive_after_days, rule.delete_after_days)
