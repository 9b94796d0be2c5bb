"""Where a run stands: what follows from all that has happened, kept ready so that a plan costs what the step touches.

A `Scope` is a body that is being run, the run itself or an iteration; the `Frontier` is everything a plan can begin
from. Both are part of the fold: `apply` keeps them, `plan` reads them, and nobody else writes them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from orchestration.engine.graph import Order
from orchestration.engine.ids import Key, NodeId, Path

ScopeKey = tuple[NodeId | None, Path]
"""One body being run: the loop it belongs to and the path its nodes have. `(None, ())` is the run itself."""
TOP: ScopeKey = (None, ())
Rank = tuple[Order, Path, NodeId]
"""Of node runs that compete for a free place; the smallest is first."""


@dataclass(slots=True)
class Failure:
    """A failure that nothing handled, on its way up."""

    error: Any
    node: NodeId
    path: Path


@dataclass(slots=True)
class Scope:
    """A body being run: how far its edges have been decided, and how much of it is still to end."""

    unended: int
    """Nodes that have to end before the scope can."""
    live: dict[NodeId, int] = field(default_factory=dict)
    """Per node, how many of its incoming edges are live. An edge whose source has not ended is open."""
    decided: dict[NodeId, int] = field(default_factory=dict)
    """Per node, how many of its incoming edges are no longer open."""
    failed: dict[NodeId, int] = field(default_factory=dict)
    """Per node, how many of its incoming edges are failed."""
    met: set[NodeId] = field(default_factory=set)
    """Joins whose rule was met before all their edges were decided: they fire once."""
    ignored: set[NodeId] = field(default_factory=set)
    """Losers of joins that ignore theirs: nobody waits for them, and their failures do not count."""
    failure: Failure | None = None


@dataclass(slots=True)
class Frontier:
    """Where the run stands: everything a plan can begin from. Kept by `apply`, read by `plan`."""

    ready: list[Rank] = field(default_factory=list)
    """Pending node runs whose rule is met, best first."""
    dead: dict[Key, None] = field(default_factory=dict)
    """Pending node runs that no live edge can reach any more, or that a failed one keeps from starting."""
    unmet: dict[Key, None] = field(default_factory=dict)
    """Pending joins that fail because their rule can no longer be met."""
    undecided: dict[Key, None] = field(default_factory=dict)
    """Attempts that failed or were abandoned, before the retry policy has spoken."""
    losers: dict[Key, str] = field(default_factory=dict)
    """Node runs to be cancelled because a join does without them, with the reason."""
    breaking: dict[ScopeKey, NodeId] = field(default_factory=dict)
    """Iterations in which a `break` was reached, and which; the loop has not been told yet."""
    loops: dict[Key, None] = field(default_factory=dict)
    """Open loops that may begin an iteration, or must stop, or are through."""
    failing: dict[ScopeKey, None] = field(default_factory=dict)
    """Scopes in which something has failed that nothing handled."""
    closing: dict[ScopeKey, None] = field(default_factory=dict)
    """Scopes in which everything has ended."""
    due: list[tuple[datetime, Key]] = field(default_factory=list)
    """Waits, retries and timeouts of loops by their time."""
    working: int = 0
    """Node runs for which something is done right now."""
    places: int = 0
    """How many of these take a place of `max_parallel`."""
    waiting: int = 0
    """Node runs that wait for a signal or a time, or for the retry policy's word."""

    @property
    def facts(self) -> bool:
        """Whether there are facts to be written down before anything begins."""
        return bool(
            self.dead
            or self.unmet
            or self.undecided
            or self.losers
            or self.breaking
            or self.loops
            or self.failing
            or self.closing
        )

    @property
    def moves(self) -> bool:
        """Whether something could follow without a signal and without time going by."""
        return bool(self.working or self.ready) or self.facts
