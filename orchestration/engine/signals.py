"""What comes to a run from outside: a decision, an answer, cancel, pause, resume, retry, and what steers it.

A signal is a row posted without a lease. The driver asks `interpret` what it means in the present state and records the
resulting events in the same commit that marks the signal as applied: exactly once, however often the doorbell rings.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from orchestration.engine import steering
from orchestration.engine.events import (
    EscalationAnswered,
    Event,
    NodeResumed,
    RunBelowEnded,
    RunCancelRequested,
    RunPaused,
    RunResumed,
    RunRetried,
    SignalIgnored,
    VariablesChanged,
)
from orchestration.engine.graph import Graph
from orchestration.engine.ids import NodeId, Path
from orchestration.engine.states import RunState
from orchestration.engine.statuses import NodeStatus, RunStatus


class SignalKind(StrEnum):
    CANCEL = "cancel"
    PAUSE = "pause"
    RESUME = "resume"
    RETRY = "retry"
    """Of an ended run; with a node, of a live one: do not wait for the time of that node's next try."""
    SKIP = "skip"
    OVERRIDE = "override"
    """`data` is {"outputs", "port"}: what the node is to have yielded."""
    VARIABLES = "variables"
    """`data` is {"values": {name: value}}."""
    MOVE = "move"
    """`data` is {"definition", "version", "previous", "previous_version"}: go on with another version."""
    NODE = "node"
    """For one waiting node run: a decision, a person's answer. `data` is what the node type's `resume` is given.

    For one that was escalated: {"action": "retry" | "retry_with" | "skip" | "fail", "settings": of retry_with,
    "outputs" and "port": of skip, "comment"}.
    """
    BELOW = "below"
    """A run that a step had begun, and whose undoing is waited for, has ended: `data` is {"run", "status", "error"}."""


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
    graph: Graph | None = field(default=None, compare=False, repr=False)
    """Of the definition a `move` names; whoever reads the signal puts it here."""


def interpret(state: RunState, signal: Signal, now: datetime) -> list[Event]:
    """The events a signal amounts to in this state. One that can change nothing any more is written down as ignored.

    After `NodeResumed` the driver calls the type's `resume` with its signal. `RunStarted` comes before any signal.
    """
    if _is_of_left_behind(state, signal):
        return [_below_ended(state, signal, now)]
    if refusal := refusal_of(state, signal):
        ignored = {"by": signal.by, "node": signal.node, "path": list(signal.path), "data": signal.data}
        return [SignalIgnored(at=now, kind=signal.kind, reason=refusal, data=ignored)]
    match signal.kind:
        case SignalKind.CANCEL:
            asked = RunCancelRequested(at=now, by=signal.by, reason=signal.reason, undo=wants_undo(signal))
            # an end is wished now, and a pause would keep the undoing before it from beginning
            return [RunResumed(at=now, by=signal.by), asked] if state.paused and asked.undo else [asked]
        case SignalKind.PAUSE:
            return [RunPaused(at=now, by=signal.by, reason=signal.reason)]
        case SignalKind.RESUME:
            return [RunResumed(at=now, by=signal.by)]
        case SignalKind.RETRY if signal.node:
            return steering.retried_now(state, signal, now)
        case SignalKind.RETRY:
            return _retried(signal, now)
        case SignalKind.SKIP:
            return steering.skipped(state, signal, now)
        case SignalKind.OVERRIDE:
            return steering.overridden(state, signal, now)
        case SignalKind.VARIABLES:
            return steering.variables_changed(signal, now)
        case SignalKind.MOVE:
            return steering.moved(signal, now)
        case SignalKind.NODE if _is_escalated(state, signal):
            return [_answer(signal, now)]
        case SignalKind.NODE:
            return [NodeResumed(at=now, node=signal.node, path=signal.path, signal=signal.data)]
    raise AssertionError("What is left is refused.")


def wants_undo(signal: Signal) -> bool:
    """Of a cancel: `data` is {"undo": bool} or nothing."""
    return isinstance(signal.data, dict) and bool(signal.data.get("undo"))


