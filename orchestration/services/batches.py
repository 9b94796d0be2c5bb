"""Starting many runs of one workflow in one transaction: all of them or, if one's inputs are wrong, none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import transaction

from orchestration import tasks, wakeups
from orchestration.models import Run, Workflow
from orchestration.services import limits, new_runs, starting
from portal.core import live
from portal.core.actors import Actor
from portal.core.errors import UserError
from portal.core.services import audit

JSON = Any
MOST_RUNS = 1000


@dataclass(frozen=True, slots=True)
class Wanted:
    """One run of the batch."""

    inputs: dict[str, JSON] = field(default_factory=dict)
    idempotency_key: str | None = None


@dataclass(frozen=True, slots=True)
class Started:
    """`new` is False where the idempotency key had been used before: then it is that run."""

    run: Run
    new: bool


class InvalidBatch(UserError):
    """`problems`: [{"path": "runs.3: $.rfp", "message": "is required"}], of all runs."""

    def __init__(self, problems: Sequence[dict[str, JSON]]) -> None:
        first = problems[0]
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        message = f"Nothing was started. {first['path']} {first['message']}{more}."
        super().__init__(message, code="invalid_inputs")
        self.problems = list(problems)


def start_batch(
    *,
    workflow: Workflow,
    wanted: Sequence[Wanted],
    actor: Actor,
    source: str,
    version: int | None = None,
    priority: int = 5,
) -> list[Started]:
    """Start up to MOST_RUNS runs; the answers are in the order of `wanted`.

    One audit entry names them all. Raises InvalidBatch, IdempotencyConflict, NotPublished, NoSuchVersion, BadKey,
    limits.TooManyRuns.
    """
    before = _known(workflow, wanted)
    drafts = _drafts(workflow, wanted, before, actor, source, version, priority)
    new = [draft for draft in drafts if isinstance(draft, new_runs.Draft)]
    limits.make_room(workflow.organisation, len(new))
    with transaction.atomic():
        # A key that is being used by somebody else at this moment is waited for, and then theirs.
        Run.objects.bulk_create([draft.run for draft in new], ignore_conflicts=True)
        there = _known(workflow, wanted)
        answers = [_answer(draft, there) for draft in drafts]
        for draft, answer in zip(drafts, answers, strict=True):
            if answer.new and isinstance(draft, new_runs.Draft):
                draft.write_values()
        if started := [answer.run for answer in answers if answer.new]:
            _announce(workflow, started, actor, source)
    return answers


def _known(workflow: Workflow, wanted: Sequence[Wanted]) -> dict[str, Run]:
    """The runs that there are with keys of the batch. One query. Raises BadKey."""
    keys = [one.idempotency_key for one in wanted if one.idempotency_key]
    if any(len(key) > new_runs.LONGEST_KEY or "\0" in key for key in keys):
        raise new_runs.BadKey
    found = Run.objects.select_related("definition").filter(organisation=workflow.organisation)
    return {run.idempotency_key or "": run for run in found.filter(idempotency_key__in=keys)} if keys else {}


def _drafts(
    workflow: Workflow,
    wanted: Sequence[Wanted],
    before: Mapping[str, Run],
    actor: Actor,
    source: str,
    version: int | None,
    priority: int,
) -> list[new_runs.Draft | Run]:
    """A run where the key was used before: it is not checked against what the workflow takes by now."""
    chosen = starting.chosen_version(workflow, version)
    drafts: list[new_runs.Draft | Run] = []
    problems: list[dict[str, JSON]] = []
    for number, one in enumerate(wanted):
        new = new_runs.NewRun(
            organisation=workflow.organisation,
            actor=actor,
            version=chosen,
            inputs=one.inputs,
            source=source,
            idempotency_key=one.idempotency_key,
            priority=priority,
        )
        known = before.get(one.idempotency_key or "")
        try:
            drafts.append(new_runs.drafted(new) if known is None else new_runs.same_work(known, new))
        except new_runs.InvalidInputs as error:
            problems += [{**problem, "path": f"runs.{number}: {problem['path']}"} for problem in error.problems]
    if problems:
        raise InvalidBatch(problems)
    return drafts


def _answer(draft: new_runs.Draft | Run, there: Mapping[str, Run]) -> Started:
    """Without a key it is surely new; with one it may be an older run, also an earlier one of this batch."""
    if isinstance(draft, Run):
        return Started(draft, new=False)
    run = draft.run
    known = there.get(run.idempotency_key or "")
    if known is None or known.pk == run.pk:
        return Started(run, new=True)
    return Started(new_runs.same_work(known, draft.new), new=False)


def _announce(workflow: Workflow, new: Sequence[Run], actor: Actor, source: str) -> None:
    audit.record(
        organisation=workflow.organisation,
        actor=actor,
        verb="orchestration.run.batch_started",
        target=workflow,
        data={"workflow": workflow.slug, "source": source, "runs": [str(run.pk) for run in new]},
    )
    wakeups.ring_for_any()
    tasks.ring_if_nobody_listens()
    live.hint(workflow.organisation_id, "runs")
