"""Re-running from a step: what a new run takes over from the run it comes from, and what happens again.

`rerun_plan` is worked out from the origin's log alone and changes nothing, so that a page can show it as a dry run.
What is taken over is written into the new run's first event (`RunStarted.reused`); folding that event gives the nodes
the results they had, and the run goes on behind them.

A node outside of loops is taken over when it has ended well in the origin (succeeded, skipped, failed with its `error`
port taken, or needless because a join did without it), everything its edges come from is taken over too, and it is not
chosen to be done again. A loop is one step here: it is taken over with its results, or its whole body runs again.
What the origin has undone is done again. Nodes that undo others and the path of an error handler are no part of the
normal flow: nothing of them is taken over, and one does not begin with them.

Decisions of people are not stretched: a decision is never edited, and it is asked for again when what it was made on
has been edited (the run's inputs, its variables, or outputs of a node before it) or when the request itself reads
differently in the version the new run has.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from orchestration.engine.events import Event, NodeSucceeded, RunStarted, VariablesChanged
from orchestration.engine.graph import Graph
from orchestration.engine.ids import NodeId
from orchestration.engine.saga import undone
from orchestration.engine.sharing import written_by
from orchestration.engine.states import NodeRunState, RunState
from orchestration.engine.statuses import NodeStatus
from orchestration.engine.taken import Taken

JSON = Any


class Why(StrEnum):
    """Why a node happens again, or for the first time."""

    CHOSEN = "chosen"
    DEPENDS = "depends"
    """It lies behind something that happens again."""
    UNFINISHED = "unfinished"
    """The origin has no result of it."""
    UNDONE = "undone"
    """What it had done, or something inside of it, was undone when the origin ended."""
    NEW = "new"
    """The origin's version does not know it, or knows it as another type."""
    ASKED_AGAIN = "asked_again"
    """A person decided on what has been edited since."""
    INSIDE = "inside"
    """It is in the body of a loop that runs again."""


@dataclass(frozen=True, slots=True)
class Again:
    node: NodeId
    why: Why
    before: NodeStatus
    """How it stood in the origin; pending: it would be done for the first time."""
    attempts: int = 0


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Why a plan cannot be carried out; `node` is "" if it is not about one."""

    code: str
    message: str
    node: NodeId = ""

    def as_json(self) -> dict[str, str]:
        return {"code": self.code, "message": self.message, "node": self.node}


@dataclass(frozen=True, slots=True)
class Edits:
    """What a person changes for the new run. `variables` are set on top of what the reused nodes had set."""

    inputs: bool = False
    """Whether the inputs are other ones; the values themselves are the new run's."""
    outputs: Mapping[NodeId, JSON] = field(default_factory=dict)
    variables: Mapping[str, JSON] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RerunPlan:
    reused: tuple[Taken, ...]
    again: tuple[Again, ...]
    left_out: tuple[NodeId, ...]
    """Done in the origin, but not part of the new run's version."""
    variables: dict[str, JSON]
    """The variables the new run begins with, where they are not at their defaults."""
    obstacles: tuple[Obstacle, ...] = ()


def rerun_plan(
    state: RunState,
    log: Iterable[Event],
    graph: Graph,
    chosen: Sequence[NodeId],
    *,
    asks: Collection[NodeId],
    edits: Edits | None = None,
) -> RerunPlan:
    """What a run of `graph` from the `chosen` nodes on would reuse of the run `state` (folded from `log`).

    `asks` are the nodes of `graph` that ask a person. A chosen node inside of a loop stands for the outermost loop.
    """
    edits = edits or Edits()
    obstacles = [
        Obstacle("no_such_node", f"There is no step {node!r} in the version of the new run.", node)
        for node in chosen
        if node not in graph.nodes
    ]
    obstacles.extend(
        Obstacle("aside", f"“{graph.nodes[node].name}” is no part of the normal flow: begin with a step that is.", node)
        for node in chosen
        if node in graph.nodes and is_aside(graph, node)
    )
    roots = {graph.outermost(node) for node in chosen if node in graph.nodes}
    reasons = _reasons(state, graph, roots, _people(graph, asks), edits)
    reused = tuple(_taken(state, node, edits) for node in graph.flow[None] if node not in reasons)
    known = {taken.node: taken for taken in reused}
    for node in edits.outputs:
        obstacles.extend(_faults_of_edit(node, known, graph, asks))
    return RerunPlan(
        reused=reused,
        again=tuple(_again(state, graph, reasons)),
        left_out=tuple(
            node for node in state.graph.flow[None] if node not in graph.nodes and state.node((node, ())).status.ended
        ),
        variables={
            name: value
            for name, value in {**_variables(log, state.graph, known), **edits.variables}.items()
            if name in graph.variables
        },
        obstacles=tuple(obstacles),
    )


def is_aside(graph: Graph, node: NodeId) -> bool:
    """Whether it, or its outermost loop, is no part of the normal flow."""
    return node not in graph.flow[graph.nodes[node].parent] or graph.outermost(node) not in graph.flow[None]


