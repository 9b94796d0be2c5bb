"""What a node type is: one class that describes itself and does its work, found by the registry.

A type lives in one file of any app's `nodes` package or module and registers itself with `@register`; palette, forms,
validation and engine find it there. Its settings are a pydantic model (`Settings`); before `execute` the driver has
resolved every `{{ ... }}` in them and validated the result, so that `ctx.settings` is an instance with final values.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar
from uuid import UUID

from orchestration.definition.fields import NodeSettings
from portal.core.records import record

if TYPE_CHECKING:
    import psycopg

    from orchestration.engine.events import NodeEvent
    from orchestration.engine.ids import Path
    from orchestration.engine.states import SharedEntry

JSON = Any


class NodeFailure(Exception):
    """An expected failure of a node. The engine asks one thing of it: try again, and when?

    `code` is a stable word for rules and reports (timeout, rate_limited, invalid_output, expression, ...),
    `retry_after` the seconds the other side asked for, `detail` JSON for the page. `retry_policy` is what holds when
    the node has no policy of its own (an agent's), in the shape of `engine.graph.RetryPolicy`.
    """

    def __init__(
        self,
        message: str,
        *,
        code: str,
        retryable: bool = False,
        retry_after: float | None = None,
        detail: JSON = None,
        usage: JSON = None,
        retry_policy: Mapping[str, JSON] | None = None,
    ) -> None:
        super().__init__(message)
        self.message, self.code, self.retryable = message, code, retryable
        self.retry_after, self.detail, self.usage = retry_after, detail, usage
        self.retry_policy = retry_policy

    def as_json(self) -> dict[str, JSON]:
        return {
            "code": self.code,
            "message": self.message,
            "retryable": self.retryable,
            "retry_after": self.retry_after if math.isfinite(self.retry_after or 0.0) else None,
            "detail": self.detail,
            **({"retry_policy": dict(self.retry_policy)} if self.retry_policy else {}),
        }


@record
class Done:
    """The node has succeeded; edges of `port` come alive. `variables` are workflow variables to set."""

    outputs: JSON = None
    port: str = "out"
    usage: JSON = None
    variables: Mapping[str, JSON] | None = None
    shared: Mapping[str, JSON] | None = None
    """Keys of the shared context to write."""


@record
class Wait:
    """The node waits, holding nothing, for a signal or until a time. `data` is shown on the run's page.

    below: the id of the run it waits for, if that one can undo what it does.
    """

    reason: str
    until: datetime | None = None
    data: JSON = None
    below: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenLoop:
    """Only of containers: begin iterations over `items`, `limit` side by side; or, with `most`, while the setting
    `while` holds, one after the other and at most so many."""

    items: Sequence[JSON] = ()
    limit: int = 1
    most: int | None = None


Result = Done | Wait | OpenLoop


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFacts:
    """What a node may know of its run."""

    id: UUID
    organisation_id: int
    workflow_slug: str
    started_by_id: int | None
    priority: int
    parent_id: UUID | None = None
    """The run whose subworkflow node began this one."""
    depth: int = 0
    """How many runs are above it."""


@record
class Context:
    run: RunFacts
    node: str
    path: Path
    name: str
    attempt: int
    alternative: int = 0
    """Which of the settings' `alternatives` is asked now; 0 is the one they name first."""
    settings: Any
    """The type's `Settings`, references resolved."""
    started_at: datetime
    """The database's time at the start of this attempt."""
    run_started_at: datetime | None = None
    """When the run began: what is looked up by name is looked up as of then."""
    deadline: datetime | None
    """When the attempt's time is up, by this machine's own clock (`portal.core.clock`)."""
    idempotency_key: str
    """`run/node/iteration`, the same over all attempts: pass it on with every outside call. What is done again after it
    was undone is another call, and has another key."""
    emit: Callable[[str], None] = field(repr=False, default=lambda text: None)
    """Show a piece of streamed text live; it is not stored."""
    wait_data: JSON = None
    """In `resume`: what the node's own `Wait` carried."""
    shared: Mapping[str, JSON] = field(default_factory=dict)
    """Of the shared context: what the type asked for by `reads_shared`."""
    combined: JSON = None
    """Of types that combine: what the node's `join.combine` makes of its branches."""


class NodeType(ABC):
    kind: ClassVar[str]
    label: ClassVar[str]
    description: ClassVar[str]
    icon: ClassVar[str]
    category: ClassVar[str]
    """agents | logic | data | people | time | errors"""
    Settings: ClassVar[type[NodeSettings]]
    inline: ClassVar[bool] = False
    """Quick and without outside calls: run within the planning loop, begin and end in one commit."""
    combines: ClassVar[bool] = False
    """Passes on what its branches have brought, put together by its `join` (`Context.combined`). It costs loading
    whatever is large in what came."""
    effect: ClassVar[str] = ""
    """What it does to the world outside of the run, in words that follow its name; for the plans people confirm."""
    asks_person: ClassVar[bool] = False
    """What comes of it is a person's decision: nobody skips or overrides it, and no re-run edits what was decided."""
    container: ClassVar[bool] = False
    """Has a body: nodes whose `parent` it is."""
    late_names: ClassVar[frozenset[str] | None] = None
    """The only names its `Late` settings may use, where these are others than those of the run."""
    calls_are_recorded: ClassVar[bool] = False
    """All it does outside goes through `portal.core.effects`: an attempt without an entry there has done nothing."""

    def ports(self, settings: Mapping[str, JSON]) -> tuple[str, ...]:
        """Ports besides `error` that edges may leave from, given the unresolved settings."""
        return ("out",)

    def output_schema(self, settings: Mapping[str, JSON]) -> dict[str, JSON] | None:
        """JSON Schema of `outputs` where it is known before running (checked references), else None."""
        return None

    def reads_shared(self, settings: Any, entries: Mapping[str, SharedEntry]) -> list[str]:
        """Which of these keys of the shared context the node is to see (`Context.shared`)."""
        return []

    def commits_alone(self, events: Sequence[NodeEvent]) -> bool:
        """Whether `in_commit` touches rows of other runs for these events; see `nodes.commit_hooks`."""
        return False

    @abstractmethod
    async def execute(self, ctx: Context) -> Result: ...

    async def is_pure(self, ctx: Context) -> bool:
        """Whether this attempt has no effect outside of the run: then it may begin before its beginning is on the disk,
        since nobody could tell if a crash makes it begin again unrecorded."""
        return False

    async def resume(self, ctx: Context, signal: JSON | None) -> Result:
        """Go on after a wait: with the signal's data, or None when `Wait.until` has passed."""
        raise NodeFailure(f"A {self.kind} node does not wait.", code="bug")

    def in_commit(  # noqa: B027  most types have no rows of their own
        self, connection: psycopg.Connection[Any], run: RunFacts, events: Sequence[NodeEvent]
    ) -> None:
        """Called by the store's writer inside the transaction that records `events` of this type's nodes.

        For rows that must appear or change together with the event (approval requests). Must be quick and idempotent.
        For events of other nodes or of the run: `nodes.commit_hooks`.
        """


_TYPES: dict[str, NodeType] = {}


def register(cls: type[NodeType]) -> type[NodeType]:
    """Class decorator. Raises ValueError when two types claim one kind."""
    if cls.kind in _TYPES and type(_TYPES[cls.kind]) is not cls:
        raise ValueError(f"Two node types call themselves {cls.kind!r}.")
    _TYPES[cls.kind] = cls()
    return cls


def node_type(kind: str) -> NodeType:
    """Raises KeyError for an unknown kind."""
    return _TYPES[kind]


def known_type(kind: str) -> NodeType | None:
    """None for one that is not installed (any more), which stored runs may still name."""
    return _TYPES.get(kind)


def node_types() -> Mapping[str, NodeType]:
    return dict(sorted(_TYPES.items()))
