"""What a retry of the run opens again.

What has succeeded stays, and what was handled stays as it ended. Open again are the failures that nothing handled, what
was cancelled because of them or with the run, and a loop that had opened goes on with the iterations it has.

A join that failed because its rule could not be met (it had not started) is nothing that one could try again by itself:
with it is opened again, back to where its branches began, what failed there and was taken by it, what was skipped
behind such failures, and what was cancelled because the join had failed. Failures that were taken by a join which went
on stay: nothing asks for them any more.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

from orchestration.engine import events, handlers, loops
from orchestration.engine.frontier import enter
from orchestration.engine.ids import Key
from orchestration.engine.joins import ignore_again, open_scope, settle
from orchestration.engine.saga import begin_again, forget_undone
from orchestration.engine.scopes import TOP, Frontier, ScopeKey
from orchestration.engine.states import NodeRunState, RunState
from orchestration.engine.statuses import NodeStatus


def reopened_by_retry(state: RunState) -> list[Key]:
    """The node runs of an ended run that `RunRetried` opens again.

    Loops among them that had opened are running afterwards, the rest is pending; so are, after a compensation, loops
    with something inside that was undone.
    """
    found = {key for key, node_run in state.nodes.items() if _opens_again(node_run)}
    for key in list(found):
        found.update(behind_failed_join(state, key))
    again = from_nothing(state)
    return [key for key in state.nodes if key in again or (key in found and _is_around_open(state, key, found))]


def from_nothing(state: RunState) -> set[Key]:
    """Those that keep nothing then, and no iterations: what was undone with all behind it, and paths of handlers."""
    return begin_again(state) | handlers.paths_begun(state)


def may_open_again(node_run: NodeRunState) -> bool:
    """Whether a retry of the run could open it again, now that it has ended: of a loop the iterations are kept then."""
    match node_run.status:
        case NodeStatus.FAILED:
            return not node_run.handled
        case NodeStatus.CANCELLED:
            return node_run.cancel_reason != "lost_join"
        case _:
            return not node_run.status.ended


def _opens_again(node_run: NodeRunState) -> bool:
    """By itself, whatever becomes of the joins behind it."""
    if node_run.status is NodeStatus.PENDING or not may_open_again(node_run):
        return False
    return not (node_run.taken_by or node_run.cancel_reason == "failed_join")


def behind_failed_join(state: RunState, join: Key) -> Iterator[Key]:
    """Back along the edges from a join that failed without having started: all that fell with it."""
    ways = [join]
    while ways:
        node, path = ways.pop()
        if state.nodes[node, path].attempt:
            continue  # it began, so its edges are as they should be
        for edge in state.graph.incoming[node]:
            source = (edge.source, path)
            node_run = state.nodes.get(source)
            if node_run is not None and _fell_with_join(node_run):
                yield source
                ways.append(source)


def _fell_with_join(node_run: NodeRunState) -> bool:
    return bool(node_run.taken_by or node_run.skip_reason == "failed_path" or node_run.cancel_reason == "failed_join")


def _is_around_open(state: RunState, key: Key, opened: set[Key]) -> bool:
    """Whether all loops around a node run are opened again: what is inside of one that stays ended stays too."""
    node, path = key
    while (parent := state.graph.nodes[node].parent) is not None:
        node, path = parent, path[:-1]
        if (node, path) not in opened:
            return False
    return True


def reopen(state: RunState, event: events.RunRetried) -> None:
    opened, again = reopened_by_retry(state), from_nothing(state)
    forget_undone(state, again)
    for key in opened:
        if key in again:
            continue
        loop = state.nodes[key].loop
        if loop is None:
            del state.nodes[key]
        else:
            if loop.stops:
                loop.errors.clear()
            if loop.error is not None:
                loop.error, loop.ended_by = None, ""
            state.nodes[key] = replace(
                NodeRunState(),
                status=NodeStatus.RUNNING,
                attempt=state.nodes[key].attempt,
                started_at=state.nodes[key].started_at,
                attempt_started_at=event.at,
                tries_since=event.at,
                loop=loop,
            )
    state.error = state.outputs = state.ended_at = None
    state.cancel_requested, state.cancel_reason = False, ""
    state.paused, state.paused_at = False, None
    state.deadline = run_deadline(state, event.at)
    work_out(state)


def work_out(state: RunState) -> None:
    """Where the run stands, from its node runs alone: the scopes that are open, and the frontier."""
    state.frontier = Frontier()
    _reopen(state, TOP)


def _reopen(state: RunState, scope_key: ScopeKey) -> None:
    """Work out a scope and the frontier in it anew, from its node runs alone."""
    parent, path = scope_key
    open_scope(state, scope_key)
    for node in state.graph.bodies.get(parent, ()):
        key = (node, path)
        node_run = state.nodes.get(key)
        if node_run is None:
            continue
        node_run.due_at = None
        enter(state, key, node_run)
        if node_run.status.ended:
            settle(state, key)
        else:
            for inner in loops.scopes_of(state, key):
                _reopen(state, inner)
    ignore_again(state, scope_key)


def run_deadline(state: RunState, begun_at: datetime) -> datetime | None:
    seconds = state.graph.timeout_seconds
    return begun_at + timedelta(seconds=seconds) if seconds else None
