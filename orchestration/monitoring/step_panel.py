"""One opened step of a run: its result, its tries, what it did outside, and what may be done with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.core.paginator import Page, Paginator

from orchestration import live
from orchestration.engine.moving import ASKS_A_PERSON
from orchestration.engine.reuse import is_aside
from orchestration.engine.statuses import NodeStatus, RunStatus
from orchestration.models import NodeRun, Run
from orchestration.monitoring import large, queries, steps
from orchestration.monitoring.why import Reason, waits
from orchestration.nodes.base import node_types
from orchestration.queries import effects
from orchestration.queries.effects import Call
from orchestration.queries.state import asked_inside, graph

ITERATIONS_PER_PAGE = 25
CALLS_SHOWN = 100


@dataclass(frozen=True, slots=True)
class Step:
    """An opened step: one node run with its attempts, or the iterations of a node inside a loop."""

    node: str
    path: str
    name: str
    type: str
    raw: dict[str, Any]
    """The node as the definition has it."""
    node_run: NodeRun | None
    undoes: str
    """The name of the step that this one undoes."""
    waits: Reason | None
    """Why, while it waits or is to be tried again."""
    attempts: list[dict[str, Any]]
    calls: list[Call]
    """What it did outside, in the order it was begun."""
    iterations: Page[NodeRun] | None
    partial_text: str
    """What a running model has said so far."""
    children: list[Run]
    """The runs it has begun, the newest first; of subworkflows."""

    @property
    def kind(self) -> str:
        """The type in words."""
        known = node_types().get(self.type)
        return str(known.label) if known else self.type


def open_step(run: Run, definition: dict[str, Any], node: str, path: str, iterations_page: str) -> Step | None:
    """None for a node that the definition does not have. Some five queries."""
    raw = next((raw for raw in definition["nodes"] if raw["id"] == node), None)
    if raw is None:
        return None
    inside_a_loop = bool(raw.get("parent"))
    found = steps.node_run(run, node, path) if path or not inside_a_loop else None
    iterations = None
    if inside_a_loop and not path:
        iterations = Paginator(steps.iterations(run, node), ITERATIONS_PER_PAGE).get_page(iterations_page)
    if found is not None:
        shown = large.shown(run, found.inputs, found.outputs, found.error, found.waiting)
        found.inputs, found.outputs, found.error, found.waiting = shown
    running = found is not None and found.status == "running"
    waiting = found is not None and found.status in ("waiting", "retrying")
    return Step(
        node=node,
        path=path,
        name=raw.get("name") or node,
        type=raw["type"],
        raw=raw,
        node_run=found,
        undoes=next((other.get("name") or other["id"] for other in definition["nodes"] if _undone_by(other, node)), ""),
        waits=waits(queries.waiting_node(run, found)) if found and waiting else None,
        attempts=steps.attempts(run, node, path) if found else [],
        calls=effects.calls(run, node=node, path=path, limit=CALLS_SHOWN) if found else [],
        iterations=iterations,
        partial_text=live.partial_text(run.id, node, path) if running else "",
        children=queries.children(run, node, path) if found and raw["type"] == "subworkflow" else [],
    )


def _undone_by(raw: dict[str, Any], node: str) -> bool:
    return bool(raw.get("compensate_with") == node)


def acts_on(run: Run, step: Step, definition: dict[str, Any], may_start: bool) -> frozenset[str]:
    """From the rows alone; the page of each act asks the run's own state."""
    flow = graph(run.definition_id)
    aside, row = is_aside(flow, step.node), step.node_run
    if step.node in flow.compensators or (aside and row is None):
        return frozenset()
    acts = {"rerun"} if may_start and not aside else set()
    status = NodeStatus(row.status) if row else NodeStatus.PENDING
    inside_a_loop = bool(step.raw.get("parent"))
    if step.iterations or (row is None and inside_a_loop) or asked_inside(flow, step.node):
        return frozenset(acts)
    under_way = RunStatus(run.status) in (RunStatus.RUNNING, RunStatus.WAITING, RunStatus.PAUSED)
    waits_for = (row.waiting or {}).get("reason", "") if row else ""
    open_here = under_way and not status.ended and waits_for not in ASKS_A_PERSON
    if open_here or (run.status == RunStatus.FAILED and status is NodeStatus.FAILED):
        acts |= {"override"}
        ports = {edge.get("port", "out") for edge in definition.get("edges", ()) if edge["source"] == step.node}
        acts |= {"skip"} if not ports or "out" in ports else set()
    if under_way and status is NodeStatus.RETRYING:
        acts.add("retry-now")
    return frozenset(acts)
