"""What the API says of runs: a line of a list, a whole run with its steps, what comes of steering it, its events."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from django.urls import reverse
from ninja import Field, Schema

from orchestration.models import NodeRun, Run
from orchestration.monitoring import history, large, queries, sharing
from orchestration.monitoring.control import Control, control
from orchestration.queries import retention


class StartedOut(Schema):
    id: UUID
    new: bool = Field(description="False: the idempotency key had been used before, and this is that run.")


class BatchOut(Schema):
    runs: list[StartedOut] = Field(description="In the order they were asked for.")


class NodeRunOut(Schema):
    node: str
    path: str = Field(description="Iteration indexes joined by dots; empty outside of loops.")
    type: str
    name: str
    status: str
    attempts: int
    port: str
    inputs: Any = None
    outputs: Any = None
    error: Any = None
    waiting: Any = None
    agent: str
    agent_version: int | None
    model: str
    cost_usd: float | None
    input_tokens: int | None
    output_tokens: int | None
    started_at: datetime | None
    ended_at: datetime | None


class Progress(Schema):
    nodes_total: int
    nodes_ended: int


class Cost(Schema):
    usd: float
    input_tokens: int
    output_tokens: int


class RunSummary(Schema):
    id: UUID
    workflow: str | None = Field(description="Slug; null for a run of no workflow.")
    version: int | None
    name: str
    status: str
    priority: int
    progress: Progress
    cost: Cost
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    archived_at: datetime | None = Field(description="Since when it is packed away; it reads as before.")
    parent: UUID | None = Field(None, alias="parent_id", description="The run that began this one.")
    last_seq: int = Field(description="Number of the newest event.")
    url: str = Field(description="The run's page.")

    @staticmethod
    def resolve_workflow(run: Run) -> str | None:
        return run.workflow.slug if run.workflow else None

    @staticmethod
    def resolve_version(run: Run) -> int | None:
        return run.version.number if run.version else None

    @staticmethod
    def resolve_progress(run: Run) -> dict[str, int]:
        return {"nodes_total": run.nodes_total, "nodes_ended": run.nodes_ended}

    @staticmethod
    def resolve_cost(run: Run) -> dict[str, Any]:
        return {"usd": run.cost_usd, "input_tokens": run.input_tokens, "output_tokens": run.output_tokens}

    @staticmethod
    def resolve_url(run: Run, context: dict[str, Any]) -> str:
        address = reverse("runs:detail", args=[run.organisation.slug, run.pk])
        return str(context["request"].build_absolute_uri(address))


class AskedOut(Schema):
    kind: str
    by: str
    reason: str
    node: str
    path: str
    asked_at: datetime


class CancellationOut(Schema):
    """Asked, reached, ended: each moment is null until it comes."""

    by: str
    reason: str
    asked_at: datetime | None
    reached_at: datetime | None
    ended_at: datetime | None
    stopped: list[str] = Field(description="Steps under way that were told to stop.")


class GoesOnOut(Schema):
    node: str
    path: str
    name: str
    status: str
    waiting_for: str


class Controlled(RunSummary):
    """The answer to pause, resume, cancel and retry."""

    asked: list[AskedOut] = Field(description="What people asked for and no engine has taken in yet.")
    cancellation: CancellationOut | None
    goes_on: list[GoesOnOut] = Field(description="While paused: steps at work, which end, and steps that wait.")

    @staticmethod
    def resolve_asked(run: Run) -> Any:
        return _control(run).asked

    @staticmethod
    def resolve_cancellation(run: Run) -> Any:
        return _control(run).cancellation

    @staticmethod
    def resolve_goes_on(run: Run) -> Any:
        return _control(run).goes_on


def as_it_stands(run: Run) -> Run:
    """The same row, read after what people have asked for: so a wish is either among these or in its status."""
    _control(run)
    return run


def _control(run: Run) -> Control:
    """Several fields of one answer ask for it: it is kept on the run's object."""
    if "_control" not in run.__dict__:
        run.__dict__["_control"] = control(run)
    found: Control = run.__dict__["_control"]
    return found


class RunOut(Controlled):
    origin: UUID | None = Field(description="The run this one is a re-run of.")
    origin_node: str = Field(description="The steps it was re-run from, joined by commas.")
    reruns: list[UUID] = Field(description="Runs that are re-runs of this one, newest first; at most 100.")
    inputs: Any
    outputs: Any = None
    error: Any = None
    held: bool = Field(description="A legal hold keeps it from being archived and deleted.")
    waiting_for: list[str] = Field(description="Why it is not moving, in sentences; empty once it has ended.")
    shared: dict[str, Any] = Field(
        description="The shared context: {key: {value, node, path, at, writes}} as each was left."
    )
    nodes: list[NodeRunOut] = Field(description="The first 1,000 node runs.")

    @staticmethod
    def resolve_origin(run: Run) -> UUID | None:
        return run.origin_id

    @staticmethod
    def resolve_reruns(run: Run) -> list[UUID]:
        return list(run.reruns.order_by("-created_at").values_list("id", flat=True)[:100])

    @staticmethod
    def resolve_held(run: Run) -> bool:
        return bool(retention.holds_of_run(run))

    @staticmethod
    def resolve_waiting_for(run: Run) -> list[str]:
        return [reason.text for reason in queries.reasons(run)]

    @staticmethod
    def resolve_shared(run: Run) -> dict[str, Any]:
        return {one.key: large.linked(one.as_json(), run) for one in sharing.of_run(run, run.definition.body)}

    @staticmethod
    def resolve_inputs(run: Run) -> Any:
        return run.whole["inputs"] if hasattr(run, "whole") else large.linked(run.inputs, run)

    @staticmethod
    def resolve_outputs(run: Run) -> Any:
        return run.whole["outputs"] if hasattr(run, "whole") else large.linked(run.outputs, run)

    @staticmethod
    def resolve_nodes(run: Run) -> list[NodeRun]:
        found = list(history.of(run).node_runs(1000))
        for node_run in found:
            for name in ("inputs", "outputs", "error", "waiting"):
                setattr(node_run, name, large.linked(getattr(node_run, name), run))
        return found


class EventOut(Schema):
    seq: int
    type: str
    at: datetime
    node: str
    path: str
    data: dict[str, Any]
