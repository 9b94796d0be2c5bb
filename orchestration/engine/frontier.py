"""Keeping a run's frontier: each node run is taken out of it before an event changes it and put back in afterwards.

That is all the bookkeeping there is: what a node run adds to the frontier follows from its own state alone (`enter`),
apart from being ready, dead or a loser, which its edges decide (joins.py).
"""

from __future__ import annotations

from bisect import bisect_left, insort
from datetime import datetime, timedelta

from orchestration.engine.graph import Graph
from orchestration.engine.ids import Key
from orchestration.engine.nodes import Node
from orchestration.engine.scopes import Rank
from orchestration.engine.states import NodeRunState, RunState
from orchestration.engine.statuses import NodeStatus


def rank(graph: Graph, key: Key) -> Rank:
    """Sorts node runs that compete for a free place, best first: by priority, then by the length of the way ahead."""
    node, path = key
    return (graph.order[node], path, node)


def make_ready(state: RunState, key: Key) -> None:
    insort(state.frontier.ready, rank(state.graph, key))


def leave(state: RunState, key: Key, node_run: NodeRunState) -> None:
    frontier = state.frontier
    if node_run.status is NodeStatus.PENDING:
        forget_pending(state, key)
        return
    if node_run.works:
        frontier.working -= 1
        frontier.places -= state.graph.nodes[key[0]].takes_place
    if node_run.status in (NodeStatus.WAITING, NodeStatus.RETRYING):
        frontier.waiting -= 1
    frontier.undecided.pop(key, None)
    if node_run.due_at:
        del frontier.due[bisect_left(frontier.due, (node_run.due_at, key))]
        node_run.due_at = None


def enter(state: RunState, key: Key, node_run: NodeRunState) -> None:
    frontier, node = state.frontier, state.graph.nodes[key[0]]
    if node_run.works:
        frontier.working += 1
        frontier.places += node.takes_place
    if node_run.status in (NodeStatus.WAITING, NodeStatus.RETRYING):
        frontier.waiting += 1
    if node_run.status is NodeStatus.RETRYING and node_run.until is None:
        frontier.undecided[key] = None
    node_run.due_at = _due_at(node, node_run)
    if node_run.due_at:
        insort(frontier.due, (node_run.due_at, key))
    if node_run.loop is not None:
        _watch_loop(state, key, node_run)
    if node_run.status.ended:
        frontier.losers.pop(key, None)


def forget_pending(state: RunState, key: Key) -> None:
    frontier, mine = state.frontier, rank(state.graph, key)
    position = bisect_left(frontier.ready, mine)
    if position < len(frontier.ready) and frontier.ready[position] == mine:
        del frontier.ready[position]
    frontier.dead.pop(key, None)
    frontier.unmet.pop(key, None)


def deadline(node: Node, node_run: NodeRunState) -> datetime | None:
    """When the attempt's time is up, or that of all attempts together, whichever is first."""
    found = []
    if node.timeout_seconds is not None and node_run.attempt_started_at is not None:
        found.append(node_run.attempt_started_at + timedelta(seconds=node.timeout_seconds))
    if last := last_deadline(node, node_run):
        found.append(last)
    return min(found, default=None)


def last_deadline(node: Node, node_run: NodeRunState) -> datetime | None:
    """When the time of all attempts together is up."""
    if node.total_timeout_seconds is None or node_run.tries_since is None:
        return None
    return node_run.tries_since + timedelta(seconds=node.total_timeout_seconds)


def _due_at(node: Node, node_run: NodeRunState) -> datetime | None:
    """The timeout of an attempt at work is not here: the driver, which alone can stop it, keeps it."""
    if node_run.status is NodeStatus.WAITING and node_run.waiting_for == "escalation":
        return None  # a person takes the time a person takes; the run's own time still counts
    if node_run.status is NodeStatus.WAITING:
        times = [at for at in (node_run.until, deadline(node, node_run)) if at]
        return min(times, default=None)
    if node_run.status is NodeStatus.RETRYING:
        return node_run.until
    if node_run.status is NodeStatus.RUNNING and node_run.loop is not None:
        return deadline(node, node_run)
    return None


def _watch_loop(state: RunState, key: Key, node_run: NodeRunState) -> None:
    loop = node_run.loop
    if node_run.status is NodeStatus.RUNNING and loop is not None and (loop.may_begin or loop.failed or loop.through):
        state.frontier.loops[key] = None
    else:
        state.frontier.loops.pop(key, None)
