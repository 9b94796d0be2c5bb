"""Facts of a node run: what becomes of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from orchestration.engine.events.base import JSON, NodeEvent
from orchestration.engine.ids import NodeId


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeStarted(NodeEvent):
    """An attempt begins. `inputs` are the settings after references were resolved, secrets masked."""

    attempt: int
    inputs: JSON = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeWaiting(NodeEvent):
    """The node holds no worker until a signal for it arrives, or `until`, whichever is first."""

    reason: str
    """timer | approval | human_input | event | subworkflow; `escalation` is what `NodeEscalated` waits for"""
    until: datetime | None = None
    data: JSON = None
    below: str = ""
    """The run it waits for, if that can undo what it does: this run's undoing waits for that one's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeResumed(NodeEvent):
    """A waiting node goes on, because of a signal, or (`signal` is None) because its time has come."""

    signal: JSON = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeSucceeded(NodeEvent):
    outputs: JSON = None
    port: str = "out"
    usage: JSON = None
    variables: JSON = None
    """Workflow variables this node sets, or None."""
    shared: JSON = None
    """Keys of the shared context this node writes, or None (sharing.py)."""
    by_person: bool = False
    """It has failed, and a person lets it count as done with these outputs: it has done nothing of what it is for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeFailed(NodeEvent):
    """The node has failed for good. `handled`: its `error` port leads on; `taken_by`: the join behind it has taken the
    failure upon itself; otherwise the failure goes up. A join fails without having started when its rule can no longer
    be met."""

    error: JSON
    handled: bool = False
    taken_by: NodeId = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeSkipped(NodeEvent):
    """reason `dead_path`: no live edge leads here, its outgoing edges die.
    reason `failed_path`: what leads here has failed and a join takes that upon itself; its outgoing edges are failed,
    and `error` is the one it came from, with its `node`.
    reason `optional`: it failed and may be left out, `out` lives.
    reason `by_person`: somebody said to go on without it, `out` lives; `by` and `comment` tell who and why."""

    reason: str
    error: JSON = None
    by: str = ""
    comment: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeCancelled(NodeEvent):
    reason: str
    """cancelled | lost_join | failed_join | run_failed | iteration_failed | loop_stopped | loop_broken | timeout"""
