"""The tables of legal moves: what may happen to a run and to a node run, and how it then stands.

An event that the tables do not allow raises `IllegalEvent` and leaves the state as it was. The pictures in
docs/engine.md are drawn from them (`diagram.py`); what they cannot say, such as that an iteration must be the next one,
is in `legal.py`.
"""

from __future__ import annotations

from orchestration.engine import events
from orchestration.engine.statuses import NodeStatus, RunStatus


class IllegalEvent(Exception):
    """An event that the tables of legal moves do not allow in this state."""


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


_WHILE_UNDER_WAY: dict[type[events.Event], RunStatus] = {
    events.RunCancelRequested: RunStatus.RUNNING,
    events.RunBelowEnded: RunStatus.RUNNING,
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
        **_WHILE_UNDER_WAY,
        events.VariablesChanged: RunStatus.RUNNING,
        events.RunMoved: RunStatus.RUNNING,
    },
    RunStatus.WAITING: {
        events.RunPaused: RunStatus.PAUSED,
        **_WHILE_UNDER_WAY,
        events.RunBelowEnded: RunStatus.WAITING,
        events.VariablesChanged: RunStatus.WAITING,
        events.RunMoved: RunStatus.RUNNING,
    },
    RunStatus.PAUSED: {
        events.RunResumed: RunStatus.RUNNING,
        **_WHILE_UNDER_WAY,
        events.VariablesChanged: RunStatus.PAUSED,
        events.RunMoved: RunStatus.PAUSED,
        events.CompensationStarted: RunStatus.PAUSED,
        events.RunBelowEnded: RunStatus.PAUSED,
        events.CompensationEnded: RunStatus.PAUSED,
    },
    RunStatus.COMPENSATING: {
        events.RunPaused: RunStatus.PAUSED,
        events.RunCancelRequested: RunStatus.COMPENSATING,
        events.RunBelowEnded: RunStatus.COMPENSATING,
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
