"""Edges carry tokens, joins read them.

An edge of a run is **open** until its source has ended; then it is **live** if it leaves from the port the source has
chosen, **failed** if the source failed and a join takes that upon itself, and **dead** otherwise. What a node makes of
its edges is its rule's to say (rules.py): wait, start, be skipped, or fail because it cannot start any more.

If every edge is dead the node is skipped and its own edges die: so a path that was not taken is cleared away to its end
(dead-path elimination; Leymann and Roller, Production Workflow, 2000). A failure that nothing handles and a node that
was cancelled decide no edge: what depends on them does not begin, and can still begin when the run is retried.

A join of rule `first_success`, `n_of_m` or `all_settled` takes failures upon itself: those of the nodes from which
every path leads to it and nowhere else, if no error port handles them and they are not optional. Of several such joins
behind each other the innermost takes it (`Graph.takers`). A failure that was taken fails neither run nor iteration. It
settles its branch: the nodes behind it are skipped (`failed_path`), and the edge into the join is failed.

What a join of rule `any`, `first_success` or `n_of_m` does without are its losers: the node runs that have not ended
and from which every path leads to this join and nowhere else. `losers` says what becomes of them:

    cancel   they are cancelled at once
    finish   they go on as though nothing had happened; the run waits for them and their failures count
             (unless the join is of a rule that takes them)
    ignore   they go on, but nobody waits for them and their failures do not count;
             what is left of them in the end is cancelled

A join that fails by its rule has no use for what still goes on in its branches: it is cancelled (`failed_join`), except
with `finish`.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from orchestration.engine import handlers
from orchestration.engine.frontier import make_ready
from orchestration.engine.ids import Key, NodeId, Path
from orchestration.engine.nodes import Edge
from orchestration.engine.rules import EARLY, RULES, Edges, Verdict
from orchestration.engine.scopes import Scope, ScopeKey
from orchestration.engine.states import NodeRunState, RunState
from orchestration.engine.statuses import NodeStatus

JSON = Any


class Token(StrEnum):
    OPEN = "open"
    LIVE = "live"
    DEAD = "dead"
    FAILED = "failed"


def token(state: RunState, edge: Edge, path: Path) -> Token:
    """What the edge carries in the run (or in the iteration `path`)."""
    source = state.nodes.get((edge.source, path))
    return Token.OPEN if source is None else _token(source, edge.port)


def _token(source: NodeRunState, port: str) -> Token:
    match source.status:
        case NodeStatus.SUCCEEDED:
            return Token.LIVE if port == source.port else Token.DEAD
        case NodeStatus.FAILED if source.handled:
            return Token.LIVE if port == "error" else Token.DEAD
        case NodeStatus.FAILED if source.taken_by:
            return Token.FAILED
        case NodeStatus.SKIPPED if source.skip_reason == "failed_path":
            return Token.FAILED
        case NodeStatus.SKIPPED:
            return Token.LIVE if source.skip_reason in ("optional", "by_person") and port == "out" else Token.DEAD
        case NodeStatus.CANCELLED if source.cancel_reason in ("lost_join", "failed_join"):
            return Token.DEAD
        case _:
            return Token.OPEN


def open_scope(state: RunState, scope_key: ScopeKey) -> None:
    """Begin a body: the nodes that no edge leads to may start."""
    path = scope_key[1]
    body = handlers.body_of(state, scope_key)
    state.scopes[scope_key] = Scope(unended=len(body))
    for node in body:
        if not state.graph.incoming[node] and _is_pending(state, (node, path)):
            make_ready(state, (node, path))
    if not body:
        state.frontier.closing[scope_key] = None


def settle(state: RunState, key: Key) -> None:
    """The node run has ended: decide its edges and see what they mean for the nodes they lead to."""
    node, path = key
    scope_key, source = state.scope_of(key), state.nodes[key]
    scope = state.scopes[scope_key]
    if node not in scope.ignored:
        scope.unended -= 1
    if state.graph.nodes[node].breaks and source.status is NodeStatus.SUCCEEDED:
        _note_break(state, scope_key, node)
    for edge in state.graph.outgoing[node]:
        carried = _token(source, edge.port)
        if carried is not Token.OPEN:
            scope.decided[edge.target] = scope.decided.get(edge.target, 0) + 1
            scope.live[edge.target] = scope.live.get(edge.target, 0) + (carried is Token.LIVE)
            if carried is Token.FAILED:
                scope.failed[edge.target] = scope.failed.get(edge.target, 0) + 1
            _read_edges(state, scope, (edge.target, path))
    if scope.unended == 0:
        state.frontier.closing[scope_key] = None


def _note_break(state: RunState, scope_key: ScopeKey, node: NodeId) -> None:
    """The first that is reached ends the loop."""
    parent, path = scope_key
    loop = state.nodes[parent, path[:-1]].loop if parent is not None else None
    if loop is not None and not loop.ended_by:
        state.frontier.breaking.setdefault(scope_key, node)


def edges_of(state: RunState, key: Key) -> Edges:
    """What the edges that lead to a node carry by now."""
    node, scope = key[0], state.scopes[state.scope_of(key)]
    decided, live, failed = scope.decided.get(node, 0), scope.live.get(node, 0), scope.failed.get(node, 0)
    return Edges(open=len(state.graph.incoming[node]) - decided, live=live, dead=decided - live - failed, failed=failed)


def _read_edges(state: RunState, scope: Scope, key: Key) -> None:
    node = key[0]
    if not _is_pending(state, key) or node in scope.met:
        return
    join, edges = state.graph.nodes[node].join, edges_of(state, key)
    match RULES[join.rule](edges, join.count):
        case Verdict.START:
            if edges.open:
                scope.met.add(node)
            make_ready(state, key)
            if join.rule in EARLY:
                _dismiss_losers(state, scope, key)
        case Verdict.SKIP:
            state.frontier.dead[key] = None
        case Verdict.FAIL:
            state.frontier.unmet[key] = None
            if join.losers != "finish":
                _cancel_losers(state, key, "failed_join")


def _dismiss_losers(state: RunState, scope: Scope, join: Key) -> None:
    match state.graph.nodes[join[0]].join.losers:
        case "cancel":
            _cancel_losers(state, join, "lost_join")
        case "ignore":
            losers = [node for node, _ in _losers(state, join)]
            scope.unended -= sum(loser not in scope.ignored for loser in losers)
            scope.ignored.update(losers)


def ignore_again(state: RunState, scope_key: ScopeKey) -> None:
    """In a scope that was worked out anew: whom a join that has begun did without, it still does without."""
    parent, path = scope_key
    scope = state.scopes[scope_key]
    for node in state.graph.bodies.get(parent, ()):
        join, node_run = state.graph.nodes[node].join, state.nodes.get((node, path))
        if join.losers == "ignore" and join.rule in EARLY and node_run is not None and node_run.started_at:
            _dismiss_losers(state, scope, (node, path))
    if scope.unended == 0:
        state.frontier.closing[scope_key] = None


def _cancel_losers(state: RunState, join: Key, reason: str) -> None:
    for loser in _losers(state, join):
        state.frontier.losers.setdefault(loser, reason)


def _losers(state: RunState, join: Key) -> list[Key]:
    node, path = join
    keys = ((loser, path) for loser in state.graph.losers[node])
    return [key for key in keys if not state.node(key).status.ended]


# What is said of the branches


def branch_error(state: RunState, source: NodeId, path: Path) -> JSON:
    """The error on a failed edge, with the `node` it came from: that of the source, or of one before it."""
    node_run = state.nodes[source, path]
    if node_run.status is NodeStatus.SKIPPED:
        return node_run.error  # located when it was skipped
    return {"node": source, **node_run.error}


def failed_branches(state: RunState, key: Key) -> list[JSON]:
    """For the error of a join: [{"branch", "node", "code", "message"}], in the order of the edges."""
    node, path = key
    found = dict.fromkeys(
        edge.source for edge in state.graph.incoming[node] if token(state, edge, path) is Token.FAILED
    )
    errors = ((source, branch_error(state, source, path)) for source in found)
    return [
        {"branch": source, "node": error["node"], "code": error.get("code"), "message": error.get("message")}
        for source, error in errors
    ]


def _is_pending(state: RunState, key: Key) -> bool:
    node_run = state.nodes.get(key)
    return node_run is None or node_run.status is NodeStatus.PENDING
