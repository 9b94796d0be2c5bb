"""What agents' pages know of their use: which workflows call one, and how its node runs went (`agents.usage`)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any

from django.db.models import Aggregate, Avg, Count, DurationField, ExpressionWrapper, F, FloatField, JSONField, Q, Sum
from django.db.models.functions import Cast, Extract

from agents.usage import Figures, RecentRun, WorkflowUse
from orchestration.engine.statuses import NodeStatus
from orchestration.models import NodeRun, Workflow
from portal.core import clock

JSON = Any
MEASURED_DAYS = 30


class _P95(Aggregate):
    """The value that 95 of 100 do not exceed."""

    template = "percentile_cont(0.95) WITHIN GROUP (ORDER BY %(expressions)s)"
    output_field = FloatField()


class NodeRunUsage:
    """The source that `OrchestrationConfig.ready` registers. Trials count as use, as they cost and measure the same;
    steps of archived runs are not counted (the page of the policy says so).
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
        """From calls that ended in the last 30 days. One query, by the index on agent and end."""
        good = Q(status=NodeStatus.SUCCEEDED)
        took = ExpressionWrapper(F("ended_at") - F("started_at"), output_field=DurationField())
        rows = (
            NodeRun.objects.filter(
                run__organisation_id=organisation_id,
                agent__in=agents,
                ended_at__gte=clock.now() - timedelta(days=MEASURED_DAYS),
                status__in=[NodeStatus.SUCCEEDED, NodeStatus.FAILED],
            )
            .exclude(agent="")
            .values("agent")
            .annotate(
                runs=Count("id"),
                succeeded=Count("id", filter=good),
                average=Avg(took, filter=good),
                p95=_P95(Extract(took, "epoch"), filter=good),
                average_cost_usd=Avg("cost_usd"),
                total_cost_usd=Sum("cost_usd"),
            )
        )
        return {row["agent"]: _figures(row) for row in rows}


def _figures(row: Mapping[str, JSON]) -> Figures:
    return Figures(
        days=MEASURED_DAYS,
        runs=row["runs"],
        succeeded=row["succeeded"],
        average=row["average"],
        p95=None if row["p95"] is None else timedelta(seconds=row["p95"]),
        average_cost_usd=row["average_cost_usd"],
        total_cost_usd=row["total_cost_usd"],
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
