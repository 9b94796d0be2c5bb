"""Folding events into a state: `begin`, then `apply` for each event in order.

An event is checked against the tables (states.py) before anything is touched. An event of a node run is then applied in
four steps: take the node run out of the frontier, change it, put it back in, and if it has ended decide its edges.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any

from orchestration.engine import errors, events, handlers, loops, moving, reuse, saga, sharing
from orchestration.engine.events import Event, NodeEvent
from orchestration.engine.frontier import enter, leave
from orchestration.engine.graph import Graph, Key
from orchestration.engine.joins import open_scope, settle
from orchestration.engine.reopening import may_open_again, reopen, run_deadline, work_out
from orchestration.engine.states import (
    NODE_MOVES,
    RUN_MOVES,
    TOP,
    UNDER_WAY,
    Compensation,
    Failure,
    Frontier,
    IllegalEvent,
    LoopState,
    NodeRunState,
    NodeStatus,
    RunState,
    RunStatus,
)


def begin(graph: Graph, seed: str = "") -> RunState:
    """A run before its first event. `seed` is the run's id.

    `graph` is that of the run's first definition (`moving.first_definition`): a run may have been moved since.
    """
    return RunState(graph=graph, seed=seed)


def apply(state: RunState, event: Event) -> RunState:
    """Change the state by one event, in place. Raises IllegalEvent, and then nothing has changed."""
    if isinstance(event, NodeEvent):
        _apply_to_node(state, event)
    elif not isinstance(event, events.SignalIgnored):
        _apply_to_run(state, event)
    state.seq += 1
    if state.status in UNDER_WAY:
        state.status = _status_under_way(state)
    return state


def apply_all(state: RunState, log: Iterable[Event]) -> RunState:
    for event in log:
        apply(state, event)
    return state


def _status_under_way(state: RunState) -> RunStatus:
    if state.compensation is not None:
        return RunStatus.PAUSED if state.paused else RunStatus.COMPENSATING
    if state.cancel_requested:
        return RunStatus.RUNNING
    if state.paused:
        return RunStatus.PAUSED
    only_waits = state.frontier.waiting and not state.frontier.moves
    return RunStatus.WAITING if only_waits else RunStatus.RUNNING


# Events of node runs


def _apply_to_node(state: RunState, event: NodeEvent) -> None:
    key = event.key
    status = _legal_node_move(state, event)
    node_run = state.nodes.setdefault(key, NodeRunState())
    leave(state, key, node_run)
    node_run.status = status
    _NODE_CHANGES[type(event)](state, node_run, event)
    enter(state, key, node_run)
    if status.ended:
        node_run.ended_at = event.at
        if state.compensation is not None:
            state.compensation.left.pop()
            return
        _close_loop(state, key, node_run)
        settle(state, key)


def _legal_node_move(state: RunState, event: NodeEvent) -> NodeStatus:
    """The status the event leads to. Raises IllegalEvent."""
    node, path = event.key
    if state.status not in UNDER_WAY:
        raise IllegalEvent(f"{_words(event)} in a run that is {state.status}.")
    if state.compensation is not None:
        return _legal_move_of_undoing(state, event)
    if node in state.graph.compensators:
        raise IllegalEvent(f"{_words(event)}: it undoes another node, and is no part of the normal flow.")
    if node not in state.graph.nodes or state.scope_of(event.key) not in state.scopes:
        raise IllegalEvent(f"{_words(event)}: there is no such node in the run, or its iteration is not open.")
    if isinstance(event, events.ErrorHandled) and handlers.free(state, state.scope_of(event.key)) != event.key:
        raise IllegalEvent(f"{_words(event)}: it is no error handler, or has begun.")
    parent = state.graph.nodes[node].parent
    if parent is not None and state.nodes[(parent, path[:-1])].status is not NodeStatus.RUNNING:
        raise IllegalEvent(f"{_words(event)}: the loop around it has ended.")
    node_run = state.nodes.get(event.key)
    before = node_run.status if node_run else NodeStatus.PENDING
    after = NODE_MOVES[before].get(type(event))
    if after is None:
        raise IllegalEvent(f"{_words(event)}, but the node run is {before}.")
    loop = node_run.loop if node_run else None
    if not _fits_loop(event, loop):
        raise IllegalEvent(f"{_words(event)} does not fit the iterations of the loop.")
    return after


def _legal_move_of_undoing(state: RunState, event: NodeEvent) -> NodeStatus:
    left = state.compensation.left if state.compensation is not None else []
    if not left or event.key != saga.undoing(state, left[-1]):
        raise IllegalEvent(f"{_words(event)}: it is not what is being undone.")
    after = NODE_MOVES[state.node(event.key).status].get(type(event))
    if after is None or not _fits_loop(event, None):
        raise IllegalEvent(f"{_words(event)}, but the node run is {state.node(event.key).status}.")
    return after


def _fits_loop(event: NodeEvent, loop: LoopState | None) -> bool:
    match event:
        case events.IterationStarted():
            fits = loop is not None and event.index == loop.started and not loop.ended_by
            return fits and loop is not None and event.index < (len(loop.items) if loop.most is None else loop.most)
        case events.IterationEnded():
            return loop is not None and event.index in loop.open and event.index not in loop.errors
        case events.LoopBroken():
            return loop is not None and event.index in loop.open and not loop.ended_by
        case events.LoopClosed():
            return loop is not None and loop.repeats and not loop.open and not loop.ended_by
        case events.LoopOpened() | events.NodeWaiting() | events.AttemptFailed() | events.AttemptAbandoned():
            return loop is None
        case _:
            return True


def _words(event: NodeEvent) -> str:
    where = f"[{events.path_text(event.path)}]" if event.path else ""
    return f"{type(event).__name__} of {event.node}{where}"


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
    _forget_wait(node_run)


def _node_waiting(state: RunState, node_run: NodeRunState, event: events.NodeWaiting) -> None:
    _forget_wait(node_run)
    node_run.waiting_for, node_run.until, node_run.wait_data = event.reason, event.until, event.data


def _node_resumed(state: RunState, node_run: NodeRunState, event: events.NodeResumed) -> None:
    """What it waited for is kept: the type's `resume` is given it, and again if this host dies meanwhile."""
    node_run.resumed, node_run.signal = True, event.signal
    node_run.until = None
    node_run.abandoned = False


