"""Facts of a run, in the past tense. State is their fold; pages, sockets, SSE, replay and tests read the same rows.

An event is stored as (run, seq, type, at, node, path, data): `to_row` and `from_row` are exact inverses. All fields
other than `at`, `node` and `path` live in `data` under their own names; defaults are left out. Adding a field with a
default is a compatible change, renaming or removing one is not: stored histories must replay with tomorrow's code.

Errors are JSON: {"code": str, "message": str, "retryable": bool, "retry_after": seconds | None, "detail": any},
and "retry_policy" where an agent brings its own.
Usage is JSON: {"cost_usd": float | None, "input_tokens": int, "output_tokens": int, "model": str, "agent": str,
"agent_version": int}.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from orchestration.engine.graph import Graph, Key, NodeId, Path

JSON = Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStarted(Event):
    inputs: JSON
    variables: JSON = field(default_factory=dict)
    reused: JSON = field(default_factory=list)
    """Results that a re-run takes over from its origin, in the shape of `reuse.Taken.as_json`: not done again."""


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


@dataclass(frozen=True, slots=True, kw_only=True)
class CompensationEnded(Event):
    """Each a list of {"node", "path", "by"}, in the order of undoing; those of `failed` with their "error"."""

    undone: JSON = field(default_factory=list)
    failed: JSON = field(default_factory=list)
    left: JSON = field(default_factory=list)
    """Not undone: the undoing was stopped, or left out as optional."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeEvent(Event):
    node: NodeId
    path: Path = ()

    @property
    def key(self) -> Key:
        return (self.node, self.path)


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeStarted(NodeEvent):
    """An attempt begins. `inputs` are the settings after references were resolved, secrets masked."""

    attempt: int
    inputs: JSON = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeWaiting(NodeEvent):
    """The node holds no worker until a signal for it arrives, or `until`, whichever is first."""

    reason: str
    """timer | approval | human_input | event | subworkflow; `escalation` is what `NodeEscalated` waits for"""
    until: datetime | None = None
    data: JSON = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeResumed(NodeEvent):
    """A waiting node goes on, because of a signal, or (`signal` is None) because its time has come."""

    signal: JSON = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptFailed(NodeEvent):
    attempt: int
    error: JSON
    usage: JSON = None
    """What was spent before it failed."""
    acted: str = ""
    """Outside calls of this attempt by the effects ledger: "" none took effect, "maybe", or "yes" (all that were made
    did)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptAbandoned(NodeEvent):
    """An older lease began this attempt and never wrote its end: its host died or was cut off."""

    attempt: int
    acted: str = "maybe"
    """"": the effects ledger proves that it had not begun any outside call."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryScheduled(NodeEvent):
    attempt: int
    """The attempt that will begin at `due`."""
    due: datetime
    error: JSON = None
    by: str = ""
    """Who did not want to wait for the retry's time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlternativeChosen(NodeEvent):
    """The former agent has failed for good; the next one begins, with attempts of its own."""

    index: int
    """1 is the first of the node's `alternatives`; 0 would be the agent that was asked first."""
    agent: str
    error: JSON = None
    """What the former one failed with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeEscalated(NodeEvent):
    """The node has failed for good and waits, holding nothing, until a person says what is to become of it."""

    error: JSON
    assignee: JSON
    """{"user": str, "role": str}; both empty: whoever may control runs."""
    message: str = ""
    unknown: bool = False
    """Nobody knows whether the last attempt took effect, and it must not do so twice."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EscalationAnswered(NodeEvent):
    """action: retry | retry_with (`settings` take the place of the resolved ones) | skip (it counts as succeeded, with
    these `outputs`, and `port` leads on) | fail."""

    action: str
    by: str = ""
    comment: str = ""
    settings: JSON = None
    outputs: JSON = None
    port: str = "out"


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorHandled(NodeEvent):
    """A failure that nothing else handles is handed to this error handler of the body: its path begins now.

    `error` tells besides the `node` and the `path` it came from.
    """

    error: JSON


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeSucceeded(NodeEvent):
    outputs: JSON = None
    port: str = "out"
    usage: JSON = None
    variables: JSON = None
    """Workflow variables this node sets, or None."""
    shared: JSON = None
    """Keys of the shared context this node writes, or None (sharing.py)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeFailed(NodeEvent):
    """The node has failed for good. `handled`: its `error` port leads on; `taken_by`: the join behind it has taken the
    failure upon itself; otherwise the failure goes up. A join fails without having started when its rule can no longer
    be met."""

    error: JSON
    handled: bool = False
    taken_by: NodeId = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeSkipped(NodeEvent):
    """reason `dead_path`: no live edge leads here, its outgoing edges die.
    reason `failed_path`: what leads here has failed and a join takes that upon itself; its outgoing edges are failed,
    and `error` is the one it came from, with its `node`.
    reason `optional`: it failed and may be left out, `out` lives.
    reason `by_person`: somebody said to go on without it, `out` lives; `by` and `comment` tell who and why."""

    reason: str
    error: JSON = None
    by: str = ""
    comment: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeOverridden(NodeEvent):
    """A person says what comes of the node: it has succeeded with these outputs, whatever it was doing."""

    outputs: JSON = None
    port: str = "out"
    by: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeCancelled(NodeEvent):
    reason: str
    """cancelled | lost_join | failed_join | run_failed | iteration_failed | loop_stopped | loop_broken | timeout"""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopOpened(NodeEvent):
    """A loop has resolved its items, or repeats while its condition holds; iterations may begin."""

    items: JSON
    limit: int
    """How many iterations run side by side; 1 is sequential."""
    most: int | None = None
    """Of a loop that repeats while its condition holds: how many iterations there may be. None: once an item."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IterationStarted(NodeEvent):
    index: int


