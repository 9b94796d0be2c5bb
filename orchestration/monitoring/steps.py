"""The steps of a run as a table and one by one: what became of each, and each of its tries."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from orchestration.engine.graph import Graph
from orchestration.engine.statuses import NodeStatus
from orchestration.models import NodeRun, Run, RunEvent
from orchestration.monitoring import history
from orchestration.monitoring.words import ANSWERS, assignee_words, names_of
from orchestration.nodes.base import node_types


@dataclass(frozen=True, slots=True)
class StepRow:
    """A line of the step table: a node outside of loops, or a loop's body node over all its iterations."""

    node: str
    name: str
    type: str
    parent: str
    depth: int
    status: str
    node_run: NodeRun | None
    """None when nothing has happened to it yet, or when it stands for several iterations."""
    tally: dict[str, int]
    """Node runs by status; for body nodes of loops."""
    undoes: str = ""
    """The name of the step that this one undoes; such a row stands right below that step's."""
    undone: bool = False
    """What it did has been undone."""
    on_failure: bool = False
    """Part of an error handler's path."""

    @property
    def kind(self) -> str:
        """The type in words."""
        known = node_types().get(self.type)
        return str(known.label) if known else self.type

    @property
    def iterations(self) -> int:
        return sum(self.tally.values())


def steps(run: Run, definition: dict[str, Any]) -> list[StepRow]:
    """All nodes in the graph's order, bodies under their loop. Two queries, however long the loops."""
    nodes = {node["id"]: node for node in definition["nodes"]}
    names = names_of(definition)
    graph = Graph.of(definition)
    handling = {node for path in graph.handling.values() for node in path}
    single = {row.node: row for row in history.of(run).outer_node_runs()}
    tallies = history.of(run).tallies()
    return [
        StepRow(
            node=node_id,
            name=names[node_id],
            type=nodes[node_id]["type"],
            parent=nodes[node_id].get("parent") or "",
            depth=depth,
            status=_status(single.get(node_id), tallies.get(node_id)),
            node_run=single.get(node_id),
            tally=dict(tallies.get(node_id, {})),
            undoes=names.get(graph.compensators.get(node_id, ""), ""),
            undone=_succeeded(single.get(graph.nodes[node_id].compensate_with or "")),
            on_failure=node_id in handling,
        )
        for node_id, depth in _in_order(graph)
    ]


def statuses(rows: Iterable[StepRow]) -> dict[str, str]:
    """For the drawn graph: {node: status}."""
    return {row.node: row.status for row in rows}


def _succeeded(row: NodeRun | None) -> bool:
    return row is not None and row.status == NodeStatus.SUCCEEDED


def _in_order(graph: Graph) -> list[tuple[str, int]]:
    """(node, depth) with each loop's body right after the loop, and what undoes a node below it."""
    ordered: list[tuple[str, int]] = []

    def walk(parent: str | None, depth: int) -> None:
        for node in graph.bodies.get(parent, ()):
            if node in graph.compensators:
                continue
            ordered.append((node, depth))
            walk(node, depth + 1)
            if undo := graph.nodes[node].compensate_with:
                ordered.append((undo, depth + 1))

    walk(None, 0)
    return ordered


_GRAVEST = ("running", "waiting", "retrying", "failed", "cancelled", "succeeded", "skipped")


def _status(single: NodeRun | None, tally: Mapping[str, int] | None) -> str:
    if single is not None:
        return single.status
    if tally:
        return next(status for status in _GRAVEST if tally.get(status))
    return NodeStatus.PENDING


def node_run(run: Run, node: str, path: str) -> NodeRun | None:
    return history.of(run).node_run(node, path)


def iterations(run: Run, node: str) -> Any:
    """Node runs of a body node, in the order they were made, for a Paginator."""
    return history.of(run).iterations(node)


def attempts(run: Run, node: str, path: str) -> list[dict[str, Any]]:
    """Each try of a node run: {"number", "started_at", "ended_at", "outcome", "error", "retry_at", "then"}.

    `then` says in words what followed besides another try. One query.
    """
    events = history.of(run).events_at(node, path, _OF_TRIES)
    tries: list[dict[str, Any]] = []
    for event in events:
        if event.type == "NodeStarted":
            tries.append(
                {"number": event.data.get("attempt", len(tries) + 1), "started_at": event.at, "outcome": "running"}
            )
        elif tries and event.type in _OUTCOMES:
            tries[-1] |= {"ended_at": event.at, "outcome": _OUTCOMES[event.type]}
            if "error" in event.data:
                tries[-1]["error"] = event.data["error"]
        elif tries and event.type == "RetryScheduled":
            tries[-1]["retry_at"] = event.data.get("due")
        elif tries and event.type in ("NodeEscalated", "EscalationAnswered"):
            tries[-1]["then"] = _of_escalation(event, tries[-1].get("then", ""))
        elif tries and event.type == "AlternativeChosen":
            tries[-1]["then"] = f"Given up; {event.data.get('agent')} is asked instead."
        elif tries and event.type in ("NodeWaiting", "NodeResumed"):
            tries[-1]["outcome"] = "waiting" if event.type == "NodeWaiting" else "running"
    return tries


def _of_escalation(event: RunEvent, before: str) -> str:
    if event.type == "NodeEscalated":
        return f"A person is asked ({assignee_words(event.data.get('assignee'), 'whoever may')})."
    comment = f" “{event.data['comment']}”" if event.data.get("comment") else ""
    return f"{before} {event.data.get('by') or 'A person'} says: {ANSWERS[event.data['action']]}.{comment}".strip()


_OUTCOMES = {
    "AttemptFailed": "failed",
    "AttemptAbandoned": "abandoned",
    "NodeSucceeded": "succeeded",
    "NodeFailed": "failed",
    "NodeCancelled": "cancelled",
}
_OF_TRIES = frozenset(_OUTCOMES) | {
    "NodeStarted",
    "RetryScheduled",
    "NodeEscalated",
    "EscalationAnswered",
    "AlternativeChosen",
    "NodeWaiting",
    "NodeResumed",
}
