"""The tables of legal moves as Mermaid diagrams: docs/engine.md holds what this prints, and a test keeps it so.

python -m orchestration.engine.diagram
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any, TypeVar

from orchestration.engine.moves import NODE_MOVES, RUN_MOVES
from orchestration.engine.statuses import NodeStatus, RunStatus

Status = TypeVar("Status", bound=StrEnum)


def node_diagram() -> str:
    """What may become of a node run."""
    return _diagram(NODE_MOVES, NodeStatus.PENDING, [status for status in NodeStatus if status.ended])


def run_diagram() -> str:
    """What may become of a run, with the two moves that no event makes."""
    derived = [
        "    running --> waiting: only a signal or time helps",
        "    waiting --> running: there is something to do",
        "    paused --> compensating: RunResumed, if it was compensating",
    ]
    moves = _diagram(RUN_MOVES, RunStatus.QUEUED, [status for status in RunStatus if status.ended])
    return "\n".join([moves, *derived])


def _diagram(moves: Mapping[Status, Mapping[Any, Status]], first: Status, ended: Iterable[Status]) -> str:
    lines = ["stateDiagram-v2", f"    [*] --> {first}"]
    for source, by_event in moves.items():
        targets: dict[Status, list[str]] = {}
        for event, target in by_event.items():
            targets.setdefault(target, []).append(event.__name__)
        lines += [f"    {source} --> {target}: {', '.join(names)}" for target, names in targets.items()]
    lines += [f"    {status} --> [*]" for status in ended]
    return "\n".join(lines)


if __name__ == "__main__":
    print(f"{node_diagram()}\n\n{run_diagram()}")  # noqa: T201  printing is what it is for
