"""Facts of recovery, in the order of its steps: failed, tried again, by another agent, a person asked, a handler."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from orchestration.engine.events.base import JSON, NodeEvent


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
