"""What a driver hands to the store: everything that becomes true about one run in one commit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from orchestration.engine.events import Event
from orchestration.engine.events.rows import to_row
from orchestration.store.effects import EffectEnded
from portal.core.records import record

if TYPE_CHECKING:
    import psycopg

    from orchestration.nodes.base import RunFacts
    from orchestration.nodes.commit_hooks import Hook
    from orchestration.store.leases import Lease

JSON = Any


@dataclass(frozen=True, slots=True, kw_only=True)
class LetGo:
    """Give the run up, if no signal was posted beyond the `seen` ones. `due_at`: when it should be looked at again."""

    due_at: datetime | None
    seen: int


@record
class RunRow:
    """The columns of the run that follow from its events. Costs and tokens are what this checkpoint adds."""

    status: str
    outputs: JSON = None
    error: JSON = None
    nodes_total: int
    nodes_ended: int
    cost_usd: float = 0.0
    input_tokens: int = 0
    output_tokens: int = 0
    started_at: datetime | None = None
    ended_at: datetime | None = None


@record
class NodeRunRow:
    """One row for pages and statistics. `inputs` None: unchanged; usage None: nothing to add."""

    node: str
    path: str
    type: str
    name: str
    status: str
    attempts: int
    port: str
    inputs: JSON = None
    outputs: JSON = None
    error: JSON = None
    waiting: JSON = None
    usage: JSON = None
    started_at: datetime | None = None
    ended_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Hooked:
    """Who wants rows of its own in the commit of these events (`nodes.commit_hooks`, a type's `in_commit`)."""

    hook: Hook
    run: RunFacts
    events: Sequence[Event]
    alone: bool = False
    """It locks the rows of other runs, so it must not share its transaction with other checkpoints."""

    def __call__(self, connection: psycopg.Connection[Any]) -> None:
        self.hook(connection, self.run, self.events)


@record
class Checkpoint:
    """`before` is the number of the last event already written; `events` follow it."""

    lease: Lease
    before: int
    run: RunRow
    events: Sequence[Event] = ()
    node_runs: Sequence[NodeRunRow] = ()
    signals: Sequence[int] = ()
    """Ids of the signals whose effects are among the events."""
    progress: bool = False
    """Something ended: the run is not what kills hosts."""
    let_go: LetGo | None = None
    hooks: Sequence[Hooked] = field(default=())
    """Rows of others in this commit."""
    effects_ended: Sequence[EffectEnded] = ()
    """Outside calls that have ended since the last commit."""

    @property
    def alone(self) -> bool:
        return any(hooked.alone for hooked in self.hooks)

    @property
    def after(self) -> int:
        return self.before + len(self.events)

    def run_record(self) -> dict[str, JSON]:
        run, let_go = self.run, self.let_go
        return {
            "id": self.lease.run_id,
            "token": self.lease.token,
            "before": self.before,
            "after": self.after,
            "status": run.status,
            "outputs": run.outputs,
            "error": run.error,
            "nodes_total": run.nodes_total,
            "nodes_ended": run.nodes_ended,
            "cost_usd": run.cost_usd,
            "input_tokens": run.input_tokens,
            "output_tokens": run.output_tokens,
            "started_at": run.started_at,
            "ended_at": run.ended_at,
            "progress": self.progress,
            "seen": None if let_go is None else let_go.seen,
            "due_at": None if let_go is None else let_go.due_at,
        }

    def event_records(self) -> list[dict[str, JSON]]:
        run, rows = self.lease.run_id, map(to_row, self.events)
        return [
            {
                "run_id": run,
                "seq": seq,
                "at": row.at,
                "type": row.type,
                "node": row.node,
                "path": row.path,
                "data": row.data,
            }
            for seq, row in enumerate(rows, self.before + 1)
        ]

    def node_run_records(self) -> list[dict[str, JSON]]:
        run = self.lease.run_id
        return [_node_run_record(run, row) for row in self.node_runs]

    def signal_records(self) -> list[dict[str, JSON]]:
        run = self.lease.run_id
        return [{"run_id": run, "id": signal} for signal in self.signals]


@record
class Written:
    """The store's answer. `signals_posted` beyond what the driver has seen: read them. `gone`: the run was let go."""

    signals_posted: int
    gone: bool
    at: datetime


def _node_run_record(run: UUID, row: NodeRunRow) -> dict[str, JSON]:
    usage = row.usage or {}
    return {
        "run_id": run,
        "node": row.node,
        "path": row.path,
        "type": row.type,
        "name": row.name[:200],
        "status": row.status,
        "attempts": row.attempts,
        "port": row.port,
        "inputs": row.inputs,
        "outputs": row.outputs,
        "error": row.error,
        "waiting": row.waiting,
        "agent": usage.get("agent") or "",
        "agent_version": usage.get("agent_version"),
        "model": (usage.get("model") or "")[:120],
        "cost_usd": usage.get("cost_usd"),
        "input_tokens": usage.get("input_tokens"),
        "output_tokens": usage.get("output_tokens"),
        "started_at": row.started_at,
        "ended_at": row.ended_at,
    }
