"""When a run is moved to another version, its row says so in the same commit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from orchestration.engine.events import RunMoved
from orchestration.nodes.commit_hooks import in_commit_of

if TYPE_CHECKING:
    import psycopg

    from orchestration.nodes.base import RunFacts

_MOVE = """
UPDATE orchestration_run AS run SET definition_id = %(definition)s, version_id = (
    SELECT version.id FROM orchestration_workflowversion AS version
    WHERE version.workflow_id = run.workflow_id AND version.number = %(version)s)
WHERE run.id = %(run)s
"""


@in_commit_of(RunMoved)
def move_row(connection: psycopg.Connection[Any], run: RunFacts, events: Sequence[RunMoved]) -> None:
    last = events[-1]
    connection.execute(_MOVE, {"run": run.id, "definition": last.definition, "version": last.version})
