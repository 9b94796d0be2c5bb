"""Edges carry tokens, joins read them.

An edge of a run is **open** until its source has ended; then it is **live** if it leaves from the port the source has
chosen, and **dead** otherwise. A node starts when its rule over its incoming edges is met:

    all   every edge is decided and at least one is live (dead ones are ignored)
    any   the first live edge is there; the join fires once, later edges change nothing

If every edge is dead the node is skipped and its own edges die: so a path that was not taken is cleared away to its end
(dead-path elimination; Leymann and Roller, Production Workflow, 2000). A failure that nothing handles and a cancelled
node decide no edge: what depends on them does not begin, and can still begin when the run is retried.

What a join of rule `any` does without are its losers: the node runs that have not ended and from which every path leads
to this join and nowhere else. `losers` says what becomes of them:

    cancel   they are cancelled at once
    finish   they go on as though nothing had happened; the run waits for them and their failures count
    ignore   they go on, but nobody waits for them and their failures do not count;
             what is left of them in the end is cancelled
"""

from __future__ import annotations

from enum import StrEnum

from orchestration.engine.frontier import make_ready
from orchestration.engine.graph import Edge, Key, NodeId, Path
from orchestration.engine.states import NodeRunState, NodeStatus, RunState, Scope, ScopeKey


class Token(StrEnum):
    OPEN = "open"
    LIVE = "live"
    DEAD = "dead"


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
        case NodeStatus.SKIPPED:
            return Token.LIVE if source.skip_reason == "optional" and port == "out" else Token.DEAD
        case NodeStatus.CANCELLED if source.cancel_reason == "lost_join":
            return Token.DEAD
        case _:
            return Token.OPEN


def open_scope(state: RunState, scope_key: ScopeKey) -> None:
    """Begin a body: the nodes that no edge leads to may start."""
    parent, path = scope_key
    body = state.graph.bodies.get(parent, ())
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
    for edge in state.graph.outgoing[node]:
        carried = _token(source, edge.port)
        if carried is not Token.OPEN:
            scope.decided[edge.target] = scope.decided.get(edge.target, 0) + 1
            scope.live[edge.target] = scope.live.get(edge.target, 0) + (carried is Token.LIVE)
            _read_edges(state, scope, (edge.target, path))
    if scope.unended == 0:
        state.frontier.closing[scope_key] = None


def _read_edges(state: RunState, scope: Scope, key: Key) -> None:
    node = key[0]
    if not _is_pending(state, key) or node in scope.met:
        return
    all_decided = scope.decided[node] == len(state.graph.incoming[node])
    if scope.live[node] and state.graph.nodes[node].join.rule == "any":
        scope.met.add(node)
        make_ready(state, key)
        _dismiss_losers(state, scope, key)
    elif all_decided and scope.live[node]:
        make_ready(state, key)
    elif all_decided:
        state.frontier.dead[key] = None


def _dismiss_losers(state: RunState, scope: Scope, join: Key) -> None:
    node, path = join
    fate = state.graph.nodes[node].join.losers
    losers: list[NodeId] = [loser for loser in state.graph.losers[node] if not state.node((loser, path)).status.ended]
    if fate == "cancel":
        state.frontier.losers.update(((loser, path), None) for loser in losers)
    elif fate == "ignore":
        scope.unended -= sum(loser not in scope.ignored for loser in losers)
        scope.ignored.update(losers)


def _is_pending(state: RunState, key: Key) -> bool:
    node_run = state.nodes.get(key)
    return node_run is None or node_run.status is NodeStatus.PENDING