def _refusal_while_undoing(state: RunState, signal: Signal) -> str:
    match signal.kind:
        case SignalKind.CANCEL if wants_undo(signal):
            return "What the run has done is being undone already."
        case SignalKind.CANCEL if state.compensation and state.compensation.stopped:
            return "The undoing is being stopped already."
        case SignalKind.PAUSE if state.paused:
            return "The run is paused already."
        case SignalKind.RESUME if not state.paused:
            return "The run is not paused."
        case SignalKind.RETRY:
            return steering.refusal_of_retry_now(state, signal)
        case SignalKind.NODE:
            return _refusal_by_node(state, signal)
        case SignalKind.BELOW:
            return "Nothing waits for it."
        case SignalKind.CANCEL | SignalKind.PAUSE | SignalKind.RESUME:
            return ""
    return "What the run has done is being undone, so nothing about its steps can be changed any more."


def _is_of_left_behind(state: RunState, signal: Signal) -> bool:
    """The end of a run that nothing waits for any more but its undoing. It may have been told to its node, which then
    waited: both happened at the same moment.
    """
    told = signal.kind in (SignalKind.BELOW, SignalKind.NODE) and isinstance(signal.data, dict)
    return told and not state.status.ended and signal.data.get("run") in state.left_behind


def _below_ended(state: RunState, signal: Signal, now: datetime) -> RunBelowEnded:
    said = signal.data
    node, path = state.left_behind[said["run"]]
    return RunBelowEnded(at=now, run=said["run"], node=node, path=path, status=said["status"], error=said.get("error"))


def _is_escalated(state: RunState, signal: Signal) -> bool:
    return state.node((signal.node, signal.path)).waiting_for == "escalation"


def _answer(signal: Signal, now: datetime) -> EscalationAnswered:
    said = signal.data
    return EscalationAnswered(
        at=now,
        node=signal.node,
        path=signal.path,
        action=said["action"],
        by=signal.by,
        comment=said.get("comment") or "",
        settings=said.get("settings"),
        outputs=said.get("outputs"),
        port=said.get("port") or "out",
    )


def refusal_of(state: RunState, signal: Signal) -> str:
    """Why the signal changes nothing, as a sentence for the run's history; empty if it does."""
    if signal.kind is SignalKind.RETRY and not signal.node:
        return _refusal_of_retry(state)
    if signal.kind in _OUTCOMES and state.status in (RunStatus.FAILED, RunStatus.CANCELLED):
        return _refusal_of_retry(state) or steering.refusal_of_outcome(state, signal)
    if state.status.ended:
        return f"The run has already ended: it is {state.status}."
    if state.compensation is not None:
        return _refusal_while_undoing(state, signal)
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
        case SignalKind.BELOW:
            return "Nothing waits for it."
        case SignalKind.SKIP | SignalKind.OVERRIDE:
            return steering.refusal_of_outcome(state, signal)
        case SignalKind.RETRY:
            return steering.refusal_of_retry_now(state, signal)
        case SignalKind.VARIABLES:
            return steering.refusal_of_variables(state, signal)
        case SignalKind.MOVE:
            return steering.refusal_of_move(state, signal)
    return ""


_OUTCOMES = frozenset({SignalKind.SKIP, SignalKind.OVERRIDE})


def _retried(signal: Signal, now: datetime) -> list[Event]:
    """With other values of variables, if `data` is {"variables": {name: value}}."""
    values = dict((signal.data or {}).get("variables") or {})
    changed = [VariablesChanged(at=now, values=values, by=signal.by, reason=signal.reason)] if values else []
    return [RunRetried(at=now, by=signal.by), *changed]


def _refusal_of_retry(state: RunState) -> str:
    if state.status not in (RunStatus.FAILED, RunStatus.CANCELLED):
        return f"Only a failed or cancelled run can be retried, and this one is {state.status}."
    if state.started_at is None:
        return "The run ended before it began, so there is nothing to go on from: start a new one."
    return ""


def _says_what_to_do(data: Any) -> bool:
    return isinstance(data, dict) and data.get("action") in ("retry", "retry_with", "skip", "fail")


def _refusal_by_node(state: RunState, signal: Signal) -> str:
    node_run = state.nodes.get((signal.node, signal.path))
    if node_run is None:
        return "Nothing waits for it: the node has not begun, or its iteration has ended."
    if node_run.waiting_for == "escalation" and not _says_what_to_do(signal.data):
        return "The node has failed and waits for a person's word on that, and this answers something else."
    if node_run.status is NodeStatus.WAITING:
        return ""
    if node_run.resumed:
        return "The node goes on already: another signal, or its time, came first."
    return f"The node does not wait: it is {node_run.status}."
