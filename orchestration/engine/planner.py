"""What happens next in a run: `plan(state, now) -> commands`.

A plan is worked out in stages, and the first stage that has something to say says it all: first whether the run must
end, then what must stop, then what has failed, what is skipped, what loops do, whose time has come, and only when no
fact is left to be written down, what begins. The driver records and applies the commands and asks again, until nothing
but running work remains:

    state = apply_all(begin(graph, str(run.id)), events)
    while commands := plan(state, now):
        for command in commands:
            for event in what_came_of(command):
                apply(state, event)

Commands of one plan do not contradict each other: carried out in their order, each is legal. The same state and the
same `now` give the same plan. A plan costs what the run's frontier (scopes.py) holds, not what the run holds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from datetime import datetime
from heapq import merge
from typing import Any

from orchestration.engine import errors, handlers, loops, saga
from orchestration.engine.commands import Command, CompleteRun, EndIteration, Record, ResumeNode, StartNode, StopNode
from orchestration.engine.events import (
    AttemptAbandoned,
    AttemptFailed,
    Event,
    IterationEnded,
    LoopBroken,
    NodeCancelled,
    NodeSkipped,
)
from orchestration.engine.frontier import deadline, rank
from orchestration.engine.ids import Key, path_of, path_text
from orchestration.engine.joins import branch_error, edges_of, failed_branches
from orchestration.engine.retry import decide, final_failure
from orchestration.engine.scopes import TOP, ScopeKey
from orchestration.engine.states import RunState
from orchestration.engine.statuses import NodeStatus, RunStatus

JSON = Any


Held = AbstractSet[Key]
NOBODY: Held = frozenset()


def plan(state: RunState, now: datetime, held_back: Held = NOBODY) -> list[Command]:
    """The next commands, in their order; empty when only running work, a signal or time can move the run on.

    held_back: node runs that must not begin for now, because there is no place for them outside of the run.
    """
    if state.status.ended:
        return []
    if state.compensation is not None:
        return _first(_UNDOING, state, now) or _begin(state, now, held_back) or saga.go_on(state, now, held_back)
    if must_end := _end_early(state, now):
        return must_end
    if state.status is RunStatus.QUEUED:
        return []
    facts = _first(_STAGES, state, now) if state.frontier.facts or state.frontier.due else []
    return facts or _begin(state, now, held_back) or _fail_late(state, now)


def _first(stages: Iterable[Stage], state: RunState, now: datetime) -> list[Command]:
    return next((commands for stage in stages if (commands := stage(state, now))), [])


def next_due(state: RunState, held_back: Held = NOBODY) -> datetime | None:
    """The earliest time at which `plan` would say something that it does not say now; None if time changes nothing."""
    if state.status.ended or state.status is RunStatus.QUEUED:
        return None
    bounded = state.deadline is not None and not state.paused and state.compensation is None
    times = [state.deadline] if bounded and state.deadline else []
    for at, key in state.frontier.due:
        if key not in held_back and not _is_held_back(state, key):
            times.append(at)
            break
    return min(times, default=None)


def abandon(state: RunState, now: datetime) -> list[Event]:
    """What a driver writes down first when it has taken a run over: the lease that began what is at work is gone."""
    undoing = saga.under_way(state)
    active = [undoing] if undoing is not None else loops.active_inside(state, TOP)
    return [
        AttemptAbandoned(at=now, node=node, path=path, attempt=state.nodes[node, path].attempt)
        for node, path in active
        if state.nodes[node, path].works
    ]


# The end of the run


def _end_early(state: RunState, now: datetime) -> list[Command]:
    """Cancelled, failed or out of time: whatever is under way is stopped, and then the run ends."""
    if state.cancel_requested:
        return _stop_inside(state, TOP, "cancelled") or [saga.end(state, now)]
    if TOP in state.frontier.failing:
        return _stop_inside(state, TOP, handlers.why_stopped(state, TOP)) or [_run_failed(state, now)]
    if state.deadline and state.deadline <= now and not state.paused:
        error = errors.run_timeout(state.graph.timeout_seconds or 0)
        return _stop_inside(state, TOP, "timeout") or [saga.end(state, now, error)]
    return []


def _run_failed(state: RunState, now: datetime) -> Record:
    """An error handler first, then the end. The error names the node it came from, maybe deep inside of loops."""
    error = _located_error(state, TOP)
    if handled := handlers.hand_over(state, TOP, error, now):
        return handled
    return _ended_with(state, error, now)


def _ended_with(state: RunState, error: JSON, now: datetime) -> Record:
    return saga.end(state, now, error, error["node"], path_of(error["path"]))


def _fail_late(state: RunState, now: datetime) -> list[Command]:
    """With `on_failure: continue` the run fails when all that does not depend on the failure has ended."""
    frontier = state.frontier
    goes_on = frontier.working or frontier.waiting or frontier.ready or frontier.loops
    if state.scopes[TOP].failure is None or goes_on:
        return []
    return [_run_failed(state, now)]


# What must stop


def _stop_losers(state: RunState, now: datetime) -> list[Command]:
    return _stop(state, state.frontier.losers, now)


def _break_loop(state: RunState, now: datetime) -> list[Command]:
    """A break that was reached: the other iterations of its loop stop, then the loop is told. One at a time."""
    for (loop, path), source in state.frontier.breaking.items():
        assert loop is not None  # noqa: S101  only iterations break
        others = [scope for scope in loops.scopes_of(state, (loop, path[:-1])) if scope != (loop, path)]
        stops = [stop for scope in others for stop in _stop_inside(state, scope, "loop_broken")]
        told = Record(LoopBroken(at=now, node=loop, path=path[:-1], index=path[-1], source=source))
        return stops or [told]
    return []


def _fail_iteration(state: RunState, now: datetime) -> list[Command]:
    """One at a time: another that fails may lie inside of this one."""
    for scope_key in state.frontier.failing:
        loop, path = scope_key
        if loop is None:
            continue
        reason = "iteration_failed" if handlers.free(state, scope_key) is None else "error_handled"
        if stops := _stop_inside(state, scope_key, reason):
            return stops
        error = _located_error(state, scope_key)
        if handled := handlers.hand_over(state, scope_key, error, now):
            return [handled]
        return [Record(IterationEnded(at=now, node=loop, path=path[:-1], index=path[-1], error=error))]
    return []


def _fail_loop(state: RunState, now: datetime) -> list[Command]:
    """A failed iteration of a loop that stops on errors, its condition, or its timeout ends the loop."""
    for key in state.frontier.loops:
        loop = state.nodes[key].loop
        if loop and loop.failed:
            error = loop.error if loop.error is not None else loop.errors[min(loop.errors)]
            return _stop_body(state, key, "loop_stopped") or [final_failure(state, key, error, now)]
    for key in _due(state, now):
        if state.nodes[key].loop:
            node = state.graph.nodes[key[0]]
            error = errors.timeout(node.timeout_seconds or node.total_timeout_seconds or 0)
            return _stop_body(state, key, "timeout") or [final_failure(state, key, error, now)]
    return []


def _located_error(state: RunState, scope_key: ScopeKey) -> JSON:
    """The error a scope fails with, besides telling the node run (`node`, `path`) it came from, however deep inside."""
    failure = state.scopes[scope_key].failure
    if failure is None:
        raise AssertionError("Only scopes in which something failed are failing.")
    located = {"node": failure.node, "path": path_text(failure.path), **failure.error}
    handled = handlers.handled_error(state, scope_key)
    return {**located, "handling": handled} if handled is not None else located


# What is decided without doing anything


def _decide_attempts(state: RunState, now: datetime) -> list[Command]:
    decisions = (decide(state, key, now) for key in state.frontier.undecided)
    return [decision for decision in decisions if decision]


def _fail_joins(state: RunState, now: datetime) -> list[Command]:
    """Joins whose rule can no longer be met fail without having started."""
    commands: list[Command] = []
    for key in state.frontier.unmet:
        join, failed = state.graph.nodes[key[0]].join, failed_branches(state, key)
        if join.rule == "n_of_m":
            error = errors.too_few_branches(join.count, len(state.graph.incoming[key[0]]), failed)
        else:
            error = errors.no_branch_succeeded(failed)
        commands.append(final_failure(state, key, error, now))
    return commands


def _skip_paths(state: RunState, now: datetime) -> list[Command]:
    """A dead path is cleared away to its end at once: skipping a node kills its edges, which may be another's last.

    Behind a failure that a join takes upon itself one node a plan is skipped.
    """
    dead, newly_dead = list(state.frontier.dead), dict[Key, int]()
    commands: list[Command] = []
    for node, path in dead:
        if failed := failed_branches(state, (node, path)):
            error = branch_error(state, failed[0]["branch"], path)
            commands.append(Record(NodeSkipped(at=now, node=node, path=path, reason="failed_path", error=error)))
            continue
        commands.append(Record(NodeSkipped(at=now, node=node, path=path, reason="dead_path")))
        for edge in state.graph.outgoing[node]:
            key = (edge.target, path)
            newly_dead[key] = newly_dead.get(key, 0) + 1
            edges = edges_of(state, key)
            all_dead = newly_dead[key] == edges.open and not edges.live and not edges.failed
            if all_dead and state.node(key).status is NodeStatus.PENDING:
                dead.append(key)
    return commands


def _move_loops(state: RunState, now: datetime) -> list[Command]:
    return [command for key in state.frontier.loops for command in loops.move_on(state, key, now)]


def _time_out_waits(state: RunState, now: datetime) -> list[Command]:
    """A wait that outlasts the node's timeout is a failed attempt; one whose own time is up goes on (`_begin`)."""
    commands: list[Command] = []
    for node, path in _due(state, now):
        node_run, settings = state.nodes[node, path], state.graph.nodes[node]
        limit = deadline(settings, node_run)
        if node_run.status is NodeStatus.WAITING and limit and limit <= now and node_run.due_at == limit:
            error = errors.timeout(settings.timeout_seconds or settings.total_timeout_seconds or 0)
            commands.append(Record(AttemptFailed(at=now, node=node, path=path, attempt=node_run.attempt, error=error)))
    return commands


