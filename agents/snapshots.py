"""What running an agent needs to know, as one frozen value; read by the engine without holding a transaction.

Versions never change, so a snapshot is kept for ever once read. What may change, the status and which version is
current, is asked again after a second: an agent taken offline stops within that time in every process. One that listens
to the database's own word of changes (`hear`) learns of them at once, and asks again only after a minute.
"""

import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from threading import Lock
from typing import Any

from agents.errors import AgentError
from agents.models import Agent, AgentVersion, Status
from portal.core.in_threads import in_database

_HEAD_SECONDS = 1.0
_HEARD_HEAD_SECONDS = 60.0
_MOST_SNAPSHOTS = 2000


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AgentSnapshot:
    """One version of one agent. `number` is 0 for a version that was never published (a trial of a draft).

    Never changes, and is equal to itself only: what is worked out from it can be kept beside it.
    """

    slug: str
    name: str
    number: int
    kind: str
    config: Mapping[str, Any]
    input_schema: Mapping[str, Any]
    output_schema: Mapping[str, Any]
    timeout_seconds: int
    max_concurrency: int | None = None
    cost_per_run_usd: float | None = None
    retry: Mapping[str, Any] = field(default_factory=dict)
    """When a failed call is worth another: {"max_attempts", "backoff", "initial_seconds"}; the engine acts on it."""
    hints: tuple[str, ...] = ()
    """Domain and skills, as they were when the snapshot was read: what the profile `auto` chooses by."""

    @classmethod
    def of(cls, version: AgentVersion) -> "AgentSnapshot":
        """Costs a query unless `agent` was selected along."""
        return cls(
            slug=version.agent.slug,
            name=version.agent.name,
            number=version.number,
            kind=version.kind,
            config=version.config,
            input_schema=version.input_schema,
            output_schema=version.output_schema,
            timeout_seconds=version.timeout_seconds,
            max_concurrency=version.max_concurrency,
            cost_per_run_usd=None if version.cost_per_run_usd is None else float(version.cost_per_run_usd),
            retry=version.retry,
            hints=(version.agent.domain, *version.agent.skills),
        )


@dataclass(frozen=True, slots=True)
class _Head:
    """The changeable part: is it there, may it run, which version is the latest?"""

    agent_id: int
    status: str
    replaced_by: str | None
    versions: tuple[tuple[int, datetime], ...]
    """Numbers and times of publication, the newest first."""
    read_at: float
    heard: bool
    """Any change since would have been heard of."""

    def at(self, moment: datetime | None) -> int | None:
        """The latest version, or the one that was the latest then; the first for a moment before there was any."""
        for number, at in self.versions:
            if moment is None or at <= moment:
                return number
        return self.versions[-1][0] if self.versions else None


_heads: dict[tuple[int, str], _Head] = {}
_snapshots: OrderedDict[tuple[int, int], AgentSnapshot] = OrderedDict()
_lock = Lock()
_hears = False
_changes = 0
"""Heard of so far: what was read while one came in may be older than it."""


async def load(
    organisation_id: int, slug: str, version: int | None = None, as_of: datetime | None = None
) -> AgentSnapshot:
    """The snapshot to run; most calls cost no query. Raises AgentError agent_unknown, _offline, _unpublished."""
    head = _known_head(organisation_id, slug) or await in_database(_read_head, organisation_id, slug)
    if head is None:
        raise AgentError(f"There is no agent “{slug}” in this organisation.", code="agent_unknown")
    if head.status == Status.OFFLINE:
        instead = f" It is replaced by “{head.replaced_by}”." if head.replaced_by else ""
        raise AgentError(
            f"The agent “{slug}” is offline.{instead}", code="agent_offline", detail={"replaced_by": head.replaced_by}
        )
    number = version or head.at(as_of)
    if number is None:
        raise AgentError(f"The agent “{slug}” has no published version.", code="agent_unpublished")
    found = _snapshots.get((head.agent_id, number)) or await in_database(_read_snapshot, head.agent_id, number)
    if found is None:
        raise AgentError(f"The agent “{slug}” has no version {number}.", code="agent_unknown")
    return found


async def calls_at_once(organisation_id: int, slug: str) -> int | None:
    """The agent's limit over all hosts, by its published version; None without one, or when there is no such agent."""
    try:
        return (await load(organisation_id, slug)).max_concurrency
    except AgentError:
        return None  # the call will say what is wrong


def forget(organisation_id: int, slug: str) -> None:
    """Called by services after a change, so that this process at least sees it at once."""
    _heads.pop((organisation_id, slug), None)


def hear(change: str) -> None:
    """What came in on `agents.models.CHANNEL`."""
    global _changes
    _changes += 1
    organisation_id, _, slug = change.partition(" ")
    forget(int(organisation_id), slug)


def hears(well: bool) -> None:
    """Whether from now on every change comes to `hear`. Changes before may have been missed."""
    global _hears, _changes
    _hears, _changes = well, _changes + 1
    _heads.clear()


def _known_head(organisation_id: int, slug: str) -> _Head | None:
    head = _heads.get((organisation_id, slug))
    if head is None:
        return None
    return head if time.monotonic() - head.read_at < (_HEARD_HEAD_SECONDS if head.heard else _HEAD_SECONDS) else None


def _read_head(organisation_id: int, slug: str) -> _Head | None:
    began_at, changes = time.monotonic(), _changes
    agents = Agent.objects.filter(organisation_id=organisation_id, slug=slug)
    row = agents.values_list("id", "status", "replaced_by__slug").first()
    if row is None:
        return None
    versions = AgentVersion.objects.filter(agent_id=row[0]).order_by("-number").values_list("number", "published_at")
    head = _Head(*row, tuple(versions), began_at, heard=_hears and changes == _changes)
    _heads[organisation_id, slug] = head
    return head


def _read_snapshot(agent_id: int, number: int) -> AgentSnapshot | None:
    version = AgentVersion.objects.filter(agent_id=agent_id, number=number).select_related("agent").first()
    if version is None:
        return None
    snapshot = AgentSnapshot.of(version)
    with _lock:
        _snapshots[agent_id, number] = snapshot
        while len(_snapshots) > _MOST_SNAPSHOTS:
            _snapshots.popitem(last=False)
    return snapshot