def _reasons(
    state: RunState, graph: Graph, roots: Collection[NodeId], people: Collection[NodeId], edits: Edits
) -> dict[NodeId, Why]:
    """Why each node that is not taken over happens again. Repeated until nothing more follows."""
    touched = _behind(graph, edits.outputs)
    everything = edits.inputs or bool(edits.variables)
    gone = {state.graph.outermost(node) for node, _ in undone(state)}
    reasons: dict[NodeId, Why] = {}
    while True:
        before = len(reasons)
        for node in graph.flow[None]:
            if node not in reasons:
                asked_on_other_data = node in people and (everything or node in touched or _differs(state, graph, node))
                why = _reason(state, graph, node, node in roots, asked_on_other_data, reasons)
                if why is None and node in gone:
                    why = Why.UNDONE
                if why is not None:
                    reasons[node] = why
        if len(reasons) == before:
            return reasons


def _reason(
    state: RunState, graph: Graph, node: NodeId, chosen: bool, asked_on_other_data: bool, reasons: Mapping[NodeId, Why]
) -> Why | None:
    if chosen:
        return Why.CHOSEN
    known = state.graph.nodes.get(node)
    if known is None or known.type != graph.nodes[node].type or known.parent is not None:
        return Why.NEW
    node_run = state.node((node, ()))
    if not _ended_well(node_run):
        return Why.UNFINISHED
    if any(edge.source in reasons for edge in graph.incoming[node]):
        return Why.DEPENDS
    # a join that has not fired in the new run made it needless, or took its failure upon itself
    if _fell_for_a_join(node_run) and any(edge.target in reasons for edge in graph.outgoing[node]):
        return Why.DEPENDS
    return Why.ASKED_AGAIN if asked_on_other_data else None


def _fell_for_a_join(node_run: NodeRunState) -> bool:
    return bool(node_run.status is NodeStatus.CANCELLED or node_run.taken_by or node_run.skip_reason == "failed_path")


def _ended_well(node_run: NodeRunState) -> bool:
    match node_run.status:
        case NodeStatus.SUCCEEDED | NodeStatus.SKIPPED:
            return True
        case NodeStatus.FAILED:
            return bool(node_run.handled or node_run.taken_by)
        case NodeStatus.CANCELLED:
            return node_run.cancel_reason in ("lost_join", "failed_join")
    return False


def _again(state: RunState, graph: Graph, reasons: Mapping[NodeId, Why]) -> Iterable[Again]:
    for node in graph.flow[None]:
        if node not in reasons:
            continue
        before = state.node((node, ())) if node in state.graph.nodes else NodeRunState()
        yield Again(node, reasons[node], before.status, before.attempt)
        for inner in graph.inside(node):
            if not is_aside(graph, inner):
                yield Again(inner, Why.INSIDE, before.status)


def _taken(state: RunState, node: NodeId, edits: Edits) -> Taken:
    written = written_by(state, node).items()
    wrote = {key: {"value": one.value, "agent": one.agent, "writes": one.writes} for key, one in written}
    taken = replace(Taken.of(node, state.node((node, ()))), wrote=wrote)
    if node not in edits.outputs:
        return taken
    return replace(taken, outputs=edits.outputs[node], edited=True)


def _faults_of_edit(
    node: NodeId, known: Mapping[NodeId, Taken], graph: Graph, asks: Collection[NodeId]
) -> Iterable[Obstacle]:
    name = graph.nodes[node].name if node in graph.nodes else node
    if node in asks or any(inner in asks for inner in graph.inside(node) if node in graph.nodes):
        yield Obstacle(
            "decision_edited", f"“{name}” holds what a person decided, and that is not edited: ask them again.", node
        )
    elif node not in known:
        yield Obstacle("not_reused", f"“{name}” is done again, so there is no result of it to edit.", node)
    elif known[node].status is not NodeStatus.SUCCEEDED:
        yield Obstacle("no_outputs", f"“{name}” is {known[node].status} and has no outputs to edit.", node)


def _people(graph: Graph, asks: Collection[NodeId]) -> set[NodeId]:
    """The nodes outside of loops that ask a person, or hold one that does."""
    return {graph.outermost(node) for node in asks}


def _behind(graph: Graph, nodes: Iterable[NodeId]) -> set[NodeId]:
    found: set[NodeId] = set()
    waiting = [node for node in nodes if node in graph.nodes]
    while waiting:
        for edge in graph.outgoing[waiting.pop()]:
            if edge.target not in found:
                found.add(edge.target)
                waiting.append(edge.target)
    return found


def _differs(state: RunState, graph: Graph, node: NodeId) -> bool:
    return any(
        inner not in state.graph.nodes or state.graph.nodes[inner].settings != graph.nodes[inner].settings
        for inner in (node, *graph.inside(node))
    )


def _variables(log: Iterable[Event], graph: Graph, reused: Collection[NodeId]) -> dict[str, JSON]:
    """What the reused nodes, and people, had set, in the order in which they did."""
    found: dict[str, JSON] = {}
    for event in log:
        match event:
            case RunStarted():
                found = dict(event.variables)
            case VariablesChanged():
                found |= event.values
            case NodeSucceeded() if event.variables and event.node in graph.nodes:
                if graph.outermost(event.node) in reused:
                    found |= event.variables
    return found
