"""Which runs are to be archived and deleted by a policy now. Statements over all runs of one organisation; they write
nothing, and take rules as a parameter, so a policy can be looked at before it is saved.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from django.db import connection

from orchestration.engine.statuses import RunStatus
from orchestration.retention.rules import Rule, as_parameter

ENDED = [status.value for status in RunStatus if status.ended]


class Act(StrEnum):
    ARCHIVE = "archive"
    DELETE = "delete"


# The rule of each root, and whether its time has come. A tree with a run that has not ended or is held is left alone.
_ROOTS = """
    SELECT run.id, run.workflow_id, run.status, run.ended_at, run.archived_at, rule.number
    FROM orchestration_run AS run
    CROSS JOIN LATERAL (
        SELECT * FROM jsonb_to_recordset(%(rules)s::jsonb)
            AS one(number int, workflow uuid, status text, archive int, delete int)
        WHERE (one.workflow IS NULL OR one.workflow = run.workflow_id) AND one.status IN ('', run.status)
        ORDER BY one.workflow IS NULL, one.status = '' LIMIT 1
    ) AS rule
    WHERE run.organisation_id = %(organisation)s AND run.parent_id IS NULL AND run.status = ANY(%(ended)s)
      AND run.ended_at < clock_timestamp() - make_interval(days => %(shortest)s) AND {due}
      AND NOT EXISTS (
        WITH RECURSIVE tree AS (
            SELECT run.id, run.workflow_id, run.status
            UNION ALL
            SELECT child.id, child.workflow_id, child.status
            FROM orchestration_run AS child JOIN tree ON child.parent_id = tree.id
        )
        SELECT 1 FROM tree WHERE NOT tree.status = ANY(%(ended)s) OR EXISTS (
            SELECT 1 FROM orchestration_legalhold AS hold
            WHERE hold.lifted_at IS NULL AND (hold.run_id = tree.id OR hold.workflow_id = tree.workflow_id)))
"""
_TO_DELETE = "run.ended_at < clock_timestamp() - make_interval(days => rule.delete)"
_DUE = {
    Act.DELETE: _TO_DELETE,
    Act.ARCHIVE: (
        "run.archived_at IS NULL AND run.ended_at < clock_timestamp() - make_interval(days => rule.archive) "
        f"AND ({_TO_DELETE}) IS NOT TRUE"
    ),
}
_NEXT = """
{roots} AND (run.ended_at, run.id) > (%(after_at)s, %(after_id)s) ORDER BY run.ended_at, run.id LIMIT %(limit)s
"""
_TREES = """
WITH RECURSIVE tree AS (
    SELECT id AS root, id, 0 AS depth FROM orchestration_run WHERE id = ANY(%s)
    UNION ALL
    SELECT tree.root, child.id, tree.depth + 1
    FROM orchestration_run AS child JOIN tree ON child.parent_id = tree.id
)
SELECT root, id, depth FROM tree ORDER BY root, depth DESC, id
"""
_COUNTS = """
WITH RECURSIVE root AS MATERIALIZED ({roots}), tree AS (
    SELECT root.id, root.number, root.workflow_id, root.status FROM root
    UNION ALL
    SELECT child.id, tree.number, tree.workflow_id, tree.status
    FROM orchestration_run AS child JOIN tree ON child.parent_id = tree.id
)
SELECT COALESCE(workflow.slug, ''), COALESCE(workflow.name, ''), tree.status, min(tree.number), count(*),
       sum(run.last_seq)::bigint, min(run.ended_at), max(run.ended_at), {bytes}
