"""What the pages and the API read of runs. Everything is within one organisation."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce

from orchestration.engine.graph import Graph
from orchestration.engine.statuses import NodeStatus, RunStatus
from orchestration.models import EngineHost, LegalHold, NodeRun, Place, Run, RunEvent, Workflow, WorkflowVersion
from orchestration.monitoring import history
from orchestration.monitoring.why import ChildRun, Facts, Reason, WaitingNode, WaitingPlace, why
from orchestration.monitoring.words import ANSWERS, assignee_words
from orchestration.nodes.base import node_types
from portal.core import clock
from portal.core.models import Organisation

HOST_IS_FRESH = timedelta(seconds=15)
UNFINISHED = ("queued", "running", "waiting", "paused", "compensating")
PERIODS = {"hour": timedelta(hours=1), "day": timedelta(days=1), "week": timedelta(days=7), "month": timedelta(days=30)}


@dataclass(frozen=True, slots=True)
class RunFilter:
    """As in the address. status: a status, `unfinished` or empty; period: a key of PERIODS or empty."""

    q: str = ""
    status: str = ""
    workflow: str = ""
    period: str = ""
    kind: str = "workflow"
    """A kind of run; `workflow` leaves out those that other runs began, `any` does not."""
    source: str = ""
    parent: uuid.UUID | None = None
    """Only the runs that this one began."""
    kept: str = ""
    """rows: not archived; archived; held: by a legal hold of their own or their workflow's."""


def runs(organisation: Organisation, chosen: RunFilter | None = None) -> QuerySet[Run]:
    """Newest first, with what a row shows; heavy columns are left out."""
    chosen = chosen or RunFilter()
    found = Run.objects.filter(organisation=organisation)
    if chosen.parent:
        found = found.filter(parent=chosen.parent)
    elif chosen.kind == "any":
        found = found.filter(kind="workflow")
    elif chosen.kind:
        found = found.filter(kind=chosen.kind, parent=None)
    if chosen.status == "unfinished":
        found = found.filter(status__in=UNFINISHED)
    elif chosen.status:
        found = found.filter(status=chosen.status)
    if chosen.workflow:
        found = found.filter(workflow__slug=chosen.workflow)
    if chosen.source:
        found = found.filter(source=chosen.source)
    if chosen.kept == "held":
        standing = LegalHold.objects.filter(organisation=organisation, lifted_at=None)
        found = found.filter(Q(pk__in=standing.values("run")) | Q(workflow__in=standing.values("workflow")))
    elif chosen.kept:
        found = found.filter(archived_at__isnull=chosen.kept == "rows")
    if chosen.period in PERIODS:
        found = found.filter(created_at__gte=clock.now() - PERIODS[chosen.period])
    if chosen.q:
        found = found.filter(_matches(chosen.q))
    return (
        found.select_related("organisation", "workflow", "version", "started_by", "trigger")
        .defer("inputs", "outputs", "workflow__draft")
        .order_by("-created_at", "-id")
    )


def _matches(words: str) -> Q:
    """Name, starter, or the beginning of the id as pages show it."""
    match = Q(name__icontains=words) | Q(started_by__username__icontains=words)
    digits = words.replace("-", "").lower()
    if 4 <= len(digits) <= 32 and all(c in "0123456789abcdef" for c in digits):
        low, high = uuid.UUID(digits.ljust(32, "0")), uuid.UUID(digits.ljust(32, "f"))
        match |= Q(id__gte=low, id__lte=high)
    return match


def counts(organisation: Organisation) -> dict[str, int]:
    """Runs by status of the last 30 days and all unfinished ones; one query."""
    since = clock.now() - PERIODS["month"]
    rows = (
        Run.objects.filter(organisation=organisation, kind="workflow", parent=None)
        .filter(Q(created_at__gte=since) | Q(status__in=UNFINISHED))
        .values("status")
        .annotate(n=Count("id"))
        .values_list("status", "n")
    )
    found = dict(rows)
    found["unfinished"] = sum(found.get(status, 0) for status in UNFINISHED)
    return found


