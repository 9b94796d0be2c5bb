"""Undoing what has succeeded, when the run fails for good or is cancelled with that wish (ENG-10).

A node names the node that undoes it (`compensate_with`). That one has no edges and is no part of the normal flow. While
the run goes on, the state keeps of every success that can be undone what undoing it needs (`Undoable`), in the order of
completion; so steps of iterations that have long been dropped can be undone too.

At the end, when everything under way has been stopped and nothing else has handled the failure, the run is
`compensating`: the undoing nodes run one after the other, the latest success first, each once, as ordinary node runs
with the path of what they undo and their own retry policy. One that fails for good is recorded and the rest goes on
(Garcia-Molina and Salem, Sagas, 1987). Then the run ends as it would have, with a summary beside its error.

    pause     the undoing node at work ends, the next begins after the run is resumed
    cancel    the undoing node at work is stopped, and what is left is not undone, below neither
    timeout   the run's time bounds its work and not its undoing; the undoing nodes have their own

**Runs below.** A step that waits for a run of its own is the latest there is. When it is stopped that run is asked to
undo what it has done, and nothing of this run is undone before it has ended: the order of completion is kept across
runs. Nor does a step try again before the run of its last attempt has ended. A run below that has completed is what its
node has yielded, and final: the node's own `compensate_with` says what undoes it (as in BPMN, where called processes
are not compensated by their callers).

A retry of the run afterwards (`reopening.py`) counts what was undone as not done.
"""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from datetime import datetime
from typing import Any

from orchestration.engine.commands import Command, Record, StartNode, StopNode
from orchestration.engine.events import CompensationEnded, CompensationStarted, RunCancelled, RunFailed
from orchestration.engine.ids import Key, NodeId, Path, path_text
from orchestration.engine.states import Compensation, NodeRunState, RunState, Undoable
from orchestration.engine.statuses import NodeStatus

JSON = Any


# While the run goes on


def remember(state: RunState, key: Key, node_run: NodeRunState) -> None:
    """A success that can be undone. The latest is last."""
    if state.graph.nodes[key[0]].compensate_with is not None:
        state.undoable.pop(key, None)
        state.undoable[key] = Undoable(node_run.inputs, node_run.outputs, _loop_around(state, key))


def leave_behind(state: RunState, key: Key, node_run: NodeRunState) -> None:
    """Nothing waits any more for the run it began. Of a node run that undoes another, nothing is undone in turn."""
    if state.compensation is None:
        state.left_behind[node_run.below] = key
    node_run.below = ""


def waits_below(state: RunState, key: Key) -> bool:
    """Whether a run that an earlier attempt had begun has still to end: it is being undone, and the next attempt might
    do just what that one undoes.
    """
    return bool(state.left_behind) and key in state.left_behind.values()


def _loop_around(state: RunState, key: Key) -> JSON:
    """{"item", "index", "parent"} as expressions in the body saw it."""
    loop, path = state.graph.nodes[key[0]].parent, key[1]
    if loop is None:
        return None
    opened, index = state.nodes[loop, path[:-1]].loop, path[-1]
    item = opened.items[index] if opened is not None and index < len(opened.items) else None
    return {"item": item, "index": index, "parent": _loop_around(state, (loop, path[:-1]))}


# The end of the run


def end(state: RunState, now: datetime, error: JSON = None, node: NodeId = "", path: Path = ()) -> Record:
    """How a run ends that does not complete (`error` None: cancelled), or first the undoing if there is any."""
    wanted = error is not None or state.cancel_undo
    if wanted and (state.undoable or state.left_behind):
        below = list(state.left_behind)
        return Record(CompensationStarted(at=now, error=error, node=node, path=path, below=below))
    if error is None:
        return Record(RunCancelled(at=now, reason=state.cancel_reason))
    return Record(RunFailed(at=now, error=error, node=node, path=path))


# Undoing


def undoing(state: RunState, undone: Key) -> Key:
    """The node run that undoes this one."""
    by = state.graph.nodes[undone[0]].compensate_with
    assert by is not None  # noqa: S101  only of such nodes is anything kept
    return (by, undone[1])


def under_way(state: RunState) -> Key | None:
    """The undoing node run that has begun and not ended."""
    if state.compensation is None or not state.compensation.left:
        return None
    key = undoing(state, state.compensation.left[-1])
    return key if state.node(key).status is not NodeStatus.PENDING else None


def stop(state: RunState, now: datetime) -> list[Command]:
    """The run was cancelled meanwhile."""
    if state.compensation is None or not state.compensation.stopped:
        return []
    key = under_way(state)
    if key is not None:
        return [StopNode(*key, "cancelled")]
    return _finish(state, state.compensation, now)