def _attempt_failed(state: RunState, node_run: NodeRunState, event: events.AttemptFailed) -> None:
    node_run.failures += 1
    node_run.error, node_run.failed_at = event.error, event.at
    node_run.acted = event.acted
    node_run.until = None
    _forget_wait(node_run)


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
    _forget_resumption(node_run)


def _node_escalated(state: RunState, node_run: NodeRunState, event: events.NodeEscalated) -> None:
    _forget_wait(node_run)
    node_run.error, node_run.abandoned = event.error, False
    node_run.waiting_for = "escalation"
    node_run.wait_data = {"assignee": event.assignee, "message": event.message}


def _escalation_answered(state: RunState, node_run: NodeRunState, event: events.EscalationAnswered) -> None:
    """A retry begins at once, with the agent and the number of tries of the beginning; the rest is for the plan."""
    _forget_wait(node_run)
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


def _node_succeeded(state: RunState, node_run: NodeRunState, event: events.NodeSucceeded) -> None:
    did_nothing = node_run.answer == "skip" and not errors.is_unclear(node_run.error)
    node_run.outputs, node_run.port, node_run.error = event.outputs, event.port, None
    _forget_wait(node_run)
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
    _forget_wait(node_run)


def _node_overridden(state: RunState, node_run: NodeRunState, event: events.NodeOverridden) -> None:
    node_run.outputs, node_run.port, node_run.error = event.outputs, event.port, None
    node_run.abandoned = False
    _forget_wait(node_run)


def _node_cancelled(state: RunState, node_run: NodeRunState, event: events.NodeCancelled) -> None:
    node_run.cancel_reason = event.reason
    node_run.until = None


def _loop_opened(state: RunState, node_run: NodeRunState, event: events.LoopOpened) -> None:
    stops = loops.on_error(state.graph.nodes[event.node]) == "stop"
    limit = 1 if event.most is not None else max(1, event.limit)
    node_run.loop = LoopState(items=list(event.items), limit=limit, stops=stops, most=event.most)


def _iteration_started(state: RunState, node_run: NodeRunState, event: events.IterationStarted) -> None:
    loop = _loop_of(node_run)
    loop.started += 1
    loop.open[event.index] = None
    open_scope(state, (event.node, (*event.path, event.index)))


def _iteration_ended(state: RunState, node_run: NodeRunState, event: events.IterationEnded) -> None:
    loop, scope_key = _loop_of(node_run), (event.node, (*event.path, event.index))
    if event.error is not None:
        loop.errors[event.index] = event.error
    elif event.yields:
        loop.results[event.index] = event.result
    if loop.stops and event.error is not None:
        loops.freeze(state, scope_key)
    else:
        loops.drop(state, scope_key)
        del loop.open[event.index]


def _loop_broken(state: RunState, node_run: NodeRunState, event: events.LoopBroken) -> None:
    """The other iterations are gone, as though they had never begun."""
    loop = _loop_of(node_run)
    loop.ended_by, loop.broken_by = "break", event.source
    state.frontier.breaking.pop((event.node, (*event.path, event.index)), None)
    for index in [index for index in loop.open if index != event.index]:
        loops.drop(state, (event.node, (*event.path, index)))
        del loop.open[index]


