"""What comes to a run from outside: a decision, an answer, cancel, pause, resume, retry.

A signal is a row posted without a lease. The driver asks `interpret` what it means in the present state and records the
resulting events in the same commit that marks the signal as applied: exactly once, however often the doorbell rings.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from orchestration.engine.graph import NodeId, Path


class SignalKind(StrEnum):
    CANCEL = "cancel"
    PAUSE = "pause"
    RESUME = "resume"
    RETRY = "retry"
    NODE = "node"
    """For one waiting node run: a decision, a person's answer. `data` is what the node type's `resume` is given."""


@dataclass(frozen=True, slots=True)
class Signal:
    id: int
    kind: SignalKind
    posted_at: datetime
    by: str = ""
    reason: str = ""
    node: NodeId = ""
    path: Path = ()
    data: Any = field(default=None)
