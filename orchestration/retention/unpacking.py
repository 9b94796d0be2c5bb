"""Archived runs come back as rows, when somebody lets one go on."""

from __future__ import annotations

from uuid import UUID

from django.db import connection

from orchestration.models import Run, RunArchive
from orchestration.retention import figures, packing

_TREE = """
WITH RECURSIVE above AS (
    SELECT id, parent_id FROM orchestration_run WHERE id = %(run)s
    UNION ALL
    SELECT run.id, run.parent_id FROM orchestration_run AS run JOIN above ON run.id = above.parent_id
), tree AS (
    SELECT id FROM above WHERE parent_id IS NULL
    UNION ALL
    SELECT run.id FROM orchestration_run AS run JOIN tree ON run.parent_id = tree.id
)
SELECT archive.run_id FROM orchestration_runarchive AS archive JOIN tree ON archive.run_id = tree.id ORDER BY 1
"""


def unpack_tree(run_id: UUID) -> int:
    """Unpack the run and all runs of its tree: what goes on may ask for children and hands costs up to parents. Says
    how many were unpacked; one query if none was.

    Call in a transaction that has locked the run's row. An archiving batch locks every run of a tree, so it has either
    been committed, and is seen here, or leaves this tree alone.
    """
    with connection.cursor() as cursor:
        cursor.execute(_TREE, {"run": run_id})
        found = [row[0] for row in cursor.fetchall()]
    for one in found:
        _unpack(one)
    return len(found)


def _unpack(run_id: UUID) -> None:
    """Two people at once who let two runs of one tree go on: the second waits for the archive's row and finds none."""
    archive = RunArchive.objects.select_for_update().filter(run_id=run_id).first()
    if archive is None:
        return
    kinds = {kind.name: kind for kind in packing.KINDS}
    body = bytes(archive.body)
    for section in archive.sections:
        kind = kinds[section["kind"]]
        piece = body[section["at"] : section["at"] + section["bytes"]]
        packing.restore(kind, packing.unpacked(kind, section, piece, run_id))
    figures.give_back(run_id)
    archive.delete()
    Run.objects.filter(pk=run_id).update(archived_at=None)
