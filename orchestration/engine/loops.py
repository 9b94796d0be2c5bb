"""Loops: containers whose body runs once for every item.

A loop opens with its items (`LoopOpened`) and then begins iterations, as many side by side as its limit allows. An
iteration is a scope of its own: its node runs have the loop's path and the iteration's index as their path. When all of
them have ended the driver evaluates what the iteration yields (`EndIteration`), and the body's state is dropped: a loop
over ten thousand items holds the state of the iterations under way and ten thousand results.

A failure in a body that nothing handles there ends the iteration. The loop's setting `on_error` says what then:

    stop        the other iterations are stopped and the loop fails with the error (retrying the run goes on from there)
    gap         the iteration yields null
    leave_out   the iteration yields nothing

A loop that is through succeeds with `{"items": [what the iterations yield], "count": len(items), "errors": [...]}`; an
error there is the iteration's error with its `index`.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from orchestration.engine.commands import Command, Record
from orchestration.engine.events import IterationStarted, NodeSucceeded
from orchestration.engine.frontier import forget_pending
from orchestration.engine.graph import Key, Node
from orchestration.engine.states import LoopState, NodeStatus, RunState, ScopeKey

JSON = Any

ACTIVE: frozenset[NodeStatus] = frozenset({NodeStatus.RUNNING, NodeStatus.WAITING, NodeStatus.RETRYING})


def on_error(node: Node) -> str:
    """stop | gap | leave_out"""
    return str(node.settings.get("on_error", "stop"))


def outputs_of(node: Node, loop: LoopState) -> dict[str, JSON]:
    gaps = on_error(node) == "gap"
    yielded = [loop.results.get(index) for index in range(len(loop.items)) if gaps or index in loop.results]
    errors = [{"index": index, **loop.errors[index]} for index in sorted(loop.errors)]
    return {"items": yielded, "count": len(yielded), "errors": errors}


def move_on(state: RunState, key: Key, now: datetime) -> list[Command]:
    """Begin the iterations there is room for, or end the loop if it is through."""
    node, path = key
    loop = state.nodes[key].loop
    assert loop is not None  # noqa: S101  the frontier holds open loops only
    if loop.through:
        outputs = outputs_of(state.graph.nodes[node], loop)
        return [Record(NodeSucceeded(at=now, node=node, path=path, outputs=outputs))]
    if state.paused:
        return []
    room = min(loop.limit - len(loop.open), len(loop.items) - loop.started)
    return [
        Record(IterationStarted(at=now, node=node, path=path, index=loop.started + offset)) for offset in range(room)
    ]


def active_inside(state: RunState, scope_key: ScopeKey) -> Iterator[Key]:
    """The node runs of a scope that have begun and not ended; what is inside of a loop comes before the loop."""
    parent, path = scope_key
    for node in state.graph.bodies.get(parent, ()):
        node_run = state.nodes.get((node, path))
        if node_run is not None and node_run.status in ACTIVE:
            yield from active_in_body(state, (node, path))
            yield (node, path)


def active_in_body(state: RunState, key: Key) -> Iterator[Key]:
    for scope_key in scopes_of(state, key):
        yield from active_inside(state, scope_key)


def scopes_of(state: RunState, key: Key) -> list[ScopeKey]:
    """The iterations of a loop whose state is kept; empty for any other node."""
    node, path = key
    node_run = state.nodes.get(key)
    if node_run is None or node_run.loop is None:
        return []
    return [(node, (*path, index)) for index in node_run.loop.open]


def drop(state: RunState, scope_key: ScopeKey) -> None:
    """Forget the node runs of an iteration: nothing will ask for them any more."""
    _drop_from_frontier(state, scope_key)
    parent, path = scope_key
    del state.scopes[scope_key]
    for node in state.graph.bodies.get(parent, ()):
        for inner in scopes_of(state, (node, path)):
            drop(state, inner)
        state.nodes.pop((node, path), None)


def freeze(state: RunState, scope_key: ScopeKey) -> None:
    """Keep the node runs of an iteration for a retry of the run, but let nothing begin in it."""
    _drop_from_frontier(state, scope_key)
    parent, path = scope_key
    for node in state.graph.bodies.get(parent, ()):
        for inner in scopes_of(state, (node, path)):
            freeze(state, inner)


def _drop_from_frontier(state: RunState, scope_key: ScopeKey) -> None:
    frontier, (parent, path) = state.frontier, scope_key
    frontier.closing.pop(scope_key, None)
    frontier.failing.pop(scope_key, None)
    for node in state.graph.bodies.get(parent, ()):
        forget_pending(state, (node, path))
        frontier.losers.pop((node, path), None)
        frontier.loops.pop((node, path), None)