@dataclass(frozen=True, slots=True, kw_only=True)
class IterationEnded(NodeEvent):
    """`result` is what the iteration yields; `error` is set when its body failed; one may yield nothing at all."""

    index: int
    result: JSON = None
    error: JSON = None
    yields: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopBroken(NodeEvent):
    """A `break` was reached: its iteration goes on to its end, others under way are forgotten, and none begins."""

    index: int
    source: NodeId
    """The break."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopClosed(NodeEvent):
    """The condition of a loop holds no longer, so that no iteration begins any more; or, with an `error`, it could not
    be evaluated, or there were as many iterations as there may be and it still holds."""

    error: JSON = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalIgnored(Event):
    """A signal that could change nothing any more, kept so that the history tells what became of it."""

    kind: str
    reason: str
    data: JSON = None


TYPES: dict[str, type[Event]] = {
    kind.__name__: kind
    for kind in (
        RunStarted, RunPaused, RunResumed, RunCancelRequested, RunRetried, RunCompleted, RunFailed, RunCancelled,
        VariablesChanged, RunMoved, CompensationStarted, CompensationEnded,
        NodeStarted, NodeWaiting, NodeResumed, AttemptFailed, AttemptAbandoned, RetryScheduled,
        AlternativeChosen, NodeEscalated, EscalationAnswered, ErrorHandled,
        NodeSucceeded, NodeFailed, NodeSkipped, NodeOverridden, NodeCancelled,
        LoopOpened, IterationStarted, IterationEnded, LoopBroken, LoopClosed, SignalIgnored,
    )
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Row:
    """How an event is stored. `path` is its indexes joined by dots ("" at the top)."""

    type: str
    at: datetime
    node: str
    path: str
    data: dict[str, JSON]


_NOT_IN_DATA: frozenset[str] = frozenset({"at", "node", "path", "graph"})


def path_text(path: Path) -> str:
    return ".".join(map(str, path))


def path_of(text: str) -> Path:
    return tuple(map(int, text.split("."))) if text else ()


def to_row(event: Event) -> Row:
    data: dict[str, JSON] = {}
    for spec in _FIELDS[type(event)]:
        value = getattr(event, spec.name)
        if spec.name in _NOT_IN_DATA or value == _default(spec):
            continue
        data[spec.name] = value.isoformat() if isinstance(value, datetime) else value
    path = getattr(event, "path", ())
    return Row(type(event).__name__, event.at, getattr(event, "node", ""), path_text(path), data)


class UnknownEvent(Exception):
    """A stored event that this version of the code does not know: a newer one has written it."""


def from_row(row: Row) -> Event:
    """The event a stored row stands for. Raises UnknownEvent on a type or a field of a newer version."""
    kind = TYPES.get(row.type)
    if kind is None:
        raise UnknownEvent(f"events of the type {row.type}")
    values: dict[str, Any] = {"at": row.at}
    if kind in _WITH_NODE:
        values |= {"node": row.node, "path": path_of(row.path)}
    for name, value in row.data.items():
        values[name] = datetime.fromisoformat(value) if value is not None and name in _DATETIMES else value
    try:
        return kind(**values)
    except TypeError:
        unknown = sorted(row.data.keys() - {spec.name for spec in _FIELDS[kind]})
        if unknown:
            raise UnknownEvent(f"the field {unknown[0]} of {row.type}") from None
        raise


_DATETIMES: frozenset[str] = frozenset({"until", "due"})
_FIELDS: dict[type[Event], tuple[dataclasses.Field[Any], ...]] = {
    kind: dataclasses.fields(kind) for kind in TYPES.values()
}
_WITH_NODE: frozenset[type[Event]] = frozenset(
    kind for kind, specs in _FIELDS.items() if any(spec.name == "node" for spec in specs)
)


def _default(spec: dataclasses.Field[Any]) -> Any:
    if spec.default_factory is not dataclasses.MISSING:
        return spec.default_factory()
    return spec.default
