"""Facts of loops and their iterations."""

from __future__ import annotations

from dataclasses import dataclass

from orchestration.engine.events.base import JSON, NodeEvent
from orchestration.engine.ids import NodeId


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
