"""How a run, and a node run, can stand."""

from __future__ import annotations

from enum import StrEnum


class RunStatus(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    WAITING = "waiting"
    """Nothing works and nothing can begin before a signal comes or a time is reached (a wait's, or a retry's)."""
    PAUSED = "paused"
    COMPENSATING = "compensating"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"

    __hash__ = str.__hash__  # that of enums takes ten times as long, and every event looks tables up

    def __init__(self, value: str) -> None:
        self.ended = value in ("completed", "failed", "cancelled")


class NodeStatus(StrEnum):
    PENDING = "pending"
    RUNNING = "running"
    WAITING = "waiting"
    RETRYING = "retrying"
    """An attempt has failed or was abandoned, and the retry policy has the word: again, when, or not at all."""
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    SKIPPED = "skipped"
    CANCELLED = "cancelled"

    __hash__ = str.__hash__

    def __init__(self, value: str) -> None:
        self.ended = value in ("succeeded", "failed", "skipped", "cancelled")


UNDER_WAY: frozenset[RunStatus] = frozenset(
    {RunStatus.RUNNING, RunStatus.WAITING, RunStatus.PAUSED, RunStatus.COMPENSATING}
)
