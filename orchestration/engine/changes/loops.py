"""Iterations that begin and end, as changes of their loop and of the scopes inside of it."""

from __future__ import annotations

from orchestration.engine import events, loops
from orchestration.engine.changes import NodeChanges
from orchestration.engine.ids import Key
from orchestration.engine.joins import open_scope
from orchestration.engine.reopening import may_open_again
from orchestration.engine.states import LoopState, NodeRunState, RunState


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


def close(state: RunState, key: Key, node_run: NodeRunState) -> None:
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


NODE_CHANGES: NodeChanges = {
    events.LoopOpened: _loop_opened,
    events.IterationStarted: _iteration_started,
    events.IterationEnded: _iteration_ended,
    events.LoopBroken: _loop_broken,
    events.LoopClosed: _loop_closed,
}
