"""Facts of what people have asked of a run."""

from __future__ import annotations

from dataclasses import dataclass, field

from orchestration.engine.events.base import JSON, Event, NodeEvent
from orchestration.engine.graph import Graph


@dataclass(frozen=True, slots=True, kw_only=True)
class RunPaused(Event):
    """No new node starts; what is under way finishes, signals are still taken in."""

    by: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResumed(Event):
    by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunCancelRequested(Event):
    by: str = ""
    reason: str = ""
    undo: bool = False
    """Undo what has succeeded before the run ends. Without it, a run that is undoing stops that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRetried(Event):
    """A failed or cancelled run goes on: what failed unhandled and what was cancelled because of it is open again."""

    by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class VariablesChanged(Event):
    """A person has set variables of the run: {name: value}. What was resolved before stays as it was."""

    values: JSON
    by: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunMoved(Event):
    """The run goes on with another version of its workflow. Definitions are named by their digests."""

    definition: str
    version: int | None
    previous: str
    """The definition up to here: whoever folds the log from its beginning begins with it."""
    previous_version: int | None = None
    by: str = ""
    reason: str = ""
    graph: Graph | None = field(default=None, compare=False, repr=False)
    """Not stored: whoever reads the log puts the graph of `definition` here before the event is applied."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeOverridden(NodeEvent):
    """A person says what comes of the node: it has succeeded with these outputs, whatever it was doing."""

    outputs: JSON = None
    port: str = "out"
    by: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalIgnored(Event):
    """A signal that could change nothing any more, kept so that the history tells what became of it."""

    kind: str
    reason: str
    data: JSON = None
