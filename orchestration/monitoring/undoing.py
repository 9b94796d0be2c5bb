"""What became of the undoing of a run that failed or was cancelled, by the names of its steps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from orchestration.models import Run
from orchestration.monitoring import history
from orchestration.monitoring.words import names_of, places

JSON = Any


@dataclass(frozen=True, slots=True)
class NotUndone:
    name: str
    by: str
    """The step that was to undo it."""
    run: str
    """Instead of it, where the step had begun a run of its own: the id of that run, which undoes by itself."""
    message: str


@dataclass(frozen=True, slots=True)
class Undoing:
    undone: str
    """Names, the latest success first."""
    left: str
    failed: tuple[NotUndone, ...]
    left_to: frozenset[str]
    """The steps that were to undo something and did not come to it."""


def undoing(run: Run, definition: dict[str, JSON]) -> Undoing | None:
    """Of a run that has ended. At most one query, and none for a workflow in which nothing can be undone."""
    if run.status not in ("failed", "cancelled") or not any(map(may_be_undone, definition["nodes"])):
        return None
    summary = (run.error or {}).get("compensation")
    if summary is None:
        last = {"CompensationEnded", "RunRetried"}
        event = next(iter(history.of(run).last_events_of(last, 1)), None)
        summary = event.data if event and event.type == "CompensationEnded" else None
    if not summary:
        return None
    names = names_of(definition)
    return Undoing(
        undone=places(summary.get("undone"), names),
        left=places(summary.get("left"), names),
        failed=tuple(
            NotUndone(
                places([one], names), one["by"], one.get("run", ""), str((one.get("error") or {}).get("message", ""))
            )
            for one in summary.get("failed") or ()
        ),
        left_to=frozenset(one["by"] for one in summary.get("left") or ()),
    )


def may_be_undone(node: dict[str, JSON]) -> bool:
    """By the node of a definition: what a run that it has begun has done may be undone there."""
    return bool(node.get("compensate_with")) or node["type"] == "subworkflow"