# What ends well


def _close_scopes(state: RunState, now: datetime) -> list[Command]:
    """Everything in them has ended; what was left to itself by a join that ignores its losers is cancelled now."""
    leftovers = [
        (node, path)
        for parent, path in state.frontier.closing
        for node in state.graph.bodies.get(parent, ())
        if node in state.scopes[parent, path].ignored and not state.node((node, path)).status.ended
    ]
    if leftovers:
        return _stop(state, dict.fromkeys(leftovers, "lost_join"), now)
    return [
        _ended_after_handling(state, scope_key, error, now) if (error := handlers.fails_with(state, scope_key)) else end
        for scope_key in state.frontier.closing
        if state.scopes[scope_key].failure is None
        for end in [_ended_well(scope_key)]
    ]


def _ended_well(scope_key: ScopeKey) -> Command:
    loop, path = scope_key
    return CompleteRun() if loop is None else EndIteration(node=loop, path=path[:-1], index=path[-1])


def _ended_after_handling(state: RunState, scope_key: ScopeKey, error: JSON, now: datetime) -> Record:
    """The handler's path has ended, and was for cleaning up: the failure stands."""
    loop, path = scope_key
    if loop is None:
        return _ended_with(state, error, now)
    return Record(IterationEnded(at=now, node=loop, path=path[:-1], index=path[-1], error=error))


