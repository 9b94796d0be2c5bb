"""State of a run and of its node runs.

`apply` (apply.py) is the only thing that changes a state, and it changes it by events only, as the tables of legal
moves allow (moves.py). Applying is in place (a fold over a long log must not copy the world at each step) and returns
the same object.

A run's `status` follows from its node runs except at its ends. Besides what has happened, the state keeps what follows
from it for the planner (scopes.py).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from orchestration.engine.graph import Graph
from orchestration.engine.ids import Key, NodeId, Path
from orchestration.engine.scopes import Frontier, Scope, ScopeKey
from orchestration.engine.statuses import NodeStatus, RunStatus


@dataclass(slots=True)
class LoopState:
    items: list[Any]
    limit: int
    stops: bool = True
    """Whether the first failed iteration stops the loop (setting `on_error`: stop)."""
    most: int | None = None
    """Of a loop that repeats while its condition holds, how many iterations there may be; None: once an item."""
    started: int = 0
    """How many iterations have begun; the next has this index."""
    open: dict[int, None] = field(default_factory=dict)
    """Iterations whose body's state is kept: those under way, and of a loop that stops those that failed."""
    results: dict[int, Any] = field(default_factory=dict)
    errors: dict[int, Any] = field(default_factory=dict)
    ended_by: str = ""
    """condition | break, once no further iteration begins for that reason."""
    broken_by: NodeId = ""
    """The `break` that was reached."""
    error: Any = None
    """Of the loop itself: its condition could not be evaluated, or never ceased to hold."""

    @property
    def failed(self) -> bool:
        return self.error is not None or (self.stops and bool(self.errors))

    @property
    def repeats(self) -> bool:
        """While a condition holds, and not once an item."""
        return self.most is not None

    @property
    def may_begin(self) -> bool:
        """A loop that repeats must have its condition checked first."""
        more = self.repeats or self.started < len(self.items)
        return more and not self.ended_by and len(self.open) < self.limit and not self.failed

    @property
    def through(self) -> bool:
        items_done = not self.repeats and self.started == len(self.items)
        return not self.open and (bool(self.ended_by) or items_done)


@dataclass(slots=True)
class NodeRunState:
    status: NodeStatus = NodeStatus.PENDING
    attempt: int = 0
    """Number of the current or last attempt; 0 before the first."""
    failures: int = 0
    """Attempts that failed: what the retry policy counts."""
    abandonments: int = 0
    """Attempts that were cut off with their host; not the node's fault, yet not without limit."""
    alternative: int = 0
    """Which of the node's alternatives is asked; 0 is the one it names first. The counts above are of this one."""
    tries_since: datetime | None = None
    """When the first of all attempts began: the node's total time counts from here."""
    answer: str = ""
    """What a person has said to its failure (`EscalationAnswered.action`), until the next attempt begins."""
    edited: Any = None
    """Settings a person has put in the place of the resolved ones."""
    abandoned: bool = False
    """The last attempt was cut off and nothing has been decided about it yet."""
    acted: str = ""
    """Whether outside calls of the last attempt, failed or cut off, took effect: "" none did, "maybe", "yes"."""
    handles: Any = None
    """Of an error handler whose path has begun: the error it was handed, with the node it came from."""
    inputs: Any = None
    """Settings of the last attempt as they were resolved; kept only of nodes that can be undone."""
    port: str = ""
    outputs: Any = None
    error: Any = None
    handled: bool = False
    taken_by: NodeId = ""
    """The join that has taken its failure upon itself."""
    until: datetime | None = None
    """When a waiting node's time is up, or when a retry is due."""
    waiting_for: str = ""
    wait_data: Any = None
    below: str = ""
    """The run it waits for, if that can undo what it does."""
    resumed: bool = False
    """This attempt went on from a wait; if it is cut off, it goes on from there again, with the same signal."""
    signal: Any = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    attempt_started_at: datetime | None = None
    failed_at: datetime | None = None
    """When the last attempt failed: backoff counts from here, so that a late planner does not lengthen it."""
    skip_reason: str = ""
    cancel_reason: str = ""
    loop: LoopState | None = None
    due_at: datetime | None = None
    """When the planner must look at it again, by `until` or the node's timeout; its entry in `Frontier.due`."""

    @property
    def works(self) -> bool:
        """Something is done for it right now. A loop that is open only watches over its body."""
        return self.status is NodeStatus.RUNNING and self.loop is None

    def forget_wait(self) -> None:
        self.waiting_for, self.wait_data, self.until = "", None, None
        self.forget_resumption()

    def forget_resumption(self) -> None:
        self.resumed, self.signal = False, None


@dataclass(slots=True)
class SharedEntry:
    """A key of the shared context, and who wrote it last."""

    value: Any
    node: NodeId
    path: Path = ()
    agent: str = ""
    at: datetime | None = None
    writes: int = 1


@dataclass(slots=True)
class Undoable:
    """A success that can be undone: all that undoing it needs, kept beyond its iteration."""

    inputs: Any = None
    outputs: Any = None
    loop: Any = None
    """{"item", "index", "parent"} of the loop around it."""


@dataclass(slots=True)
class Compensation:
    """The run is being undone, or was at its end. `error` is what it fails with; None: it was cancelled."""

    error: Any
    node: NodeId
    path: Path
    left: list[Key]
    """What is still to be undone; the last is next."""
    below: list[Any] = field(default_factory=list)
    """What became of the runs it waited for: {"run", "node", "path", "status", "error"}."""
    stopped: bool = False
    """It was cancelled meanwhile: nothing more is undone."""
    ended: bool = False


@dataclass(slots=True)
class RunState:
    graph: Graph
    seed: str = ""
    """The run's id: jitter derives from it, so that the same state always gives the same plan."""
    status: RunStatus = RunStatus.QUEUED
    inputs: Any = None
    variables: dict[str, Any] = field(default_factory=dict)
    shared: dict[ScopeKey, dict[str, SharedEntry]] = field(default_factory=dict)
    """The shared context by its layers (sharing.py)."""
    outputs: Any = None
    error: Any = None
    nodes: dict[Key, NodeRunState] = field(default_factory=dict)
    """Only node runs that something has happened to; the rest is pending. Bodies of ended iterations are dropped."""
    paused: bool = False
    paused_at: datetime | None = None
    cancel_requested: bool = False
    cancel_reason: str = ""
    cancel_undo: bool = False
    """What has succeeded is to be undone before the run ends as cancelled."""
    undoable: dict[Key, Undoable] = field(default_factory=dict)
    """Successes that can be undone, in the order of completion."""
    left_behind: dict[str, Key] = field(default_factory=dict)
    """Runs below that can undo what they do, and that their node run waits for no longer: {id: node run}."""
    compensation: Compensation | None = None
    rounds: dict[Key, int] = field(default_factory=dict)
    """How often a node run was undone and begun again."""
    started_at: datetime | None = None
    ended_at: datetime | None = None
    deadline: datetime | None = None
    """When the run's timeout is reached. A pause puts it off, a retry of the run sets it anew."""
    seq: int = 0
    """Number of events applied so far."""
    scopes: dict[ScopeKey, Scope] = field(default_factory=dict)
    frontier: Frontier = field(default_factory=Frontier)

    def node(self, key: Key) -> NodeRunState:
        """The state of a node run; a fresh pending one (not stored) if nothing has happened to it yet."""
        return self.nodes.get(key) or NodeRunState()

    def scope_of(self, key: Key) -> ScopeKey:
        node, path = key
        return (self.graph.nodes[node].parent, path)
