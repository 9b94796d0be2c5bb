"""What people have asked of a run, as changes of its state."""

from __future__ import annotations

from datetime import timedelta

from orchestration.engine import events, moving
from orchestration.engine.changes import NodeChanges, RunChanges
from orchestration.engine.reopening import reopen, run_deadline, work_out
from orchestration.engine.states import NodeRunState, RunState


def _run_paused(state: RunState, event: events.RunPaused) -> None:
    state.paused, state.paused_at = True, event.at


def _run_resumed(state: RunState, event: events.RunResumed) -> None:
    if state.deadline and state.paused_at:
        state.deadline += event.at - state.paused_at
    state.paused, state.paused_at = False, None


def _run_cancel_requested(state: RunState, event: events.RunCancelRequested) -> None:
    state.cancel_requested, state.cancel_reason, state.cancel_undo = True, event.reason, event.undo
    if state.compensation is not None:
        state.compensation.stopped = True


def _variables_changed(state: RunState, event: events.VariablesChanged) -> None:
    state.variables.update(event.values)


def _run_moved(state: RunState, event: events.RunMoved) -> None:
    """What the other graph does not know is forgotten; scopes and frontier are worked out anew in it."""
    assert event.graph is not None  # noqa: S101  checked before
    before = state.graph.timeout_seconds
    for key in moving.vanishing(state, event.graph):
        del state.nodes[key]
    state.scopes = {
        key: scope for key, scope in state.scopes.items() if moving.carries(state.graph, event.graph, key[0])
    }
    state.graph = event.graph
    state.variables = {**state.graph.variables, **state.variables}
    after = state.graph.timeout_seconds
    if state.started_at and before != after:
        begun = state.deadline - timedelta(seconds=before) if state.deadline and before else state.started_at
        state.deadline = run_deadline(state, begun)
    work_out(state)


def _node_overridden(state: RunState, node_run: NodeRunState, event: events.NodeOverridden) -> None:
    node_run.outputs, node_run.port, node_run.error = event.outputs, event.port, None
    node_run.abandoned = False
    node_run.forget_wait()


RUN_CHANGES: RunChanges = {
    events.RunPaused: _run_paused,
    events.RunResumed: _run_resumed,
    events.RunCancelRequested: _run_cancel_requested,
    events.VariablesChanged: _variables_changed,
    events.RunMoved: _run_moved,
    events.RunRetried: reopen,
}

NODE_CHANGES: NodeChanges = {events.NodeOverridden: _node_overridden}
