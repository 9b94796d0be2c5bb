"""Moving a run under way to another version of its workflow: what carries over, and what forbids it.

`move_plan` compares where the run stands with the other graph and changes nothing. A run may be moved where it
*matches*: whatever is under way must be there with the same type at the same place, an open loop must have the same
steps and edges in its body (what the steps are told to do may differ: it counts for what begins from then on), and what
has begun must not get something new before it. Then results of finished nodes carry over by their ids,
finished nodes the other version does not know are forgotten, and new nodes take their turn.

Applying `RunMoved` puts the other graph in place and works out scopes and frontier anew (`apply._reopen`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from orchestration.engine.graph import Graph
from orchestration.engine.ids import Key, NodeId
from orchestration.engine.loops import ACTIVE
from orchestration.engine.nodes import Node
from orchestration.engine.reuse import Obstacle
from orchestration.engine.states import NodeRunState, RunState
from orchestration.engine.statuses import UNDER_WAY, NodeStatus, RunStatus

ASKS_A_PERSON: frozenset[str] = frozenset({"approval", "human_input", "escalation"})
"""Reasons of waits that only a person's decision ends."""


@dataclass(frozen=True, slots=True)
class MovePlan:
    """Node runs by what becomes of them. Of nodes inside of loops each open iteration is one."""

    finished: tuple[Key, ...]
    """Their results carry over."""
    under_way: tuple[Key, ...]
    """They go on as they are."""
    vanishing: tuple[Key, ...]
    """Finished, but not part of the other version."""
    new: tuple[NodeId, ...]
    changed: tuple[NodeId, ...]
    """Begun or finished with settings that read differently there; what they have done stays as it is."""
    obstacles: tuple[Obstacle, ...]


def move_plan(state: RunState, graph: Graph) -> MovePlan:
    carried = [key for key in state.nodes if carries(state.graph, graph, key[0])]
    begun = {node for node, path in carried if state.nodes[node, path].status is not NodeStatus.PENDING}
    return MovePlan(
        finished=tuple(key for key in carried if state.nodes[key].status.ended),
        under_way=tuple(key for key in carried if state.nodes[key].status in ACTIVE),
        vanishing=tuple(key for key in vanishing(state, graph) if state.nodes[key].status.ended),
        new=tuple(node for node in graph.nodes if not carries(state.graph, graph, node)),
        changed=tuple(node for node in state.graph.nodes if node in begun and _reads_differently(state, graph, node)),
        obstacles=tuple(_obstacles(state, graph)),
    )


def carries(old: Graph, new: Graph, node: NodeId | None) -> bool:
    """Whether a node is in both graphs with the same type, inside of the same loops."""
    if node is None:
        return True
    here, there = old.nodes.get(node), new.nodes.get(node)
    if here is None or there is None:
        return False
    return here.type == there.type and here.parent == there.parent and carries(old, new, here.parent)


def vanishing(state: RunState, graph: Graph) -> list[Key]:
    """The node runs that the other graph has no place for."""
    return [key for key in state.nodes if not carries(state.graph, graph, key[0])]


def first_definition(rows: Iterable[Sequence[Any]], current: str) -> str:
    """The digest of the definition a run began with. `rows` are its stored events as (type, at, node, path, data)
    tuples from the first on, `current` the definition it has now.
    """
    return next((str(row[4]["previous"]) for row in rows if row[0] == "RunMoved"), current)


