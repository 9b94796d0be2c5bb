"""What comes to a run from outside: a decision, an answer, cancel, pause, resume, retry.

A signal is a row posted without a lease. The driver asks `interpret` what it means in the present state and records the
resulting events in the same commit that marks the signal as applied: exactly once, however often the doorbell rings.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from orchestration.engine.events import (
    Event,
    NodeResumed,
    RunCancelRequested,
    RunPaused,
    RunResumed,
    RunRetried,
    SignalIgnored,
)
from orchestration.engine.graph import NodeId, Path
from orchestration.engine.states import NodeStatus, RunState, RunStatus


class SignalKind(StrEnum):
    CANCEL = "cancel"
    PAUSE = "pause"
    RESUME = "resume"
    RETRY = "retry"
    NODE = "node"
    """For one waiting node run: a decision, a person's answer. `data` is what the node type's `resume` is given."""


@dataclass(frozen=True, slots=True)
class Signal:
    id: int
    kind: SignalKind
    posted_at: datetime
    by: str = ""
    reason: str = ""
    node: NodeId = ""
    path: Path = ()
    data: Any = field(default=None)


def interpret(state: RunState, signal: Signal, now: datetime) -> list[Event]:
    """The events a signal amounts to in this state. One that can change nothing any more is written down as ignored.

    After `NodeResumed` the driver calls the type's `resume` with its signal. `RunStarted` comes before any signal.
    """
    if refusal := _refusal(state, signal):
        ignored = {"by": signal.by, "node": signal.node, "path": list(signal.path), "data": signal.data}
        return [SignalIgnored(at=now, kind=signal.kind, reason=refusal, data=ignored)]
    match signal.kind:
        case SignalKind.CANCEL:
            return [RunCancelRequested(at=now, by=signal.by, reason=signal.reason)]
        case SignalKind.PAUSE:
            return [RunPaused(at=now, by=signal.by, reason=signal.reason)]
        case SignalKind.RESUME:
            return [RunResumed(at=now, by=signal.by)]
        case SignalKind.RETRY:
            return [RunRetried(at=now, by=signal.by)]
        case SignalKind.NODE:
            return [NodeResumed(at=now, node=signal.node, path=signal.path, signal=signal.data)]


def _refusal(state: RunState, signal: Signal) -> str:
    """Why the signal changes nothing, as a sentence for the run's history; empty if it does."""
    if signal.kind is SignalKind.RETRY:
        return _refusal_of_retry(state)
    if state.status.ended:
        return f"The run has already ended: it is {state.status}."
    if state.cancel_requested:
        return "The run is being cancelled."
    if signal.kind is not SignalKind.CANCEL and state.status is RunStatus.QUEUED:
        return "The run has not begun."
    match signal.kind:
        case SignalKind.PAUSE if state.paused:
            return "The run is paused already."
        case SignalKind.RESUME if not state.paused:
            return "The run is not paused."
        case SignalKind.NODE:
            return _refusal_by_node(state, signal)
    return ""


def _refusal_of_retry(state: RunState) -> str:
    if state.status not in (RunStatus.FAILED, RunStatus.CANCELLED):
        return f"Only a failed or cancelled run can be retried, and this one is {state.status}."
    if state.started_at is None:
        return "The run ended before it began, so there is nothing to go on from: start a new one."
    return ""


def _refusal_by_node(state: RunState, signal: Signal) -> str:
    node_run = state.nodes.get((signal.node, signal.path))
    if node_run is None:
        return "Nothing waits for it: the node has not begun, or its iteration has ended."
    if node_run.status is NodeStatus.WAITING:
        return ""
    if node_run.resumed:
        return "The node goes on already: another signal, or its time, came first."
    return f"The node does not wait: it is {node_run.status}."