# What begins


def _begin(state: RunState, now: datetime, held_back: Held) -> list[Command]:
    """What was begun goes on before anything new begins, even if more than `max_parallel` work then for a while."""
    resumed = list(_resume(state, now))
    taken = sum(state.graph.nodes[command.node].takes_place for command in resumed)
    return [*resumed, *_start(state, now, state.graph.max_parallel - state.frontier.places - taken, held_back)]


def _resume(state: RunState, now: datetime) -> Iterator[ResumeNode]:
    """Waits whose time is up, and attempts that were cut off after their wait."""
    for node, path in state.frontier.undecided:
        if state.nodes[node, path].resumed:
            yield ResumeNode(node, path, state.nodes[node, path].signal)
    for node, path in _due(state, now):
        if state.nodes[node, path].status is NodeStatus.WAITING:
            yield ResumeNode(node, path)


def _start(state: RunState, now: datetime, free: int, held_back: Held) -> Iterator[StartNode]:
    """As many as there are free places for, the most urgent first. What takes no place is sorted before what does."""
    if state.paused:
        return
    again = sorted(rank(state.graph, key) for key in _to_start_again(state, now))
    for (takes_place, *_), path, node in merge(state.frontier.ready, again) if again else state.frontier.ready:
        if takes_place and free <= 0:
            return
        if (node, path) in held_back:
            continue
        free -= takes_place
        yield StartNode(node, path, attempt=state.node((node, path)).attempt + 1)


