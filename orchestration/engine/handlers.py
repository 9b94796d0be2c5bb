"""Error handlers: where a failure goes that nothing else in the body has handled.

A body (the run, or a loop's iteration) has at most one node of the type `error_handler`. No edge leads to it, and the
normal flow never reaches its path: the handler and all that it leads to. When something in the body has failed for
good, what is under way in it is stopped, and the path runs (`ErrorHandled`). When the path has ended, the body ends as
the handler's setting `then` says:

    fail       with the failure it was handed; the path was for cleaning up
    complete   well: the run completes with its outputs, the iteration yields what it yields

A failure inside of the path fails the body; its error keeps the one that was being handled under `handling`. Neither a
cancel nor the run's timeout goes to a handler: the one is no failure, and the other leaves no time to handle it.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from orchestration.engine.commands import Record
from orchestration.engine.events import ErrorHandled
from orchestration.engine.frontier import forget_pending, make_ready
from orchestration.engine.ids import Key, NodeId
from orchestration.engine.scopes import ScopeKey
from orchestration.engine.states import RunState

JSON = Any


def handled_error(state: RunState, scope_key: ScopeKey) -> JSON:
    """What the body's handler was handed, if its path has begun."""
    key = _handler(state, scope_key)
    return state.node(key).handles if key is not None else None


def free(state: RunState, scope_key: ScopeKey) -> Key | None:
    """The body's handler, if it has one that has not begun."""
    key = _handler(state, scope_key)
    return key if key is not None and state.node(key).handles is None else None


def why_stopped(state: RunState, scope_key: ScopeKey) -> str:
    return "run_failed" if free(state, scope_key) is None else "error_handled"


def hand_over(state: RunState, scope_key: ScopeKey, error: JSON, now: datetime) -> Record | None:
    key = free(state, scope_key)
    return Record(ErrorHandled(at=now, node=key[0], path=key[1], error=error)) if key is not None else None


def begin(state: RunState, key: Key) -> None:
    """From here on the body is the handler's path: nothing else of it can begin any more."""
    scope_key = state.scope_of(key)
    parent, path = scope_key
    frontier, scope = state.frontier, state.scopes[scope_key]
    for node in state.graph.flow.get(parent, ()):
        forget_pending(state, (node, path))
        frontier.losers.pop((node, path), None)
    frontier.failing.pop(scope_key, None)
    frontier.closing.pop(scope_key, None)
    scope.failure = None
    scope.unended = len(state.graph.handling[parent])
    make_ready(state, key)


def body_of(state: RunState, scope_key: ScopeKey) -> tuple[NodeId, ...]:
    """The nodes that have to end before the body can: its normal flow, or its handler's path once it has begun."""
    bodies = state.graph.flow if handled_error(state, scope_key) is None else state.graph.handling
    return bodies.get(scope_key[0], ())


def fails_with(state: RunState, scope_key: ScopeKey) -> JSON:
    """The failure that stands when the handler's path has ended; None if the body ends well."""
    error, key = handled_error(state, scope_key), _handler(state, scope_key)
    if error is None or key is None:
        return None
    return error if state.graph.nodes[key[0]].settings.get("then", "fail") == "fail" else None


def paths_begun(state: RunState) -> set[Key]:
    """Node runs on the paths of handlers: a retry of the run goes on with the normal flow, and forgets them."""
    begun = [(node, path) for (node, path), node_run in state.nodes.items() if node_run.handles is not None]
    found: set[Key] = set()
    for handler, path in begun:
        nodes = state.graph.handling[state.graph.nodes[handler].parent]
        found |= {key for key in state.nodes if key[1][: len(path)] == path and _within(state, key[0], nodes)}
    return found


def is_aside(state: RunState, key: Key) -> bool:
    """Whether the node run is, in its body or in one around it, on the side of the handler that does not run."""
    node, path = key
    while True:
        parent = state.graph.nodes[node].parent
        on_path = node in state.graph.handling.get(parent, ())
        handled = not state.status.ended and handled_error(state, (parent, path)) is not None
        if on_path != handled:
            return True
        if parent is None:
            return False
        node, path = parent, path[:-1]


def _within(state: RunState, node: NodeId, nodes: tuple[NodeId, ...]) -> bool:
    """One of these, or inside of a loop among them."""
    while node not in nodes:
        parent = state.graph.nodes[node].parent
        if parent is None:
            return False
        node = parent
    return True


def _handler(state: RunState, scope_key: ScopeKey) -> Key | None:
    parent, path = scope_key
    nodes = state.graph.handling.get(parent)
    return (nodes[0], path) if nodes else None