def under_way_with_other_versions(workflow: Workflow, version: WorkflowVersion | None) -> list[tuple[int, int]]:
    """[(number of the version, runs under way with it)], the newest version first, without the given one. One query."""
    found = Run.objects.unfinished().filter(workflow=workflow, version__isnull=False)
    if version is not None:
        found = found.exclude(version=version)
    rows = found.values_list("version__number").annotate(n=Count("id")).order_by("-version__number")
    return [(number, count) for number, count in rows]


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
    names = {node: raw.get("name") or node for node, raw in nodes.items()}
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
    events = history.of(run).events_at(node, path)
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


def events(run: Run, *, after: int = 0, limit: int = 500) -> Sequence[RunEvent]:
    return list(history.of(run).events(after=after, limit=limit))


def engine_alive(now: datetime) -> bool:
    return EngineHost.objects.filter(ended_at=None, heartbeat_at__gte=now - HOST_IS_FRESH).exists()


def places_waited_for(run: Run) -> list[tuple[str, int, int, int]]:
    """[(scope, places held, places there are, how many come before it)]."""
    others = Place.objects.filter(scope=OuterRef("scope")).order_by().values("scope").annotate(n=Count("id"))
    held = others.filter(granted_at__isnull=False).values("n")
    before = others.filter(granted_at=None, turn__lt=OuterRef("turn")).values("n")
    waiting = Place.objects.filter(run=run, granted_at=None).annotate(
        held=Coalesce(Subquery(held), 0), before=Coalesce(Subquery(before), 0)
    )
    return list(waiting.order_by("scope").values_list("scope", "held", "allowed", "before"))


def reasons(run: Run) -> list[Reason]:
    """Why an unfinished run is where it is; at most three queries, none once it has ended."""
    if run.ended:
        return []
    now = clock.now()
    under_way = NodeRun.objects.filter(run=run, status__in=["running", "waiting", "retrying"]).defer(
        "inputs", "outputs"
    )
    rows = list(under_way.order_by("id")[:50])
    below = _children_of(run, rows)
    facts = Facts(
        status=run.status,
        due_at=run.due_at,
        lease_alive=bool(run.lease_token and run.lease_expires_at and run.lease_expires_at > now),
        engine_alive=engine_alive(now),
        incident=run.incident,
        running=[row.name for row in rows if row.status == NodeStatus.RUNNING and row.type != "loop"],
        waiting=[_waiting(row, below.get((row.node, row.path))) for row in rows if row.status != NodeStatus.RUNNING],
        places=[WaitingPlace(*row) for row in places_waited_for(run)],
        too_new=(run.too_new or {}).get("what", ""),
    )
    return why(facts, now)


def _children_of(run: Run, rows: Iterable[NodeRun]) -> dict[tuple[str, str], Run]:
    """The newest run that each of these steps has begun. One query, none if none of them is a subworkflow."""
    if not any(row.type == "subworkflow" for row in rows):
        return {}
    found = Run.objects.filter(parent=run).exclude(status__in=["completed", "failed", "cancelled"])
    return {(child.parent_node, child.parent_path): child for child in found.order_by("created_at").defer(*_HEAVY)}


_HEAVY = ("inputs", "outputs", "error")


def children(run: Run, node: str, path: str) -> list[Run]:
    """The runs that a step has begun, one an attempt, the newest first. One query."""
    found = Run.objects.filter(parent=run, parent_node=node, parent_path=path)
    return list(found.select_related("version").defer(*_HEAVY).order_by("-created_at"))


def waiting_node(run: Run, row: NodeRun) -> WaitingNode:
    """At most one query, of a subworkflow."""
    return _waiting(row, _children_of(run, [row]).get((row.node, row.path)))


def _waiting(row: NodeRun, child: Run | None) -> WaitingNode:
    waiting = row.waiting or {}
    until = waiting.get("until")
    return WaitingNode(
        name=row.name + (f" [{row.path}]" if row.path else ""),
        node=row.node,
        path=row.path,
        status=row.status,
        reason=waiting.get("reason", ""),
        until=datetime.fromisoformat(until) if until else None,
        data=waiting.get("data") or {},
        attempts=row.attempts,
        error=row.error,
        child=ChildRun(str(child.pk), child.name, child.status, child.incident is not None) if child else None,
    )


def cost_by_agent(run: Run) -> list[dict[str, Any]]:
    """[{"agent", "cost", "input", "output", "steps"}], dearest first. One query."""
    return history.of(run).cost_by_agent()


def ended(status: str) -> bool:
    return RunStatus(status).ended
