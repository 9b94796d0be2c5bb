"""Orders of the planner, in the imperative. A command says what the driver does next; what came of it is an event.

Commands come in a fixed order (same state, same now: same list), so that a plan can be compared and replayed.
Those of the first group are facts at once: the driver records `command.event(now)` and nothing else happens.
Those of the second need the host (an expression, an outside call, a timer): the driver turns them into events itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from orchestration.engine.events import Event
from orchestration.engine.ids import NodeId, Path


@dataclass(frozen=True, slots=True)
class Record:
    """Write this fact down: a skip, a retry's time, a final failure, a cancelled node, the end of the run, ..."""

    event: Event


@dataclass(frozen=True, slots=True)
class StartNode:
    """Resolve the node's settings, record `NodeStarted`, then execute it (a loop: record `LoopOpened`)."""

    node: NodeId
    path: Path
    attempt: int


@dataclass(frozen=True, slots=True)
class ResumeNode:
    """Record `NodeResumed` with `signal` and call the node type's `resume(signal)`.

    Either the node's time has come (`signal` is None; signals resume nodes through `signals.interpret`), or an earlier
    host died after the node was resumed: then `signal` is the one it had been resumed with.
    """

    node: NodeId
    path: Path
    signal: Any = None


@dataclass(frozen=True, slots=True)
class StopNode:
    """Cancel the node's work in this process if it has any, and record `NodeCancelled` with the reason."""

    node: NodeId
    path: Path
    reason: str


@dataclass(frozen=True, slots=True)
class EndIteration:
    """All nodes of an iteration have ended: evaluate the loop's output expression, record `IterationEnded`."""

    node: NodeId
    path: Path
    index: int


@dataclass(frozen=True, slots=True)
class CheckCondition:
    """Evaluate the condition of a loop for its next iteration and record what `loops.checked` makes of it."""

    node: NodeId
    path: Path
    index: int


@dataclass(frozen=True, slots=True)
class CompleteRun:
    """Everything has ended well: evaluate the workflow's outputs, record `RunCompleted` (`RunFailed` if that fails)."""


Command = Record | StartNode | ResumeNode | StopNode | EndIteration | CheckCondition | CompleteRun
