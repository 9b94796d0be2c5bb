"""The shared context of a run as its log tells it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from orchestration.models import Run, RunEvent
from orchestration.monitoring import history

JSON = Any
MOST_WRITES = 2000


@dataclass(frozen=True, slots=True)
class SharedKey:
    """As it was left by whoever wrote it last."""

    key: str
    value: JSON
    node: str
    path: str
    """Of an iteration of a loop: "2", else empty."""
    at: datetime
    writes: int

    def as_json(self) -> dict[str, JSON]:
        place = {"node": self.node, "path": self.path, "at": self.at.isoformat(), "writes": self.writes}
        return {"value": self.value, **place}


def of_run(run: Run, definition: dict[str, JSON]) -> list[SharedKey]:
    """By key. One query, and none for a workflow whose agents write nothing. What one iteration of a loop wrote for
    itself alone counts among the rest.
    """
    if not any(_writes(node) for node in definition["nodes"]):
        return []
    found: dict[str, SharedKey] = {}
    for event in history.of(run).sharing_events(MOST_WRITES):
        for node, path, key, value in _written(event):
            before = found.get(key)
            found[key] = SharedKey(key, value, node, path, event.at, before.writes + 1 if before else 1)
    return sorted(found.values(), key=lambda one: one.key)


def _written(event: RunEvent) -> list[tuple[str, str, str, JSON]]:
    if event.type == "NodeSucceeded":
        return [(event.node, event.path, key, value) for key, value in event.data["shared"].items()]
    return [
        (taken["node"], "", key, one["value"])
        for taken in event.data["reused"]
        for key, one in taken.get("wrote", {}).items()
    ]


def _writes(node: dict[str, JSON]) -> bool:
    context = node.get("settings", {}).get("context") if node["type"] == "agent" else None
    return isinstance(context, dict) and bool(context.get("write") or context.get("may_write"))
