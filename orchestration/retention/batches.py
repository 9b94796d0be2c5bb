"""Archiving and deleting, one bounded batch a transaction. What may be killed at any moment is told in the package."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID

from django.db import connection, transaction
from django.db.models.functions import Now

from orchestration.models import Run, RunArchive, RunSnapshot
from orchestration.retention import choosing, figures, gate, packing
from orchestration.retention.choosing import ENDED, Act, Root
from orchestration.retention.rules import Rule, saved
from portal.core.actors import Actor
from portal.core.models import Organisation
from portal.core.services import audit

ROOTS = 50
"""Trees that a batch looks at."""
EVENTS = 10_000
"""A batch ends with the run that takes it over so many events: about a second."""
BEGINNING = (datetime(1970, 1, 1, tzinfo=UTC), UUID(int=0))
ACTOR = Actor(user=None, label="retention policy", channel="engine")

_LOCK = """
SELECT run.id, run.status, COALESCE(workflow.slug, ''), run.ended_at,
       CASE WHEN run.archived_at IS NULL THEN run.last_seq ELSE 0 END, run.archived_at IS NOT NULL
FROM orchestration_run AS run LEFT JOIN orchestration_workflow AS workflow ON workflow.id = run.workflow_id
WHERE run.id = ANY(%s) AND run.status = ANY(%s) AND run.due_at IS NULL AND run.host_id IS NULL
ORDER BY run.id FOR UPDATE OF run SKIP LOCKED
"""

_GOING: list[Callable[[Sequence[UUID]], None]] = []


def when_deleting(act: Callable[[Sequence[UUID]], None]) -> None:
    """Apps above this one say what of theirs goes with runs, before the runs do; in the same transaction."""
    _GOING.append(act)


Place = tuple[datetime, UUID]
"""Of a root in the order of work: when it ended, and its id."""


@dataclass(frozen=True, slots=True)
class Batch:
    """What one batch has done. after: where the next one begins; None when nothing is left."""

    after: Place | None
    by: dict[tuple[str, str], int] = field(default_factory=dict)
    """{(slug of the root's workflow, the root's status): runs}"""
    bytes_before: int = 0
    bytes_after: int = 0

    @property
    def runs(self) -> int:
        return sum(self.by.values())


@dataclass(frozen=True, slots=True)
class _Run:
    id: UUID
    status: str
    workflow: str
    ended_at: datetime
    events: int
    """In rows of their own; none once archived."""
    archived: bool


@dataclass(frozen=True, slots=True)
class _Tree:
    root: Root
    runs: tuple[_Run, ...]
    """The deepest first, the root last. None while any run of it is in somebody's hands."""

    @property
    def key(self) -> tuple[str, str]:
        return (self.runs[-1].workflow, self.runs[-1].status)

    @property
    def place(self) -> Place:
        return (self.root.ended_at, self.root.id)


@transaction.atomic
def archive(organisation: Organisation, after: Place = BEGINNING) -> Batch:
    """Pack the next runs whose time has come."""
    gate.share(organisation.pk)
    roots = choosing.next_roots(Act.ARCHIVE, organisation.pk, saved(organisation), after=after, limit=ROOTS)
    chosen: list[UUID] = []
    by: Counter[tuple[str, str]] = Counter()
    events = 0
    for tree in _locked(roots):
        for run in tree.runs:
            if run.archived:
                continue
            if events >= EVENTS:  # what is left of this tree is found again: its root comes last
                return _packed(chosen, after, by)
            chosen.append(run.id)
            events += run.events
            by[tree.key] += 1
        after = tree.place
    return _packed(chosen, after if roots else None, by)


def _packed(run_ids: list[UUID], after: Place | None, by: Counter[tuple[str, str]]) -> Batch:
    if not run_ids:
        return Batch(after)
    figures.keep(run_ids)
    packed = packing.pack(run_ids)
    RunArchive.objects.bulk_create(
        RunArchive(
            run_id=run_id,
            sections=one.sections,
            body=bytes(one.body),
            bytes_before=one.bytes_before,
            bytes_after=len(one.body),
        )
        for run_id, one in packed.items()
    )
    for kind in packing.KINDS:
        kind.model._default_manager.filter(run_id__in=run_ids)._raw_delete(using=connection.alias)
    RunSnapshot.objects.filter(run_id__in=run_ids).delete()
    Run.objects.filter(pk__in=run_ids).update(archived_at=Now())
    before = sum(one.bytes_before for one in packed.values())
    return Batch(after, dict(by), before, sum(len(one.body) for one in packed.values()))


@transaction.atomic
def delete(organisation: Organisation, after: Place = BEGINNING) -> Batch:
    """Remove the next trees whose time has come, and say so in the audit ledger."""
    gate.share(organisation.pk)
    rules = saved(organisation)
    roots = choosing.next_roots(Act.DELETE, organisation.pk, rules, after=after, limit=ROOTS)
    chosen: list[_Tree] = []
    events = 0
    for tree in _locked(roots):
        if events >= EVENTS:
            break
        after = tree.place
        if tree.runs:
            chosen.append(tree)
            events += sum(run.events for run in tree.runs)
    run_ids = [run.id for tree in chosen for run in tree.runs]
    freed = choosing.bytes_of(run_ids)
    figures.keep(run_ids)
    for act in _GOING:
        act(run_ids)
    Run.objects.filter(pk__in=run_ids).delete()
    by: Counter[tuple[str, str]] = Counter()
    for (number, key), trees in _grouped(chosen).items():
        _tell(organisation, rules[number], key, trees)
        by[key] += sum(len(tree.runs) for tree in trees)
    return Batch(after if roots else None, dict(by), freed, 0)


def _grouped(trees: Sequence[_Tree]) -> dict[tuple[int, tuple[str, str]], list[_Tree]]:
    found: dict[tuple[int, tuple[str, str]], list[_Tree]] = {}
    for tree in trees:
        found.setdefault((tree.root.number, tree.key), []).append(tree)
    return found


def _tell(organisation: Organisation, rule: Rule, key: tuple[str, str], trees: Sequence[_Tree]) -> None:
    """What a batch has deleted of one workflow, by one rule: the only trace that is left of these runs besides what
    the ledger had said of each.
    """
    workflow, status = key
    runs = sum(len(tree.runs) for tree in trees)
    audit.record(
        organisation=organisation,
        actor=ACTOR,
        verb="orchestration.runs.deleted",
        target_label=f"{runs} {status} run{'' if runs == 1 else 's'} of {workflow or 'no workflow'}",
        data={
            "workflow": workflow or None,
            "status": status,
            "runs": runs,
            "begun_by_these": runs - len(trees),
            "ended_from": min(tree.root.ended_at for tree in trees).isoformat(),
            "ended_until": max(tree.root.ended_at for tree in trees).isoformat(),
            "rule": rule.as_json(),
        },
    )


def _locked(roots: Sequence[Root]) -> Iterator[_Tree]:
    """The trees in the order of the roots, all their runs locked; one that is in somebody's hands has no runs."""
    if not roots:
        return
    members = choosing.trees([root.id for root in roots])
    with connection.cursor() as cursor:
        cursor.execute(_LOCK, [[run for tree in members.values() for run in tree], ENDED])
        locked = {row[0]: _Run(*row) for row in cursor.fetchall()}
    for root in roots:
        tree = members.get(root.id, [])
        free = bool(tree) and all(run in locked for run in tree)
        yield _Tree(root, tuple(locked[run] for run in tree) if free else ())
