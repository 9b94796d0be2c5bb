"""What a person's wish about steps and data of a run amounts to: skip, override, variables, move, try again now.

A skip or an override takes effect at once, whatever the node is doing: work on it is stopped, a wait is given up, and
its edges are decided, also if the nodes before it have not ended (they go on, and nobody waits for them at this node).
In a run that has failed, the failed node is skipped or overridden and the run goes on, as after a retry.

No path leads round a decision: a node that waits for a person, or a loop in which one does, is not skipped or
overridden. (Whether a type asks people at all is for the service to know; here it is the open wait that counts.)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from orchestration.engine import handlers, loops
from orchestration.engine.events import (
    Event,
    NodeCancelled,
    NodeOverridden,
    NodeSkipped,
    RetryScheduled,
    RunMoved,
    RunRetried,
    VariablesChanged,
)
from orchestration.engine.ids import Key
from orchestration.engine.moving import ASKS_A_PERSON, move_plan
from orchestration.engine.reopening import behind_failed_join, from_nothing, reopened_by_retry
from orchestration.engine.states import NodeRunState, RunState
from orchestration.engine.statuses import NodeStatus, RunStatus

if TYPE_CHECKING:
    from orchestration.engine.signals import Signal

JSON = Any

_MAY_GO_ON = frozenset({RunStatus.FAILED, RunStatus.CANCELLED})


# Skip and override


def refusal_of_outcome(state: RunState, signal: Signal) -> str:
    """Why a node can be neither skipped nor overridden, as a sentence; empty if it can."""
    key = (signal.node, signal.path)
    if signal.node not in state.graph.nodes:
        return f"The run has no step {signal.node!r}."
    if signal.node in state.graph.compensators:
        return "The step undoes another, and is no part of the normal flow."
    if handlers.is_aside(state, key):
        return "An error handler decides whether the step runs: it has not taken over, or has and the flow has ended."
    node_run = state.node(key)
    if state.status in _MAY_GO_ON:
        if any(around in from_nothing(state) for around in _loops_around(state, key)):
            return "The loop around the step begins from nothing after a retry: retry the run, then steer the step."
        if key in state.nodes and key in reopened_by_retry(state):
            return ""
        return f"The run has ended ({state.status}), and this step is not what failed."
    if state.scope_of(key) not in state.scopes or _in_a_failed_iteration(state, key):
        return "The iteration is not open: it has not begun, or has ended."
    if node_run.status.ended:
        return f"The step has already ended: it is {node_run.status}."
    if _asks_a_person(state, key, node_run):
        return "It waits for a person: decide the request in the inbox. No path leads round it."
    return ""


def skipped(state: RunState, signal: Signal, now: datetime) -> list[Event]:
    skip = NodeSkipped(
        at=now, node=signal.node, path=signal.path, reason="by_person", by=signal.by, comment=signal.reason
    )
    return [*_lead_up(state, signal, now), skip]


def overridden(state: RunState, signal: Signal, now: datetime) -> list[Event]:
    """`signal.data` is {"outputs": any, "port": str}."""
    data: Mapping[str, JSON] = signal.data or {}
    override = NodeOverridden(
        at=now,
        node=signal.node,
        path=signal.path,
        outputs=data.get("outputs"),
        port=data.get("port") or "out",
        by=signal.by,
        reason=signal.reason,
    )
    return [*_lead_up(state, signal, now), override]


def _lead_up(state: RunState, signal: Signal, now: datetime) -> list[Event]:
    """Open a failed run again, and stop what is inside of a loop."""
    key = (signal.node, signal.path)
    if state.status in _MAY_GO_ON:
        kept = set(reopened_by_retry(state)) - from_nothing(state)
        inside = [found for found in kept if _is_inside(state, found, key) and state.nodes[found].loop is not None]
        needless = dict.fromkeys(behind_failed_join(state, key))  # a person has answered for the join
        events: list[Event] = [RunRetried(at=now, by=signal.by)]
        events += [NodeCancelled(at=now, node=node, path=path, reason="lost_join") for node, path in needless]
    else:
        inside, events = list(loops.active_in_body(state, key)), []
    inside.sort(key=lambda found: (-len(found[1]), found))
    stops = (NodeCancelled(at=now, node=node, path=path, reason="loop_stopped") for node, path in inside)
    return [*events, *stops]


def _is_inside(state: RunState, key: Key, loop: Key) -> bool:
    (node, path), (outer, outer_path) = key, loop
    if len(path) <= len(outer_path) or path[: len(outer_path)] != outer_path:
        return False
    parent = state.graph.nodes[node].parent
    while parent is not None and parent != outer:
        parent = state.graph.nodes[parent].parent
    return parent == outer


def _loops_around(state: RunState, key: Key) -> Iterator[Key]:
    node, path = key
    while (parent := state.graph.nodes[node].parent) is not None:
        node, path = parent, path[:-1]
        yield node, path


def _in_a_failed_iteration(state: RunState, key: Key) -> bool:
    """Somewhere around it an iteration has failed, or the loop does not run any more."""
    node, path = key
    parent = state.graph.nodes[node].parent
    if parent is None:
        return False
    around = state.nodes.get((parent, path[:-1]))
    if around is None or around.status is not NodeStatus.RUNNING or around.loop is None:
        return True
    return path[-1] in around.loop.errors or _in_a_failed_iteration(state, (parent, path[:-1]))


def _asks_a_person(state: RunState, key: Key, node_run: NodeRunState) -> bool:
    """Also while an answer is being taken in: it may still be cut off and wait again."""
    if node_run.waiting_for in ASKS_A_PERSON:
        return True
    return any(state.nodes[inner].waiting_for in ASKS_A_PERSON for inner in loops.active_in_body(state, key))


# Try again now


def refusal_of_retry_now(state: RunState, signal: Signal) -> str:
    node_run = state.nodes.get((signal.node, signal.path))
    if node_run is None or node_run.status is not NodeStatus.RETRYING or node_run.until is None:
        return "The step has no retry to come."
    return ""


def retried_now(state: RunState, signal: Signal, now: datetime) -> list[Event]:
    node_run = state.nodes[signal.node, signal.path]
    return [
        RetryScheduled(
            at=now,
            node=signal.node,
            path=signal.path,
            attempt=node_run.attempt + 1,
            due=now,
            error=node_run.error,
            by=signal.by,
        )
    ]


# Variables


def refusal_of_variables(state: RunState, signal: Signal) -> str:
    unknown = sorted(set(_values(signal)) - set(state.graph.variables))
    if unknown:
        return f"The workflow declares no variable {', '.join(unknown)}."
    return "" if _values(signal) else "No variable was given."


def variables_changed(signal: Signal, now: datetime) -> list[Event]:
    return [VariablesChanged(at=now, values=_values(signal), by=signal.by, reason=signal.reason)]


def _values(signal: Signal) -> dict[str, JSON]:
    """`signal.data` is {"values": {name: value}}."""
    return dict((signal.data or {}).get("values") or {})


# Another version


def refusal_of_move(state: RunState, signal: Signal) -> str:
    if signal.graph is None:
        return "The version to move to is not there."
    obstacles = move_plan(state, signal.graph).obstacles
    more = f" ({len(obstacles) - 1} more)" if len(obstacles) > 1 else ""
    return f"{obstacles[0].message}{more}" if obstacles else ""


def moved(signal: Signal, now: datetime) -> list[Event]:
    """`signal.data` is {"definition", "version", "previous", "previous_version"}; definitions by digest."""
    data: Mapping[str, JSON] = signal.data
    return [
        RunMoved(
            at=now,
            definition=data["definition"],
            version=data.get("version"),
            previous=data["previous"],
            previous_version=data.get("previous_version"),
            by=signal.by,
            reason=signal.reason,
            graph=signal.graph,
        )
    ]