def go_on(state: RunState, now: datetime, held_back: AbstractSet[Key] = frozenset()) -> list[Command]:
    """The next that is to be undone, or the end. Nothing while one is under way, or the run is paused."""
    compensation = state.compensation
    if compensation is None or state.paused or state.left_behind or under_way(state) is not None:
        return []
    if compensation.left:
        node, path = undoing(state, compensation.left[-1])
        return [] if (node, path) in held_back else [StartNode(node, path, attempt=1)]
    return _finish(state, compensation, now)


def _finish(state: RunState, compensation: Compensation, now: datetime) -> list[Command]:
    summary = summary_of(state)
    if not compensation.ended:
        return [Record(CompensationEnded(at=now, **summary))]
    if compensation.stopped or (compensation.error is None and not summary["failed"]):
        return [Record(RunCancelled(at=now, reason=state.cancel_reason))]
    error = compensation.error or _undo_failed(summary["failed"])
    return [
        Record(
            RunFailed(at=now, error={**error, "compensation": summary}, node=compensation.node, path=compensation.path)
        )
    ]


def summary_of(state: RunState) -> dict[str, list[JSON]]:
    """{"undone", "failed", "left"}: each a list of {"node", "path", "by"}, the latest success first; those that failed
    with their "error". What was skipped as optional counts as left. Runs below come first, with their "run".
    """
    found = _below(state)
    for key in reversed(state.undoable):
        by, path = undoing(state, key)
        node_run = state.node((by, path))
        told = {"node": key[0], "path": path_text(path), "by": by}
        match node_run.status:
            case NodeStatus.SUCCEEDED:
                found["undone"].append(told)
            case NodeStatus.FAILED:
                found["failed"].append({**told, "error": node_run.error})
            case _:
                found["left"].append(told)
    return found


def _below(state: RunState) -> dict[str, list[JSON]]:
    """What became of the runs below. One that had completed before it was reached is left as it is, and so is one that
    is still at it when the undoing is stopped.
    """
    found: dict[str, list[JSON]] = {"undone": [], "failed": [], "left": []}
    for told in state.compensation.below if state.compensation else ():
        place = {"node": told["node"], "path": told["path"], "by": "", "run": told["run"]}
        if told["status"] == "completed":
            found["left"].append(place)
        elif _could_not_undo(told["error"]):
            found["failed"].append({**place, "error": told["error"]})
        else:
            found["undone"].append(place)
    for run, (node, path) in state.left_behind.items():
        found["left"].append({"node": node, "path": path_text(path), "by": "", "run": run})
    return found


def _could_not_undo(error: JSON) -> bool:
    summary = (error or {}).get("compensation") or {}
    return bool(summary.get("failed"))


def _undo_failed(failed: list[JSON]) -> JSON:
    names = ", ".join(f"{told['node']}{'[' + told['path'] + ']' if told['path'] else ''}" for told in failed)
    message = f"The run was cancelled, and what these steps did could not be undone: {names}."
    return {"code": "undo_failed", "message": message, "retryable": False, "retry_after": None, "detail": None}


# A retry of the run afterwards


def undone(state: RunState) -> Iterator[Key]:
    """What has been undone, if the run was compensating at its end."""
    if state.compensation is not None:
        yield from (key for key in state.undoable if state.node(undoing(state, key)).status is NodeStatus.SUCCEEDED)


def begin_again(state: RunState) -> set[Key]:
    """The node runs that a retry begins from nothing: the undoing ones; what was undone, with the outermost loop around
    it; and all behind that, since it was built on what is no longer so.
    """
    if state.compensation is None:
        return set()
    again = set[NodeId]()
    for node, _ in undone(state):
        again.add(state.graph.outermost(node))
    for node in state.graph.bodies[None]:
        if any(edge.source in again for edge in state.graph.incoming[node]):
            again.add(node)
    undoers = state.graph.compensators
    return {key for key in state.nodes if key[0] in undoers or state.graph.outermost(key[0]) in again}


def forget_undone(state: RunState, again: set[Key]) -> None:
    """Make room for what begins from nothing. A repeated call outside is another call: it gets a key of its own."""
    state.left_behind.clear()
    for key in list(undone(state)):
        state.rounds[key] = state.rounds.get(key, 0) + 1
        del state.undoable[key]
    for key in again:
        del state.nodes[key]
    for loop, path in list(state.scopes):
        if loop is not None and (loop, path[:-1]) not in state.nodes:
            del state.scopes[loop, path]
    state.compensation, state.cancel_undo = None, False


def round_of(state: RunState, key: Key) -> int:
    """How often what this node run does has been undone before."""
    undoes = state.graph.compensators.get(key[0])
    return state.rounds.get((undoes, key[1]) if undoes is not None else key, 0)
