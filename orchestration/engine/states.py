"""State of a run and of its node runs, and the tables of legal moves.

`apply` is the only thing that changes a state, and it changes it by events only. An event that the tables do not
allow raises `IllegalEvent` and leaves the state as it was. Applying is in place (a fold over a long log must not copy the
world at each step) and returns the same object.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from orchestration.engine.graph import Graph, Key


class RunStatus(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    WAITING = "waiting"
    PAUSED = "paused"
    COMPENSATING = "compensating"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def ended(self) -> bool:
        return self in (RunStatus.COMPLETED, RunStatus.FAILED, RunStatus.CANCELLED)


class NodeStatus(StrEnum):
    PENDING = "pending"
    RUNNING = "running"
    WAITING = "waiting"
    RETRYING = "retrying"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    SKIPPED = "skipped"
    CANCELLED = "cancelled"

    @property
    def ended(self) -> bool:
        return self in (NodeStatus.SUCCEEDED, NodeStatus.FAILED, NodeStatus.SKIPPED, NodeStatus.CANCELLED)


@dataclass(slots=True)
class LoopState:
    items: list[Any]
    limit: int
    started: int = 0
    """How many iterations have begun; the next has this index."""
    results: dict[int, Any] = field(default_factory=dict)
    errors: dict[int, Any] = field(default_factory=dict)


@dataclass(slots=True)
class NodeRunState:
    status: NodeStatus = NodeStatus.PENDING
    attempt: int = 0
    """Number of the current or last attempt; 0 before the first."""
    port: str = ""
    outputs: Any = None
    error: Any = None
    handled: bool = False
    until: datetime | None = None
    """When a waiting node's time is up, or when a retry is due."""
    waiting_for: str = ""
    wait_data: Any = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    attempt_started_at: datetime | None = None
    skip_reason: str = ""
    loop: LoopState | None = None


@dataclass(slots=True)
class RunState:
    graph: Graph
    status: RunStatus = RunStatus.QUEUED
    inputs: Any = None
    variables: dict[str, Any] = field(default_factory=dict)
    outputs: Any = None
    error: Any = None
    nodes: dict[Key, NodeRunState] = field(default_factory=dict)
    """Only node runs that something has happened to; the rest is pending. Bodies of ended iterations are dropped."""
    paused: bool = False
    cancel_requested: bool = False
    cancel_reason: str = ""
    started_at: datetime | None = None
    ended_at: datetime | None = None
    seq: int = 0
    """Number of events applied so far."""

    def node(self, key: Key) -> NodeRunState:
        """The state of a node run; a fresh pending one (not stored) if nothing has happened to it yet."""
        return self.nodes.get(key) or NodeRunState()


class IllegalEvent(Exception):
    """An event that the tables of legal moves do not allow in this state."""
