"""Facts of the run as a whole: how it begins, how it ends, what is undone before."""

from __future__ import annotations

from dataclasses import dataclass, field

from orchestration.engine.events.base import JSON, Event
from orchestration.engine.ids import NodeId, Path


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStarted(Event):
    inputs: JSON
    variables: JSON = field(default_factory=dict)
    reused: JSON = field(default_factory=list)
    """Results that a re-run takes over from its origin, in the shape of `taken.Taken.as_json`: not done again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunCompleted(Event):
    outputs: JSON = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFailed(Event):
    error: JSON
    node: NodeId = ""
    path: Path = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RunCancelled(Event):
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CompensationStarted(Event):
    """The run will end, and first what has succeeded is undone. `error` is what it will fail with; None: cancelled."""

    error: JSON = None
    node: NodeId = ""
    path: Path = ()
    below: JSON = field(default_factory=list)
    """Ids of runs that its steps began and wait for no longer: they end first, with what they undo."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunBelowEnded(Event):
    """A run that a step had begun and waits for no longer has ended: what waited for its undoing goes on."""

    run: str
    node: NodeId
    path: Path = ()
    status: str
    error: JSON = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CompensationEnded(Event):
    """Each a list of {"node", "path", "by"}, in the order of undoing; those of `failed` with their "error". Of a run
    below `by` is empty, and "run" is its id.
    """

    undone: JSON = field(default_factory=list)
    failed: JSON = field(default_factory=list)
    left: JSON = field(default_factory=list)
    """Not undone: the undoing was stopped, or left out as optional."""
