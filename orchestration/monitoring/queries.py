"""What the pages and the API read of runs. Everything is within one organisation."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from django.db.models import Count, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce

from orchestration.engine.statuses import NodeStatus, RunStatus
from orchestration.models import EngineHost, LegalHold, NodeRun, Place, Run, RunEvent, Workflow, WorkflowVersion
from orchestration.monitoring import history
from orchestration.monitoring.why import ChildRun, Facts, Reason, WaitingNode, WaitingPlace, why
from orchestration.monitoring.words import place
from portal.core import clock
from portal.core.models import Organisation
from portal.core.prepared import Prepared

HOST_IS_FRESH = timedelta(seconds=15)
UNFINISHED = tuple(status.value for status in RunStatus if not status.ended)
PERIODS = {"hour": timedelta(hours=1), "day": timedelta(days=1), "week": timedelta(days=7), "month": timedelta(days=30)}
PERIOD_CHOICES = [("hour", "Last hour"), ("day", "Last 24 hours"), ("week", "Last 7 days"), ("month", "Last 30 days")]


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
    return _chosen_runs(organisation, chosen, _since(chosen))


def newest_runs(organisation: Organisation, chosen: RunFilter, count: int) -> list[Run]:
    """The first `count` of `runs`, by a statement kept for each of the filters: for those that a page always has."""
    return _newest_runs(chosen, count).all(organisation.pk, _since(chosen))


@lru_cache(maxsize=32)
def _newest_runs(chosen: RunFilter, count: int) -> Prepared[Run]:
    return Prepared(lambda organisation, since: _chosen_runs(organisation, chosen, since)[:count])


def _since(chosen: RunFilter) -> datetime | None:
    return clock.now() - PERIODS[chosen.period] if chosen.period in PERIODS else None


def _chosen_runs(organisation: Any, chosen: RunFilter, since: Any) -> QuerySet[Run]:
    """`since` counts if the filter has a period."""
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
        found = found.filter(created_at__gte=since)
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
        undone_first=_undone_first(run),
    )
    return why(facts, now)


def _children_of(run: Run, rows: Iterable[NodeRun]) -> dict[tuple[str, str], Run]:
    """The newest run that each of these steps has begun. One query, none if none of them is a subworkflow."""
    steps = [(row.node, row.path) for row in rows if row.type == "subworkflow"]
    if not steps:
        return {}
    nodes, paths = zip(*steps, strict=True)  # a loop may have begun thousands
    found = Run.objects.unfinished().filter(parent=run, parent_node__in=set(nodes), parent_path__in=set(paths))
    return {(child.parent_node, child.parent_path): child for child in found.order_by("created_at").defer(*_HEAVY)}


def _undone_first(run: Run) -> list[ChildRun]:
    """Runs below whose end the undoing of this one waits for. One query, of a run that is being undone."""
    if run.status != "compensating":
        return []
    found = Run.objects.unfinished().filter(parent=run).defer(*_HEAVY).order_by("created_at")
    return [_child(child) for child in found[:5]]


def _child(run: Run) -> ChildRun:
    return ChildRun(str(run.pk), run.name, run.status, run.incident is not None)


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
        name=place(row.node, row.path, {row.node: row.name}),
        node=row.node,
        path=row.path,
        status=row.status,
        reason=waiting.get("reason", ""),
        until=datetime.fromisoformat(until) if until else None,
        data=waiting.get("data") or {},
        attempts=row.attempts,
        error=row.error,
        child=_child(child) if child else None,
    )


def cost_by_agent(run: Run) -> list[dict[str, Any]]:
    """[{"agent", "cost", "input", "output", "steps"}], dearest first. One query."""
    return history.of(run).cost_by_agent()
