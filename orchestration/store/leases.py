"""What a host is given with a run: the right to drive it, what is said to it, and how far it has come."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from orchestration.engine.signals import Signal
from orchestration.nodes.base import RunFacts
from orchestration.store.errors import TooNew

if TYPE_CHECKING:
    from orchestration.engine.states import RunState
    from orchestration.store.snapshots import Snapshots

JSON = Any


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to drive a run, and the run's row as it was when it was claimed."""

    run_id: UUID
    token: int
    last_seq: int
    signals_posted: int
    organisation_id: int
    workflow_id: UUID | None
    started_by_id: int | None
    priority: int
    definition: str
    inputs: JSON
    nodes_total: int
    nodes_ended: int
    claims: int
    beginning: JSON
    """Fields of the first event besides the inputs; null for all but re-runs, and once it is written."""
    parent_id: UUID | None
    depth: int
    workflow_slug: str
    steps_at_work: int | None
    """How many steps the organisation may have at work; None: any number."""
    at: datetime
    """The database's time of the claim."""

    @property
    def facts(self) -> RunFacts:
        return RunFacts(
            id=self.run_id,
            organisation_id=self.organisation_id,
            workflow_slug=self.workflow_slug or "",
            started_by_id=self.started_by_id,
            priority=self.priority,
            parent_id=self.parent_id,
            depth=self.depth,
        )


@dataclass(frozen=True, slots=True)
class Signals:
    """Open signals in the order they were posted; `seen` is how many had been posted when this was read."""

    seen: int
    open: tuple[Signal, ...] = ()
    too_new: TooNew | None = None
    """The first that this version does not know; those after it are not among the open ones."""


@dataclass(frozen=True, slots=True)
class Loaded:
    state: RunState
    signals: Signals
    snapshots: Snapshots