def _to_start_again(state: RunState, now: datetime) -> Iterator[Key]:
    """Retries whose time has come, and attempts that were cut off."""
    for key in _due(state, now):
        if state.nodes[key].status is NodeStatus.RETRYING and not saga.waits_below(state, key):
            yield key
    for key in state.frontier.undecided:
        if not state.nodes[key].resumed:
            yield key


def _is_held_back(state: RunState, key: Key) -> bool:
    """A retry that could not begin even if it were due: its turn comes with a free place, the run's resumption, or the
    end of what its last attempt had begun.
    """
    if state.nodes[key].status is not NodeStatus.RETRYING:
        return False
    if saga.waits_below(state, key):
        return True
    needs_place = state.graph.nodes[key[0]].takes_place
    return state.paused or (needs_place and state.frontier.places >= state.graph.max_parallel)


# Helpers


def _due(state: RunState, now: datetime) -> Iterator[Key]:
    for at, key in state.frontier.due:
        if at > now:
            return
        yield key


def _stop_inside(state: RunState, scope_key: ScopeKey, reason: str) -> list[Command]:
    return [StopNode(node, path, reason) for node, path in loops.active_inside(state, scope_key)]


def _stop_body(state: RunState, loop: Key, reason: str) -> list[Command]:
    return [StopNode(node, path, reason) for node, path in loops.active_in_body(state, loop)]


def _stop(state: RunState, keys: Mapping[Key, str], now: datetime) -> list[Command]:
    """Cancel node runs that may be under way, with what is inside of them, or still pending; by key, with the reason.

    Innermost first, because a loop takes with it what is inside, and each is named once. What a failed join has no more
    use for a retry of the run may open again, so what is inside is stopped with its loop and not lost by itself.
    """
    commands: dict[Key, Command] = {}
    for key in sorted(keys, key=lambda key: -len(key[1])):
        (node, path), reason = key, keys[key]
        for inner in loops.active_in_body(state, key):
            commands.setdefault(inner, StopNode(*inner, "loop_stopped" if reason == "failed_join" else reason))
        if state.node(key).status is NodeStatus.PENDING:
            commands.setdefault(key, Record(NodeCancelled(at=now, node=node, path=path, reason=reason)))
        else:
            commands.setdefault(key, StopNode(node, path, reason))
    return list(commands.values())


Stage = Callable[[RunState, datetime], list[Command]]

_STAGES: tuple[Stage, ...] = (
    _stop_losers,
    _break_loop,
    _fail_iteration,
    _fail_loop,
    _decide_attempts,
    _fail_joins,
    _skip_paths,
    _move_loops,
    _time_out_waits,
    _close_scopes,
)
"""Before anything begins."""

_UNDOING: tuple[Stage, ...] = (saga.stop, _decide_attempts, _time_out_waits)
"""The same while the run is compensating: the frontier holds nothing but the undoing node."""
