"""What becomes of a node run, as a change of its state."""

from __future__ import annotations

from orchestration.engine import errors, events, saga, sharing
from orchestration.engine.changes import NodeChanges
from orchestration.engine.scopes import TOP, Failure
from orchestration.engine.states import NodeRunState, RunState


def _node_started(state: RunState, node_run: NodeRunState, event: events.NodeStarted) -> None:
    node_run.attempt = event.attempt
    node_run.started_at = node_run.started_at or event.at
    node_run.attempt_started_at = event.at
    node_run.tries_since = node_run.tries_since or event.at
    node_run.until = None
    node_run.abandoned = False
    node_run.answer = ""
    if state.graph.nodes[event.node].compensate_with is not None:
        node_run.inputs = event.inputs
    node_run.forget_wait()


def _node_waiting(state: RunState, node_run: NodeRunState, event: events.NodeWaiting) -> None:
    node_run.forget_wait()
    node_run.waiting_for, node_run.until, node_run.wait_data = event.reason, event.until, event.data
    node_run.below = event.below


def _node_resumed(state: RunState, node_run: NodeRunState, event: events.NodeResumed) -> None:
    """What it waited for is kept: the type's `resume` is given it, and again if this host dies meanwhile."""
    node_run.resumed, node_run.signal = True, event.signal
    node_run.until = None
    node_run.abandoned = False
    if event.signal is not None:
        node_run.below = ""


def _node_succeeded(state: RunState, node_run: NodeRunState, event: events.NodeSucceeded) -> None:
    did_nothing = node_run.answer == "skip" and not errors.is_unclear(node_run.error)
    node_run.outputs, node_run.port, node_run.error = event.outputs, event.port, None
    node_run.forget_wait()
    if event.variables:
        state.variables.update(event.variables)
    if event.shared:
        sharing.write(state, event)
    if state.compensation is None and not did_nothing:
        saga.remember(state, event.key, node_run)


def _node_failed(state: RunState, node_run: NodeRunState, event: events.NodeFailed) -> None:
    node_run.error, node_run.handled, node_run.taken_by = event.error, event.handled, event.taken_by
    node_run.port = "error" if event.handled else ""
    if state.compensation is None and not (event.handled or event.taken_by):
        scope_key = state.scope_of(event.key)
        scope = state.scopes[scope_key]
        scope.failure = scope.failure or Failure(event.error, event.node, event.path)
        if scope_key != TOP or state.graph.on_failure == "fail":
            state.frontier.failing[scope_key] = None


def _node_skipped(state: RunState, node_run: NodeRunState, event: events.NodeSkipped) -> None:
    node_run.skip_reason, node_run.error = event.reason, event.error
    node_run.port = "out" if event.reason in ("optional", "by_person") else ""
    node_run.forget_wait()


def _node_cancelled(state: RunState, node_run: NodeRunState, event: events.NodeCancelled) -> None:
    node_run.cancel_reason = event.reason
    node_run.until = None


NODE_CHANGES: NodeChanges = {
    events.NodeStarted: _node_started,
    events.NodeWaiting: _node_waiting,
    events.NodeResumed: _node_resumed,
    events.NodeSucceeded: _node_succeeded,
    events.NodeFailed: _node_failed,
    events.NodeSkipped: _node_skipped,
    events.NodeCancelled: _node_cancelled,
}
