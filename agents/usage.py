"""Where agents are used and how they did: known only to the app that runs them, which registers itself here.

Agents must not import what is built on them; so `orchestration` hands its queries up in its `AppConfig.ready`:
`agents.usage.register(source)`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkflowUse:
    """A workflow whose published or draft definition calls the agent. version None: it follows the latest."""

    slug: str
    name: str
    nodes: Sequence[str]
    version: int | None
    published: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RecentRun:
    """One node run of the agent."""

    run: str
    name: str
    node: str
    status: str
    version: int | None
    model: str
    cost_usd: Decimal | None
    tokens: int | None
    duration: timedelta | None
    at: datetime
    kind: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Measured over the last `days`, from ended node runs only."""

    days: int
    runs: int
    succeeded: int
    average: timedelta | None
    p95: timedelta | None
    average_cost_usd: Decimal | None
    total_cost_usd: Decimal | None

    @property
    def success_rate(self) -> float | None:
        """Per cent."""
        return 100 * self.succeeded / self.runs if self.runs else None


class UsageSource(Protocol):
    """What `register` takes: the app that runs agents answers these."""

    def workflows(self, organisation_id: int, agent: str) -> Sequence[WorkflowUse]: ...

    def recent(self, organisation_id: int, agent: str, limit: int) -> Sequence[RecentRun]: ...

    def figures_of(self, organisation_id: int, agents: Sequence[str]) -> Mapping[str, Figures]:
        """By slug; agents without a call that has ended lately are absent. One query."""
        ...


_source: UsageSource | None = None


def register(source: UsageSource) -> None:
    """One source; the last one registered counts."""
    global _source
    _source = source


def source() -> UsageSource | None:
    """None where nothing that runs agents is installed."""
    return _source
