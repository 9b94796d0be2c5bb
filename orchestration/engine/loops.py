"""Loops: containers whose body runs once for every item, or while a condition holds.

A loop opens (`LoopOpened`) and then begins iterations, as many side by side as its limit allows; one that repeats while
a condition holds has it checked before each (`CheckCondition`) and begins one at a time. An iteration is a scope of its
own: its node runs have the loop's path and the iteration's index as their path. When all of them have ended the driver
evaluates what the iteration yields (`EndIteration`), and the body's state is dropped: a loop of ten thousand iterations
holds the state of those under way and ten thousand results.

A failure in a body that nothing handles there ends the iteration. The loop's setting `on_error` says what then:

    stop        the other iterations are stopped and the loop fails with the error (retrying the run goes on from there)
    gap         the iteration yields null
    leave_out   the iteration yields nothing

A `break` that is reached ends the loop well (`LoopBroken`). The iteration it stands in goes on to its end, and should
it fail `on_error` has the word as ever; the other iterations under way are stopped and forgotten, what has been yielded
stays. What the last iteration yields is what the break says, and nothing if it says nothing.

A loop that is through succeeds with `{"items": [what the iterations yield], "count": how many these are, "errors":
[...], "ended_by": "items" | "condition" | "break"}`; an error there is the iteration's error with its `index`. It never
ends silently: a condition that still holds after as many iterations as there may be fails the loop.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from orchestration.engine import errors
from orchestration.engine.commands import CheckCondition, Command, Record
from orchestration.engine.events import IterationStarted, LoopClosed, NodeSucceeded
from orchestration.engine.frontier import forget_pending
from orchestration.engine.ids import Key
from orchestration.engine.nodes import Node
from orchestration.engine.scopes import ScopeKey
from orchestration.engine.states import LoopState, RunState
from orchestration.engine.statuses import NodeStatus

JSON = Any

ACTIVE: frozenset[NodeStatus] = frozenset({NodeStatus.RUNNING, NodeStatus.WAITING, NodeStatus.RETRYING})


def on_error(node: Node) -> str:
    """stop | gap | leave_out"""
    return str(node.settings.get("on_error", "stop"))


def outputs_of(node: Node, loop: LoopState) -> dict[str, JSON]:
    shown = loop.results.keys() | loop.errors.keys() if on_error(node) == "gap" else loop.results.keys()
    yielded = [loop.results.get(index) for index in sorted(shown)]
    failed = [{"index": index, **loop.errors[index]} for index in sorted(loop.errors)]
    return {"items": yielded, "count": len(yielded), "errors": failed, "ended_by": loop.ended_by or "items"}


def checked(state: RunState, key: Key, holds: bool, now: datetime) -> IterationStarted | LoopClosed:
    """What follows from a condition that was evaluated for the next iteration."""
    (node, path), loop = key, state.nodes[key].loop
    assert loop is not None and loop.most is not None  # noqa: S101  the planner asks of such loops only
    if not holds:
        return LoopClosed(at=now, node=node, path=path)
    if loop.started >= loop.most:
        return LoopClosed(at=now, node=node, path=path, error=errors.too_many_iterations(loop.most))
    return IterationStarted(at=now, node=node, path=path, index=loop.started)


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
    if loop.repeats:
        return [CheckCondition(node, path, loop.started)] if loop.may_begin else []
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
    state.shared.pop(scope_key, None)
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
    frontier.breaking.pop(scope_key, None)
    for node in state.graph.bodies.get(parent, ()):
        forget_pending(state, (node, path))
        frontier.losers.pop((node, path), None)
        frontier.loops.pop((node, path), None)
