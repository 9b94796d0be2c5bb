"""Facts of a run, in the past tense. State is their fold; pages, sockets, SSE, replay and tests read the same rows.

This package is the vocabulary: one file a subject, and `TYPES`, which names them all; `rows.py` says how they are
stored. Adding a field with a default is a compatible change, renaming or removing one is not: stored histories must
replay with tomorrow's code.

Errors are JSON: {"code": str, "message": str, "retryable": bool, "retry_after": seconds | None, "detail": any},
and "retry_policy" where an agent brings its own.
Usage is JSON: {"cost_usd": float | None, "input_tokens": int, "output_tokens": int, "model": str, "agent": str,
"agent_version": int}.
"""

from __future__ import annotations

from orchestration.engine.events.base import Event, NodeEvent
from orchestration.engine.events.loops import IterationEnded, IterationStarted, LoopBroken, LoopClosed, LoopOpened
from orchestration.engine.events.nodes import (
    NodeCancelled,
    NodeFailed,
    NodeResumed,
    NodeSkipped,
    NodeStarted,
    NodeSucceeded,
    NodeWaiting,
)
from orchestration.engine.events.recovery import (
    AlternativeChosen,
    AttemptAbandoned,
    AttemptFailed,
    ErrorHandled,
    EscalationAnswered,
    NodeEscalated,
    RetryScheduled,
)
from orchestration.engine.events.run import (
    CompensationEnded,
    CompensationStarted,
    RunBelowEnded,
    RunCancelled,
    RunCompleted,
    RunFailed,
    RunStarted,
)
from orchestration.engine.events.steering import (
    NodeOverridden,
    RunCancelRequested,
    RunMoved,
    RunPaused,
    RunResumed,
    RunRetried,
    SignalIgnored,
    VariablesChanged,
)

TYPES: dict[str, type[Event]] = {
    kind.__name__: kind
    for kind in (
        RunStarted, RunPaused, RunResumed, RunCancelRequested, RunRetried, RunCompleted, RunFailed, RunCancelled,
        VariablesChanged, RunMoved, CompensationStarted, RunBelowEnded,
        CompensationEnded,
        NodeStarted, NodeWaiting, NodeResumed, AttemptFailed, AttemptAbandoned, RetryScheduled,
        AlternativeChosen, NodeEscalated, EscalationAnswered, ErrorHandled,
        NodeSucceeded, NodeFailed, NodeSkipped, NodeOverridden, NodeCancelled,
        LoopOpened, IterationStarted, IterationEnded, LoopBroken, LoopClosed, SignalIgnored,
    )
}  # fmt: skip

__all__ = [
    "TYPES",
    "AlternativeChosen",
    "AttemptAbandoned",
    "AttemptFailed",
    "CompensationEnded",
    "CompensationStarted",
    "ErrorHandled",
    "EscalationAnswered",
    "Event",
    "IterationEnded",
    "IterationStarted",
    "LoopBroken",
    "LoopClosed",
    "LoopOpened",
    "NodeCancelled",
    "NodeEscalated",
    "NodeEvent",
    "NodeFailed",
    "NodeOverridden",
    "NodeResumed",
    "NodeSkipped",
    "NodeStarted",
    "NodeSucceeded",
    "NodeWaiting",
    "RetryScheduled",
    "RunBelowEnded",
    "RunCancelRequested",
    "RunCancelled",
    "RunCompleted",
    "RunFailed",
    "RunMoved",
    "RunPaused",
    "RunResumed",
    "RunRetried",
    "RunStarted",
    "SignalIgnored",
    "VariablesChanged",
]
