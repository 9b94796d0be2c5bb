"""State of a run and of its node runs, and the tables of legal moves.

`apply` (apply.py) is the only thing that changes a state, and it changes it by events only. An event that the tables
do not allow raises `IllegalEvent` and leaves the state as it was. Applying is in place (a fold over a long log must not
copy the world at each step) and returns the same object.

A run's `status` follows from its node runs except at its ends. Besides what has happened, the state keeps what follows
from it for the planner (`Scope`, `Frontier`): they are part of the fold, so that planning a step costs what the step
touches and not what the run holds.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from orchestration.engine import events
from orchestration.engine.graph import Graph, Key, NodeId, Order, Path


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

    @property
    def ended(self) -> bool:
        return self in (RunStatus.COMPLETED, RunStatus.FAILED, RunStatus.CANCELLED)


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

    @property
    def ended(self) -> bool:
        return self in (NodeStatus.SUCCEEDED, NodeStatus.FAILED, NodeStatus.SKIPPED, NodeStatus.CANCELLED)


NODE_MOVES: dict[NodeStatus, dict[type[events.NodeEvent], NodeStatus]] = {
    NodeStatus.PENDING: {
        events.NodeStarted: NodeStatus.RUNNING,
        # of an error handler: something has failed, and it may begin
        events.ErrorHandled: NodeStatus.PENDING,
        events.NodeSkipped: NodeStatus.SKIPPED,
        # only of joins, when their rule can no longer be met
        events.NodeFailed: NodeStatus.FAILED,
        events.NodeOverridden: NodeStatus.SUCCEEDED,
        events.NodeCancelled: NodeStatus.CANCELLED,
    },
    NodeStatus.RUNNING: {
        events.NodeSucceeded: NodeStatus.SUCCEEDED,
        events.NodeWaiting: NodeStatus.WAITING,
        events.AttemptFailed: NodeStatus.RETRYING,
        events.AttemptAbandoned: NodeStatus.RETRYING,
        events.LoopOpened: NodeStatus.RUNNING,
        events.IterationStarted: NodeStatus.RUNNING,
        events.IterationEnded: NodeStatus.RUNNING,
        events.LoopBroken: NodeStatus.RUNNING,
        events.LoopClosed: NodeStatus.RUNNING,
        # only of loops, whose failure is that of their body and not of an attempt
        events.NodeFailed: NodeStatus.FAILED,
        # of loops likewise, and of any node that a person skips
        events.NodeSkipped: NodeStatus.SKIPPED,
        events.NodeOverridden: NodeStatus.SUCCEEDED,
        events.NodeCancelled: NodeStatus.CANCELLED,
    },
    NodeStatus.WAITING: {
        events.NodeResumed: NodeStatus.RUNNING,
        events.AttemptFailed: NodeStatus.RETRYING,
        events.NodeSkipped: NodeStatus.SKIPPED,
        events.NodeOverridden: NodeStatus.SUCCEEDED,
        events.EscalationAnswered: NodeStatus.RETRYING,
        events.NodeCancelled: NodeStatus.CANCELLED,
    },
    NodeStatus.RETRYING: {
        events.RetryScheduled: NodeStatus.RETRYING,
        events.AlternativeChosen: NodeStatus.RETRYING,
        events.NodeEscalated: NodeStatus.WAITING,
        # a person lets it count as done
        events.NodeSucceeded: NodeStatus.SUCCEEDED,
        events.NodeStarted: NodeStatus.RUNNING,
        # an abandoned attempt that had been resumed goes on from its signal
        events.NodeResumed: NodeStatus.RUNNING,
        events.NodeFailed: NodeStatus.FAILED,
        events.NodeSkipped: NodeStatus.SKIPPED,
        events.NodeOverridden: NodeStatus.SUCCEEDED,
        events.NodeCancelled: NodeStatus.CANCELLED,
    },
    NodeStatus.SUCCEEDED: {},
    NodeStatus.FAILED: {},
    NodeStatus.SKIPPED: {},
    NodeStatus.CANCELLED: {},
}
"""What may happen to a node run, and what it is then. `RunRetried` besides opens failed and cancelled ones again."""

_UNDER_WAY: dict[type[events.Event], RunStatus] = {
    events.RunCancelRequested: RunStatus.RUNNING,
    events.RunCompleted: RunStatus.COMPLETED,
    events.RunFailed: RunStatus.FAILED,
    events.RunCancelled: RunStatus.CANCELLED,
    events.CompensationStarted: RunStatus.COMPENSATING,
}

RUN_MOVES: dict[RunStatus, dict[type[events.Event], RunStatus]] = {
    RunStatus.QUEUED: {
        events.RunStarted: RunStatus.RUNNING,
        events.RunCancelRequested: RunStatus.QUEUED,
        events.RunFailed: RunStatus.FAILED,
        events.RunCancelled: RunStatus.CANCELLED,
    },
    RunStatus.RUNNING: {
        events.RunPaused: RunStatus.PAUSED,
        **_UNDER_WAY,
        events.VariablesChanged: RunStatus.RUNNING,
        events.RunMoved: RunStatus.RUNNING,
    },
    RunStatus.WAITING: {
        events.RunPaused: RunStatus.PAUSED,
        **_UNDER_WAY,
        events.VariablesChanged: RunStatus.WAITING,
        events.RunMoved: RunStatus.RUNNING,
    },
    RunStatus.PAUSED: {
        events.RunResumed: RunStatus.RUNNING,
        **_UNDER_WAY,
        events.VariablesChanged: RunStatus.PAUSED,
        events.RunMoved: RunStatus.PAUSED,
        events.CompensationStarted: RunStatus.PAUSED,
        events.CompensationEnded: RunStatus.PAUSED,
    },
    RunStatus.COMPENSATING: {
        events.RunPaused: RunStatus.PAUSED,
        events.RunCancelRequested: RunStatus.COMPENSATING,
        events.CompensationEnded: RunStatus.COMPENSATING,
        events.RunFailed: RunStatus.FAILED,
        events.RunCancelled: RunStatus.CANCELLED,
    },
    RunStatus.COMPLETED: {},
    RunStatus.FAILED: {events.RunRetried: RunStatus.RUNNING},
    RunStatus.CANCELLED: {events.RunRetried: RunStatus.RUNNING},
}
"""What may happen to a run. `running` and `waiting` turn into each other by what its node runs do, without an event of
their own, and a run that was paused while it was compensating goes on compensating; events of node runs are legal while
it is running, waiting, paused or compensating (then only of nodes that undo others)."""

UNDER_WAY: frozenset[RunStatus] = frozenset(
    {RunStatus.RUNNING, RunStatus.WAITING, RunStatus.PAUSED, RunStatus.COMPENSATING}
)


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


ScopeKey = tuple[NodeId | None, Path]
"""One body being run: the loop it belongs to and the path its nodes have. `(None, ())` is the run itself."""
TOP: ScopeKey = (None, ())


@dataclass(slots=True)
class Failure:
    """A failure that nothing handled, on its way up."""

    error: Any
    node: NodeId
    path: Path


@dataclass(slots=True)
class Scope:
    """A body being run: how far its edges have been decided, and how much of it is still to end."""

    unended: int
    """Nodes that have to end before the scope can."""
    live: dict[NodeId, int] = field(default_factory=dict)
    """Per node, how many of its incoming edges are live. An edge whose source has not ended is open."""
    decided: dict[NodeId, int] = field(default_factory=dict)
    """Per node, how many of its incoming edges are no longer open."""
    failed: dict[NodeId, int] = field(default_factory=dict)
    """Per node, how many of its incoming edges are failed."""
    met: set[NodeId] = field(default_factory=set)
    """Joins whose rule was met before all their edges were decided: they fire once."""
    ignored: set[NodeId] = field(default_factory=set)
    """Losers of joins that ignore theirs: nobody waits for them, and their failures do not count."""
    failure: Failure | None = None


Rank = tuple[Order, Path, NodeId]


@dataclass(slots=True)
class Frontier:
    """Where the run stands: everything a plan can begin from. Kept by `apply`, read by `plan`."""

    ready: list[Rank] = field(default_factory=list)
    """Pending node runs whose rule is met, best first."""
    dead: dict[Key, None] = field(default_factory=dict)
    """Pending node runs that no live edge can reach any more, or that a failed one keeps from starting."""
    unmet: dict[Key, None] = field(default_factory=dict)
    """Pending joins that fail because their rule can no longer be met."""
    undecided: dict[Key, None] = field(default_factory=dict)
    """Attempts that failed or were abandoned, before the retry policy has spoken."""
    losers: dict[Key, str] = field(default_factory=dict)
    """Node runs to be cancelled because a join does without them, with the reason."""
    breaking: dict[ScopeKey, NodeId] = field(default_factory=dict)
    """Iterations in which a `break` was reached, and which; the loop has not been told yet."""
    loops: dict[Key, None] = field(default_factory=dict)
    """Open loops that may begin an iteration, or must stop, or are through."""
    failing: dict[ScopeKey, None] = field(default_factory=dict)
    """Scopes in which something has failed that nothing handled."""
    closing: dict[ScopeKey, None] = field(default_factory=dict)
    """Scopes in which everything has ended."""
    due: list[tuple[datetime, Key]] = field(default_factory=list)
    """Waits, retries and timeouts of loops by their time."""
    working: int = 0
    """Node runs for which something is done right now."""
    places: int = 0
    """How many of these take a place of `max_parallel`."""
    waiting: int = 0
    """Node runs that wait for a signal or a time, or for the retry policy's word."""

    @property
    def moves(self) -> bool:
        """Whether something could follow without a signal and without time going by."""
        return bool(
            self.working
            or self.ready
            or self.dead
            or self.unmet
            or self.undecided
            or self.losers
            or self.breaking
            or self.loops
            or self.failing
            or self.closing
        )


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


class IllegalEvent(Exception):
    """An event that the tables of legal moves do not allow in this state."""
