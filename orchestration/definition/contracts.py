"""What validation needs to know of agents and of other workflows: plain values, so that it needs neither tables nor a
network.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

JSON = Any


@dataclass(frozen=True, slots=True)
class Contract:
    """JSON Schemas of one version of an agent."""

    inputs: Mapping[str, JSON]
    outputs: Mapping[str, JSON]


@dataclass(frozen=True, slots=True)
class AgentContract:
    slug: str
    name: str = ""
    status: str = "active"
    """active | beta | deprecated | offline"""
    current: int | None = None
    """Number of the published version; None: nothing published yet."""
    versions: Mapping[int, Contract] = field(default_factory=dict)
    replaced_by: str = ""

    def contract(self, version: int | None) -> Contract | None:
        number = self.current if version is None else version
        return self.versions.get(number) if number is not None else None


@dataclass(frozen=True, slots=True)
class WorkflowContract:
    slug: str
    archived: bool = False
    current: int | None = None
    """Number of the published version; None: nothing published yet."""
    numbers: frozenset[int] = frozenset()
    """Every version there is; `versions` has those that are asked for."""
    versions: Mapping[int, Contract] = field(default_factory=dict)
    """`outputs` names what it gives: {"type": "object", "properties": {name: {}}}."""
    runs: frozenset[str] = frozenset()
    """Slugs of the workflows that its published version runs."""
    undoing: frozenset[int] = frozenset()
    """Those of `versions` that have nodes which undo others."""

    def contract(self, version: int | None) -> Contract | None:
        number = self.current if version is None else version
        return self.versions.get(number) if number is not None else None

    def undoes(self, version: int | None) -> bool:
        return (self.current if version is None else version) in self.undoing


@dataclass(frozen=True, slots=True)
class Workflows:
    """Those of an organisation. `own`: the slug of the one that is checked, where it has one."""

    known: Mapping[str, WorkflowContract]
    own: str = ""
