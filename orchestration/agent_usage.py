"""What agents' pages know of their use: which workflows call one, and how its node runs went (`agents.usage`)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.db import connection
from django.db.models import F, JSONField, Q
from django.db.models.functions import Cast

from agents.usage import Figures, RecentRun, WorkflowUse
from orchestration.models import NodeRun, Workflow
from portal.core import clock

JSON = Any
MEASURED_DAYS = 30


_FIGURES = """
SELECT agent, count(*), count(*) FILTER (WHERE succeeded), avg(seconds) FILTER (WHERE succeeded),
       percentile_cont(0.95) WITHIN GROUP (ORDER BY seconds) FILTER (WHERE succeeded), avg(cost_usd), sum(cost_usd)
FROM (
    SELECT step.agent, step.status = 'succeeded' AS succeeded,
           EXTRACT(EPOCH FROM step.ended_at - step.started_at)::float AS seconds, step.cost_usd
    FROM orchestration_noderun AS step JOIN orchestration_run AS run ON run.id = step.run_id
    WHERE run.organisation_id = %(organisation)s AND step.agent = ANY(%(agents)s) AND step.agent <> ''
      AND step.ended_at >= %(since)s AND step.status IN ('succeeded', 'failed')
    UNION ALL
    SELECT agent, succeeded, seconds, cost_usd FROM orchestration_measuredcall
    WHERE organisation_id = %(organisation)s AND agent = ANY(%(agents)s) AND ended_at >= %(since)s
) AS call
GROUP BY agent
"""


class NodeRunUsage:
    """The source that `OrchestrationConfig.ready` registers. Trials count as use, as they cost and measure the same;
    of runs that have been archived or deleted the calls count on (`retention.figures`), but are not listed.
    """

    def workflows(self, organisation_id: int, agent: str) -> Sequence[WorkflowUse]:
        """By name; the published definition counts, else the draft. One query."""
        calls = [{"type": "agent", "settings": {"agent": agent}}]
        found = Workflow.objects.filter(organisation_id=organisation_id, archived_at=None)
        # Definitions are kept as `json`, which keeps their order but cannot be searched.
        found = found.annotate(drawn=Cast("draft", JSONField()), body=Cast("published__definition__body", JSONField()))
        found = found.filter(Q(drawn__nodes__contains=calls) | Q(body__nodes__contains=calls))
        rows = found.select_related("published__definition").order_by("name")
        return [use for workflow in rows for use in _uses(workflow, agent)]

    def recent(self, organisation_id: int, agent: str, limit: int) -> Sequence[RecentRun]:
        """Newest first. One query."""
        rows = NodeRun.objects.filter(run__organisation_id=organisation_id, agent=agent).exclude(started_at=None)
        newest = rows.select_related("run").order_by(F("ended_at").desc(nulls_first=True), "-id")[:limit]
        return [_recent(row) for row in newest]

    def figures_of(self, organisation_id: int, agents: Sequence[str]) -> Mapping[str, Figures]:
        """From calls that ended in the last 30 days. One query, by the indexes on agent and end."""
        since = clock.now() - timedelta(days=MEASURED_DAYS)
        with connection.cursor() as cursor:
            cursor.execute(_FIGURES, {"organisation": organisation_id, "agents": list(agents), "since": since})
            return {agent: _figures(*row) for agent, *row in cursor.fetchall()}


def _figures(
    runs: int, succeeded: int, average: float | None, p95: float | None, cost: Decimal | None, total: Decimal | None
) -> Figures:
    return Figures(
        days=MEASURED_DAYS,
        runs=runs,
        succeeded=succeeded,
        average=None if average is None else timedelta(seconds=average),
        p95=None if p95 is None else timedelta(seconds=p95),
        average_cost_usd=cost,
        total_cost_usd=total,
    )


def _uses(workflow: Workflow, agent: str) -> Iterator[WorkflowUse]:
    """One a pinned version, since that is what matters when the agent changes."""
    published = workflow.published.definition.body if workflow.published else None
    nodes = _nodes(published, agent) if published else []
    body_nodes = nodes or _nodes(workflow.draft, agent)
    for version in dict.fromkeys(node["settings"].get("version") for node in body_nodes):
        names = [
            str(node.get("name") or node["id"]) for node in body_nodes if node["settings"].get("version") == version
        ]
        yield WorkflowUse(slug=workflow.slug, name=workflow.name, nodes=names, version=version, published=bool(nodes))


def _nodes(definition: Mapping[str, JSON], agent: str) -> list[Mapping[str, JSON]]:
    """A draft may be wrong in any way; only what is rightly an agent node counts."""
    nodes = definition.get("nodes")
    return [
        node
        for node in (nodes if isinstance(nodes, list) else [])
        if isinstance(node, Mapping)
        and node.get("type") == "agent"
        and isinstance(node.get("settings"), Mapping)
        and node["settings"].get("agent") == agent
    ]


def _recent(row: NodeRun) -> RecentRun:
    tokens = None if row.input_tokens is None else row.input_tokens + (row.output_tokens or 0)
    took = row.ended_at - row.started_at if row.ended_at and row.started_at else None
    return RecentRun(
        run=str(row.run_id),
        name=row.run.name,
        node=row.node,
        status=row.status,
        version=row.agent_version,
        model=row.model,
        cost_usd=row.cost_usd,
        tokens=tokens,
        duration=took,
        at=row.ended_at or row.started_at,  # type: ignore[arg-type]  # started ones only, see the query
        kind=row.run.kind,
    )
