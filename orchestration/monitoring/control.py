"""What people asked of a run, and how far it has come: asked, reached, ended. Reads only."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from orchestration.engine.signals import SignalKind
from orchestration.engine.statuses import NodeStatus
from orchestration.models import NodeRun, Run, RunSignal
from orchestration.monitoring import history
from orchestration.monitoring.words import WISHES, names_of, place

MOST_NAMED = 50


@dataclass(frozen=True, slots=True)
class Asked:
    """A wish that no engine has taken in yet."""

    kind: str
    """Of the signal; `words` says it to people."""
    by: str
    reason: str
    node: str
    """Its name."""
    path: str
    asked_at: datetime

    @property
    def words(self) -> str:
        return WISHES.get(self.kind, self.kind)


@dataclass(frozen=True, slots=True)
class Cancellation:
    """Each moment is None until it comes."""

    by: str
    reason: str
    asked_at: datetime | None
    reached_at: datetime | None
    ended_at: datetime | None
    stopped: tuple[str, ...] = ()
    """Steps under way that were told to stop, by name; the first 50."""


@dataclass(frozen=True, slots=True)
class GoesOn:
    """A step that is at work or waits while the run is paused."""

    node: str
    path: str
    name: str
    status: str
    waiting_for: str = ""


@dataclass(frozen=True, slots=True)
class Moved:
    """The last move to another version. None: a version that has no number."""

    previous: int | None
    version: int | None
    by: str
    reason: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Control:
    asked: tuple[Asked, ...] = ()
    cancellation: Cancellation | None = None
    paused_by: str = ""
    paused_because: str = ""
    goes_on: tuple[GoesOn, ...] = ()
    moved: Moved | None = None


_STANDING = ("status", "started_at", "ended_at", "error", "nodes_ended", "nodes_total", "last_seq")
_PEOPLES = tuple(kind.value for kind in SignalKind if kind is not SignalKind.NODE)


def control(run: Run) -> Control:
    """At most eight queries; none for a run that nobody has told anything. `run` is read again on the way."""
    if not run.signals_posted:
        return Control()
    names = names_of(run.definition.body)
    asked = tuple(
        Asked(row.kind, row.by, row.reason, names.get(row.node, row.node), row.path, row.posted_at)
        for row in history.of(run).open_signals(_PEOPLES)
    )
    # After the wishes: one that has been taken in since is told by the row alone, and must not be missing in both.
    run.refresh_from_db(fields=_STANDING)
    pause = None
    if not run.ended:  # asked for last, be it reached already or not
        ends_it = [SignalKind.RESUME, SignalKind.RETRY, SignalKind.CANCEL]
        wished = RunSignal.objects.filter(run=run, kind__in=[SignalKind.PAUSE, *ends_it])
        last = wished.filter(node="").order_by("-id").first()
        pause = last if last and last.kind == SignalKind.PAUSE else None
    return Control(
        asked=asked,
        cancellation=cancellation(run),
        paused_by=pause.by if pause else "",
        paused_because=pause.reason if pause else "",
        goes_on=goes_on(run) if pause else (),
        moved=moved(run),
    )


def cancellation(run: Run) -> Cancellation | None:
    """The last one, unless the run has gone on since."""
    told = history.of(run)
    asked = told.last_signal(SignalKind.CANCEL)
    if asked is None or (run.ended and run.status != "cancelled"):
        return None
    if asked.applied_at is None:
        return Cancellation(asked.by, asked.reason, asked.posted_at, None, None)
    events = told.last_events_of({"RunCancelRequested", "RunCancelled", "RunRetried"}, 2)
    if not events or events[0].type == "RunRetried":
        return None
    reached = next((event for event in events if event.type == "RunCancelRequested"), events[0])
    stops = told.events_of({"NodeCancelled"}, after=reached.seq, limit=MOST_NAMED)
    names = names_of(run.definition.body)
    return Cancellation(
        by=asked.by,
        reason=asked.reason,
        asked_at=asked.posted_at,
        reached_at=reached.at,
        ended_at=run.ended_at,
        stopped=tuple(place(row.node, row.path, names) for row in stops),
    )


def moved(run: Run) -> Moved | None:
    event = next(iter(history.of(run).last_events_of({"RunMoved"}, 1)), None)
    if event is None:
        return None
    told = event.data
    numbers = told.get("previous_version"), told.get("version")
    return Moved(*numbers, by=told.get("by", ""), reason=told.get("reason", ""), at=event.at)


def goes_on(run: Run) -> tuple[GoesOn, ...]:
    """What a pause does not stop: work under way ends, waits go on. The first 50."""
    rows = (
        NodeRun.objects.filter(run=run, status__in=[NodeStatus.RUNNING, NodeStatus.WAITING, NodeStatus.RETRYING])
        .exclude(type="loop")
        .order_by("id")
        .defer("inputs", "outputs")
    )
    return tuple(
        GoesOn(row.node, row.path, row.name, row.status, (row.waiting or {}).get("reason", ""))
        for row in rows[:MOST_NAMED]
    )


def reused_nodes(run: Run) -> frozenset[str]:
    """Of a re-run: the nodes whose results were taken over."""
    if not run.origin_node:  # the origin itself may have been deleted
        return frozenset()
    started = next(iter(history.of(run).events_of({"RunStarted"}, limit=1)), None)
    held: dict[str, Any] = started.data if started else (run.beginning or {})
    return frozenset(taken["node"] for taken in held.get("reused") or ())
