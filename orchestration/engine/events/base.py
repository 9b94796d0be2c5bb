"""What all facts have in common."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from orchestration.engine.ids import Key, NodeId, Path

JSON = Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeEvent(Event):
    node: NodeId
    path: Path = ()

    @property
    def key(self) -> Key:
        return (self.node, self.path)
