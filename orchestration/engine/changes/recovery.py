"""What recovery does to a node run: failed attempts, other agents, questions to people, the handlers of errors."""

from __future__ import annotations

from orchestration.engine import events, handlers
from orchestration.engine.changes import NodeChanges
from orchestration.engine.states import NodeRunState, RunState


def _attempt_failed(state: RunState, node_run: NodeRunState, event: events.AttemptFailed) -> None:
    node_run.failures += 1
    node_run.error, node_run.failed_at = event.error, event.at
    node_run.acted = event.acted
    node_run.until = None
    node_run.forget_wait()


def _attempt_abandoned(state: RunState, node_run: NodeRunState, event: events.AttemptAbandoned) -> None:
    node_run.abandonments += 1
    node_run.abandoned = True
    node_run.acted = event.acted
    node_run.failed_at = event.at


def _retry_scheduled(state: RunState, node_run: NodeRunState, event: events.RetryScheduled) -> None:
    node_run.until = event.due


def _alternative_chosen(state: RunState, node_run: NodeRunState, event: events.AlternativeChosen) -> None:
    """It begins at once, as a retry that is due does."""
    node_run.alternative = event.index
    node_run.failures = node_run.abandonments = 0
    node_run.abandoned = False
    node_run.until = event.at
    node_run.forget_resumption()


def _node_escalated(state: RunState, node_run: NodeRunState, event: events.NodeEscalated) -> None:
    node_run.forget_wait()
    node_run.error, node_run.abandoned = event.error, False
    node_run.waiting_for = "escalation"
    node_run.wait_data = {"assignee": event.assignee, "message": event.message}


def _escalation_answered(state: RunState, node_run: NodeRunState, event: events.EscalationAnswered) -> None:
    """A retry begins at once, with the agent and the number of tries of the beginning; the rest is for the plan."""
    node_run.forget_wait()
    node_run.answer = event.action
    if event.action == "skip":
        node_run.outputs, node_run.port = event.outputs, event.port
    if event.action == "retry_with":
        node_run.edited = event.settings
    if event.action in ("retry", "retry_with"):
        node_run.failures = node_run.abandonments = node_run.alternative = 0
        node_run.tries_since, node_run.until = None, event.at


def _error_handled(state: RunState, node_run: NodeRunState, event: events.ErrorHandled) -> None:
    node_run.handles = event.error
    handlers.begin(state, event.key)


NODE_CHANGES: NodeChanges = {
    events.AttemptFailed: _attempt_failed,
    events.AttemptAbandoned: _attempt_abandoned,
    events.RetryScheduled: _retry_scheduled,
    events.AlternativeChosen: _alternative_chosen,
    events.NodeEscalated: _node_escalated,
    events.EscalationAnswered: _escalation_answered,
    events.ErrorHandled: _error_handled,
}
