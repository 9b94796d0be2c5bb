"""Folding events into a state: `begin`, then `apply` for each event in order.

An event is checked (legal.py) before anything is touched. An event of a node run is then applied in four steps: take
the node run out of the frontier, change it, put it back in, and if it has ended decide its edges. What an event changes
is said in `changes/`, one function an event.
"""

from __future__ import annotations

from collections.abc import Iterable

from orchestration.engine import saga
from orchestration.engine.changes import loops, nodes, recovery, run, steering
from orchestration.engine.events import Event, NodeEvent, SignalIgnored
from orchestration.engine.frontier import enter, leave
from orchestration.engine.graph import Graph
from orchestration.engine.joins import settle
from orchestration.engine.legal import node_move, run_move
from orchestration.engine.states import NodeRunState, RunState
from orchestration.engine.statuses import UNDER_WAY, NodeStatus, RunStatus

_NODE_CHANGES = nodes.NODE_CHANGES | recovery.NODE_CHANGES | loops.NODE_CHANGES | steering.NODE_CHANGES
_RUN_CHANGES = run.RUN_CHANGES | steering.RUN_CHANGES


def begin(graph: Graph, seed: str = "") -> RunState:
    """A run before its first event. `seed` is the run's id.

    `graph` is that of the run's first definition (`moving.first_definition`): a run may have been moved since.
    """
    return RunState(graph=graph, seed=seed)


def apply(state: RunState, event: Event) -> RunState:
    """Change the state by one event, in place. Raises IllegalEvent, and then nothing has changed."""
    if isinstance(event, NodeEvent):
        _apply_to_node(state, event)
    elif not isinstance(event, SignalIgnored):
        _apply_to_run(state, event)
    state.seq += 1
    if state.status in UNDER_WAY:
        state.status = _status_under_way(state)
    return state


def apply_all(state: RunState, log: Iterable[Event]) -> RunState:
    for event in log:
        apply(state, event)
    return state


def _apply_to_node(state: RunState, event: NodeEvent) -> None:
    key = event.key
    status = node_move(state, event)
    node_run = state.nodes.setdefault(key, NodeRunState())
    leave(state, key, node_run)
    if node_run.below and status is not NodeStatus.RUNNING:
        saga.leave_behind(state, key, node_run)
    node_run.status = status
    _NODE_CHANGES[type(event)](state, node_run, event)
    enter(state, key, node_run)
    if status.ended:
        node_run.ended_at = event.at
        if state.compensation is not None:
            state.compensation.left.pop()
            return
        loops.close(state, key, node_run)
        settle(state, key)


def _apply_to_run(state: RunState, event: Event) -> None:
    status = run_move(state, event)
    state.status = status
    _RUN_CHANGES[type(event)](state, event)
    if status.ended:
        state.ended_at = event.at


def _status_under_way(state: RunState) -> RunStatus:
    if state.compensation is not None:
        return RunStatus.PAUSED if state.paused else RunStatus.COMPENSATING
    if state.cancel_requested:
        return RunStatus.RUNNING
    if state.paused:
        return RunStatus.PAUSED
    only_waits = state.frontier.waiting and not state.frontier.moves
    return RunStatus.WAITING if only_waits else RunStatus.RUNNING
