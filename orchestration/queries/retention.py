"""What a policy would do now, and what keeps a run. Reads only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.db import transaction
from django.db.models import Sum

from orchestration.models import LegalHold, Run, RunArchive, Workflow
from orchestration.retention import choosing, packing
from orchestration.retention.batches import BEGINNING
from orchestration.retention.choosing import Act, Count
from orchestration.retention.rules import Rule
from portal.core.models import Organisation

SAMPLE = 20
"""Runs that are packed to guess how small others will be, where none is archived yet."""


@dataclass(frozen=True, slots=True)
class Line:
    """Of a preview: runs of one workflow that ended with one status."""

    count: Count
    rule: Rule
    frees: int | None
    """Bytes, about, of what rows take without indexes; None unless asked for."""


@dataclass(frozen=True, slots=True)
class Preview:
    """What a policy would do now. Nothing has been done."""

    lines: tuple[Line, ...]
    held: int
    """Ended runs that began by themselves and are kept by a hold."""

    def of(self, act: Act) -> list[Line]:
        return [line for line in self.lines if line.count.act is act]

    @property
    def archived(self) -> int:
        return sum(line.count.runs for line in self.of(Act.ARCHIVE))

    @property
    def deleted(self) -> int:
        return sum(line.count.runs for line in self.of(Act.DELETE))


def preview(organisation: Organisation, rules: Sequence[Rule], *, sizes: bool = False) -> Preview:
    """What these rules would do now. sizes: how many bytes that frees, which reads every row that would go."""
    lines = [
        Line(count, rules[count.number], None)
        for act in (Act.ARCHIVE, Act.DELETE)
        for count in choosing.counts(act, organisation.pk, rules, sizes=sizes)
    ]
    if sizes and lines:
        share = 1 - _packed_share(organisation, rules)
        lines = [
            Line(
                line.count, line.rule, round((line.count.bytes or 0) * (share if line.count.act is Act.ARCHIVE else 1))
            )
            for line in lines
        ]
    return Preview(tuple(lines), _held(organisation))


@transaction.atomic
def _packed_share(organisation: Organisation, rules: Sequence[Rule]) -> float:
    """How much of its rows' bytes an archive takes: by those there are, else by packing some runs and throwing the
    result away.
    """
    known = RunArchive.objects.filter(run__organisation=organisation)
    sums = known.aggregate(before=Sum("bytes_before"), after=Sum("bytes_after"))
    if sums["before"]:
        return float(sums["after"]) / float(sums["before"])
    roots = choosing.next_roots(Act.ARCHIVE, organisation.pk, rules, after=BEGINNING, limit=SAMPLE)
    packed = packing.pack([root.id for root in roots]).values()
    before = sum(one.bytes_before for one in packed)
    return sum(len(one.body) for one in packed) / before if before else 1.0


def _held(organisation: Organisation) -> int:
    standing = LegalHold.objects.filter(organisation=organisation, lifted_at=None)
    ended = Run.objects.filter(organisation=organisation, parent=None, status__in=choosing.ENDED)
    of_runs = ended.filter(pk__in=standing.values("run"))
    return (of_runs | ended.filter(workflow__in=standing.values("workflow"))).count()


def holds_of_run(run: Run) -> list[LegalHold]:
    """Those that keep it: its own, its workflow's, and those of any run of its tree. One query."""
    return list(LegalHold.objects.raw(_OF_TREE, {"run": run.pk}))


def hold_of_workflow(workflow: Workflow) -> LegalHold | None:
    return LegalHold.objects.filter(workflow=workflow, lifted_at=None).first()


def standing(organisation: Organisation) -> list[LegalHold]:
    """All holds there are, the newest first, with what they are on. One query."""
    found = LegalHold.objects.filter(organisation=organisation, lifted_at=None).select_related("run", "workflow")
    return list(found.defer("run__inputs", "run__outputs", "workflow__draft").order_by("-set_at"))


_OF_TREE = """
WITH RECURSIVE above AS (
    SELECT id, parent_id, workflow_id FROM orchestration_run WHERE id = %(run)s
    UNION ALL
    SELECT run.id, run.parent_id, run.workflow_id
    FROM orchestration_run AS run JOIN above ON run.id = above.parent_id
), tree AS (
    SELECT id, workflow_id FROM above WHERE parent_id IS NULL
    UNION ALL
    SELECT run.id, run.workflow_id FROM orchestration_run AS run JOIN tree ON run.parent_id = tree.id
)
SELECT hold.* FROM orchestration_legalhold AS hold
WHERE hold.lifted_at IS NULL
  AND (hold.run_id IN (SELECT id FROM tree) OR hold.workflow_id IN (SELECT workflow_id FROM tree))
ORDER BY hold.run_id = %(run)s DESC NULLS LAST, hold.set_at
"""
