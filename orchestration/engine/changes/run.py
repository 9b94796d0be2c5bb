"""How a run begins, ends and is undone, as changes of its state."""

from __future__ import annotations

from orchestration.engine import events
from orchestration.engine.changes import RunChanges
from orchestration.engine.ids import path_text
from orchestration.engine.reopening import run_deadline, work_out
from orchestration.engine.scopes import TOP, Frontier
from orchestration.engine.states import Compensation, RunState
from orchestration.engine.taken import Taken


def _run_started(state: RunState, event: events.RunStarted) -> None:
    state.inputs = event.inputs
    state.variables = {**state.graph.variables, **event.variables}
    state.started_at = event.at
    state.deadline = run_deadline(state, event.at)
    for taken in map(Taken.from_json, event.reused):
        state.nodes[taken.node, ()] = taken.node_run()
        state.shared.setdefault(TOP, {}).update(taken.entries())
    work_out(state)


def _run_completed(state: RunState, event: events.RunCompleted) -> None:
    state.outputs = event.outputs


def _run_failed(state: RunState, event: events.RunFailed) -> None:
    state.error = event.error


def _run_cancelled(state: RunState, event: events.RunCancelled) -> None:
    state.cancel_reason = event.reason


def _compensation_started(state: RunState, event: events.CompensationStarted) -> None:
    """Everything under way has been stopped; from here on only the undoing nodes count."""
    state.compensation = Compensation(event.error, event.node, event.path, left=list(state.undoable))
    state.frontier = Frontier()


def _run_below_ended(state: RunState, event: events.RunBelowEnded) -> None:
    state.left_behind.pop(event.run, None)
    if state.compensation is not None:
        path = path_text(event.path)
        told = {"run": event.run, "node": event.node, "path": path, "status": event.status, "error": event.error}
        state.compensation.below.append(told)


def _compensation_ended(state: RunState, event: events.CompensationEnded) -> None:
    if state.compensation is not None:
        state.compensation.ended = True


RUN_CHANGES: RunChanges = {
    events.RunStarted: _run_started,
    events.RunCompleted: _run_completed,
    events.RunFailed: _run_failed,
    events.RunCancelled: _run_cancelled,
    events.CompensationStarted: _compensation_started,
    events.RunBelowEnded: _run_below_ended,
    events.CompensationEnded: _compensation_ended,
}