FROM tree JOIN orchestration_run AS run ON run.id = tree.id
LEFT JOIN orchestration_workflow AS workflow ON workflow.id = tree.workflow_id
{where} GROUP BY 1, 2, 3 ORDER BY 2, 3
"""
_ROWS_OF = " + ".join(
    f"COALESCE((SELECT sum(pg_column_size(kept.*)) FROM {table} AS kept WHERE kept.run_id = run.id), 0)"  # noqa: S608  our own
    for table in (
        "orchestration_runevent",
        "orchestration_noderun",
        "orchestration_runsignal",
        "orchestration_effect",
        "orchestration_runsnapshot",
    )
)
_BYTES = {
    Act.ARCHIVE: f"sum({_ROWS_OF})::bigint",
    Act.DELETE: (
        f"sum({_ROWS_OF} + pg_column_size(run.*) + COALESCE((SELECT pg_column_size(archive.*) "  # noqa: S608  our own
        "FROM orchestration_runarchive AS archive WHERE archive.run_id = run.id), 0))::bigint"
    ),
}


@dataclass(frozen=True, slots=True)
class Root:
    """A tree whose time has come. number: of its rule, in the list given."""

    id: UUID
    ended_at: datetime
    number: int


@dataclass(frozen=True, slots=True)
class Count:
    """Runs of one workflow that ended with one status, with the runs they began."""

    act: Act
    slug: str
    """Empty: of no workflow."""
    name: str
    status: str
    number: int
    """Of the rule that says so."""
    runs: int
    events: int
    first_ended_at: datetime
    last_ended_at: datetime
    bytes: int | None
    """What their rows take now, without indexes; None unless asked for."""


def next_roots(
    act: Act, organisation_id: int, rules: Sequence[Rule], *, after: tuple[datetime, UUID], limit: int
) -> list[Root]:
    """The longest ended first, behind `after` (a root's end and id)."""
    parameters = _parameters(act, organisation_id, rules)
    if parameters is None:
        return []
    statement = _NEXT.format(roots=_ROOTS.format(due=_DUE[act]))
    with connection.cursor() as cursor:
        cursor.execute(statement, {**parameters, "after_at": after[0], "after_id": after[1], "limit": limit})
        return [Root(row[0], row[3], row[5]) for row in cursor.fetchall()]


def trees(roots: Sequence[UUID]) -> dict[UUID, list[UUID]]:
    """All runs of each tree, the deepest first, the root last."""
    with connection.cursor() as cursor:
        cursor.execute(_TREES, [list(roots)])
        found: dict[UUID, list[UUID]] = {}
        for root, run, _ in cursor.fetchall():
            found.setdefault(root, []).append(run)
    return found


def bytes_of(run_ids: Sequence[UUID]) -> int:
    """What these runs' rows take, without indexes."""
    statement = f"SELECT COALESCE({_BYTES[Act.DELETE]}, 0) FROM orchestration_run AS run WHERE run.id = ANY(%s)"  # noqa: S608  our own
    with connection.cursor() as cursor:
        cursor.execute(statement, [list(run_ids)])
        (size,) = cursor.fetchone()
    return int(size)


def counts(act: Act, organisation_id: int, rules: Sequence[Rule], *, sizes: bool = False) -> list[Count]:
    """What would be done now, by workflow and status of the root. sizes: reads every row that would go."""
    parameters = _parameters(act, organisation_id, rules)
    if parameters is None:
        return []
    statement = _COUNTS.format(
        roots=_ROOTS.format(due=_DUE[act]),
        bytes=_BYTES[act] if sizes else "NULL",
        where="WHERE run.archived_at IS NULL" if act is Act.ARCHIVE else "",
    )
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return [Count(act, *row) for row in cursor.fetchall()]


def _parameters(act: Act, organisation_id: int, rules: Sequence[Rule]) -> dict[str, Any] | None:
    """None when no rule does this at all."""
    days = [rule.archive_after_days if act is Act.ARCHIVE else rule.delete_after_days for rule in rules]
    shortest = min((one for one in days if one is not None), default=None)
    if shortest is None:
        return None
    return {
        "rules": as_parameter(rules),
        "organisation": organisation_id,
        "ended": ENDED,
        "shortest": shortest,
    }
