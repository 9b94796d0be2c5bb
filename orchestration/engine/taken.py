"""A result that a run takes over from another: as it stood there, as JSON in `RunStarted.reused`, as state again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from orchestration.engine.ids import NodeId
from orchestration.engine.states import NodeRunState, SharedEntry
from orchestration.engine.statuses import NodeStatus

JSON = Any
_AS_IT_STOOD = (
    "status", "port", "outputs", "error", "skip_reason", "cancel_reason", "taken_by", "started_at", "ended_at",
)  # fmt: skip
"""Fields of a node run that are taken over as they are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """A result that is taken over. JSON: fields at their defaults are left out, times are ISO 8601."""

    node: NodeId
    status: NodeStatus = NodeStatus.SUCCEEDED
    port: str = ""
    outputs: JSON = None
    error: JSON = None
    skip_reason: str = ""
    cancel_reason: str = ""
    taken_by: NodeId = ""
    edited: bool = False
    """`outputs` are not what the node had said: somebody changed them for this run."""
    wrote: Mapping[str, JSON] = field(default_factory=dict)
    """Keys of the run's shared context: {key: {"value", "agent", "writes"}}."""
    started_at: datetime | None = None
    ended_at: datetime | None = None

    @classmethod
    def of(cls, node: NodeId, node_run: NodeRunState) -> Taken:
        return cls(node=node, **{name: getattr(node_run, name) for name in _AS_IT_STOOD})

    def as_json(self) -> dict[str, JSON]:
        found: dict[str, JSON] = {"node": self.node, "status": str(self.status)}
        for name in ("port", "skip_reason", "cancel_reason", "taken_by", "edited", "wrote"):
            if value := getattr(self, name):
                found[name] = value
        for name in ("outputs", "error"):
            if (value := getattr(self, name)) is not None:
                found[name] = value
        for name in ("started_at", "ended_at"):
            if moment := getattr(self, name):
                found[name] = moment.isoformat()
        return found

    @classmethod
    def from_json(cls, raw: Mapping[str, JSON]) -> Taken:
        times = {name: datetime.fromisoformat(raw[name]) for name in ("started_at", "ended_at") if raw.get(name)}
        return cls(**{**raw, "status": NodeStatus(raw["status"]), **times})

    def entries(self) -> dict[str, SharedEntry]:
        return {name: SharedEntry(node=self.node, at=self.ended_at, **raw) for name, raw in self.wrote.items()}

    def node_run(self) -> NodeRunState:
        handled = self.status is NodeStatus.FAILED and not self.taken_by
        return NodeRunState(handled=handled, **{name: getattr(self, name) for name in _AS_IT_STOOD})