def _loop_closed(state: RunState, node_run: NodeRunState, event: events.LoopClosed) -> None:
    loop = _loop_of(node_run)
    loop.ended_by, loop.error = "condition", event.error


def _close_loop(state: RunState, key: Key, node_run: NodeRunState) -> None:
    """What is left of a loop's iterations is kept only where a retry of the run can go on from it."""
    if node_run.loop is None:
        return
    keep_or_drop = loops.freeze if may_open_again(node_run) else loops.drop
    for scope_key in loops.scopes_of(state, key):
        keep_or_drop(state, scope_key)
    if not may_open_again(node_run):
        node_run.loop.open.clear()


def _loop_of(node_run: NodeRunState) -> LoopState:
    if node_run.loop is None:
        raise AssertionError("Events of iterations are legal in open loops only.")
    return node_run.loop


def _forget_wait(node_run: NodeRunState) -> None:
    node_run.waiting_for, node_run.wait_data, node_run.until = "", None, None
    _forget_resumption(node_run)


def _forget_resumption(node_run: NodeRunState) -> None:
    node_run.resumed, node_run.signal = False, None


_NODE_CHANGES: dict[type[NodeEvent], Callable[[RunState, NodeRunState, Any], None]] = {
    events.NodeStarted: _node_started,
    events.NodeWaiting: _node_waiting,
    events.NodeResumed: _node_resumed,
    events.AttemptFailed: _attempt_failed,
    events.AttemptAbandoned: _attempt_abandoned,
    events.RetryScheduled: _retry_scheduled,
    events.AlternativeChosen: _alternative_chosen,
    events.NodeEscalated: _node_escalated,
    events.EscalationAnswered: _escalation_answered,
    events.ErrorHandled: _error_handled,
    events.NodeSucceeded: _node_succeeded,
    events.NodeFailed: _node_failed,
    events.NodeSkipped: _node_skipped,
    events.NodeOverridden: _node_overridden,
    events.NodeCancelled: _node_cancelled,
    events.LoopOpened: _loop_opened,
    events.IterationStarted: _iteration_started,
    events.IterationEnded: _iteration_ended,
    events.LoopBroken: _loop_broken,
    events.LoopClosed: _loop_closed,
}


# Events of the run


def _apply_to_run(state: RunState, event: Event) -> None:
    status = RUN_MOVES[state.status].get(type(event))
    if status is None:
        raise IllegalEvent(f"{type(event).__name__} in a run that is {state.status}.")
    if isinstance(event, events.RunMoved) and event.graph is None:
        raise IllegalEvent(f"RunMoved to a definition that is not at hand: {event.definition}.")
    state.status = status
    _RUN_CHANGES[type(event)](state, event)
    if status.ended:
        state.ended_at = event.at


def _run_started(state: RunState, event: events.RunStarted) -> None:
    state.inputs = event.inputs
    state.variables = {**state.graph.variables, **event.variables}
    state.started_at = event.at
    state.deadline = run_deadline(state, event.at)
    for taken in map(reuse.Taken.from_json, event.reused):
        state.nodes[taken.node, ()] = taken.node_run()
        state.shared.setdefault(TOP, {}).update(taken.entries())
    work_out(state)


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


def _compensation_started(state: RunState, event: events.CompensationStarted) -> None:
    """Everything under way has been stopped; from here on only the undoing nodes count."""
    state.compensation = Compensation(event.error, event.node, event.path, left=list(state.undoable))
    state.frontier = Frontier()


def _compensation_ended(state: RunState, event: events.CompensationEnded) -> None:
    if state.compensation is not None:
        state.compensation.ended = True


def _run_completed(state: RunState, event: events.RunCompleted) -> None:
    state.outputs = event.outputs


def _run_failed(state: RunState, event: events.RunFailed) -> None:
    state.error = event.error


def _run_cancelled(state: RunState, event: events.RunCancelled) -> None:
    state.cancel_reason = event.reason


_RUN_CHANGES: dict[type[Event], Callable[[RunState, Any], None]] = {
    events.RunStarted: _run_started,
    events.RunPaused: _run_paused,
    events.RunResumed: _run_resumed,
    events.RunCancelRequested: _run_cancel_requested,
    events.CompensationStarted: _compensation_started,
    events.CompensationEnded: _compensation_ended,
    events.RunCompleted: _run_completed,
    events.RunFailed: _run_failed,
    events.RunCancelled: _run_cancelled,
    events.RunRetried: reopen,
    events.VariablesChanged: _variables_changed,
    events.RunMoved: _run_moved,
}