def _obstacles(state: RunState, graph: Graph) -> Iterator[Obstacle]:
    if state.cancel_requested:
        yield Obstacle("cancelling", "The run is being cancelled.")
    elif state.status not in UNDER_WAY or state.status is RunStatus.COMPENSATING:
        yield Obstacle("not_under_way", f"Only a run under way can be moved, and this one is {state.status}.")
    for key, node_run in state.nodes.items():
        yield from _of_node_run(state, graph, key, node_run)
    for (node, _), node_run in state.nodes.items():
        if node_run.handles is not None:
            yield Obstacle("handling", "An error handler is at work: let it end first.", node)
    for key in state.undoable:
        if not carries(state.graph, graph, key[0]) or graph.nodes[key[0]].compensate_with is None:
            name = _name(state, key[0])
            yield Obstacle("undo_lost", f"“{name}” has succeeded, and the other version cannot undo it.", key[0])
    for scope in state.scopes.values():
        yield from (
            Obstacle("left_to_itself", f"“{_name(state, node)}” has lost to a join and is left to itself.", node)
            for node in sorted(scope.ignored)
            if any(key[0] == node and run.status in ACTIVE for key, run in state.nodes.items())
        )


def _of_node_run(state: RunState, graph: Graph, key: Key, node_run: NodeRunState) -> Iterator[Obstacle]:
    node, name = key[0], _name(state, key[0])
    if node_run.status is NodeStatus.FAILED and not (node_run.handled or node_run.taken_by):
        yield Obstacle("failed", f"“{name}” has failed, so the run will fail. Retry it first, then move it.", node)
    if not carries(state.graph, graph, node):
        if node_run.status in ACTIVE:
            where = "another type or place" if node in graph.nodes else "no place"
            yield Obstacle("under_way", f"“{name}” is {node_run.status}, and has {where} in the other version.", node)
        elif node in graph.nodes:
            yield Obstacle("other_place", f"“{name}” has ended, and is another step in the other version.", node)
        return
    if node_run.status is NodeStatus.PENDING:
        return
    yield from _new_before(state, graph, key)
    if node_run.status not in ACTIVE:
        return
    if node_run.loop is not None and not _same_body(state.graph, graph, node):
        yield Obstacle(
            "loop_changed", f"The loop “{name}” is open, and its steps or edges differ in the other version.", node
        )
    if node_run.waiting_for in ASKS_A_PERSON and _reads_differently(state, graph, node):
        yield Obstacle(
            "request_changed", f"“{name}” waits for a person, and asks something else in the other version.", node
        )


def _new_before(state: RunState, graph: Graph, key: Key) -> Iterator[Obstacle]:
    """Something has begun for which the other version wants another node first."""
    node, path = key
    known = {edge.source for edge in state.graph.incoming[node]}
    for edge in graph.incoming[node]:
        source = state.nodes.get((edge.source, path)) if carries(state.graph, graph, edge.source) else None
        if edge.source not in known and not (source and source.status.ended):
            yield Obstacle(
                "begun_before",
                f"“{_name(state, node)}” is {state.nodes[key].status}, and in the other version "
                f"“{graph.nodes[edge.source].name}” comes before it.",
                node,
            )


def _same_body(old: Graph, new: Graph, loop: NodeId) -> bool:
    nodes = [loop, *old.inside(loop)]
    if nodes != [loop, *new.inside(loop)]:
        return False
    return all(
        _shape(old.nodes[node]) == _shape(new.nodes[node])
        and (node == loop or old.outgoing[node] == new.outgoing[node])
        for node in nodes
    )


def _shape(node: Node) -> Node:
    """What must not differ of a node of an open loop: of loops all of it, since their state is made of it."""
    if node.container:
        return replace(node, name="")
    free: dict[str, Any] = {"settings": {}, "retry": None, "timeout_seconds": None, "total_timeout_seconds": None}
    return replace(node, name="", priority=0, **free)


def _reads_differently(state: RunState, graph: Graph, node: NodeId) -> bool:
    return carries(state.graph, graph, node) and state.graph.nodes[node].settings != graph.nodes[node].settings


def _name(state: RunState, node: NodeId) -> str:
    return state.graph.nodes[node].name


def people_left_out(state: RunState, graph: Graph, asks: Collection[NodeId]) -> list[NodeId]:
    """Nodes of the present version that ask a person, have not done so, and are not in the other version."""
    return [
        node
        for node in state.graph.nodes
        if node in asks and not carries(state.graph, graph, node) and not state.node((node, ())).status.ended
    ]
