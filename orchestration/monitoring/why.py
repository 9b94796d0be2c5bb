"""Why is it not moving? Answered from stored facts only. Pure: plain values in, sentences out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Facts:
    """Of one unfinished run. `waiting` are its node runs that wait, for an answer or for their next try."""

    status: str
    due_at: datetime | None
    lease_alive: bool
    engine_alive: bool
    incident: dict[str, Any] | None
    running: Sequence[str]
    waiting: Sequence[WaitingNode]
    too_new: str = ""
    """What the hosts that looked at it did not know, being of an older version."""
    places: Sequence[WaitingPlace] = ()
    undone_first: Sequence[ChildRun] = ()
    """Of a run that is being undone: those below that have not ended."""


@dataclass(frozen=True, slots=True)
class WaitingNode:
    """A node run that waits, as its row has it. `data`: what it waits with ({"assignee"}, {"name", "key",
    "filter"}).
    """

    name: str
    node: str
    path: str
    status: str
    """waiting | retrying"""
    reason: str
    until: datetime | None
    data: dict[str, Any]
    attempts: int
    error: dict[str, Any] | None
    child: ChildRun | None = None


@dataclass(frozen=True, slots=True)
class ChildRun:
    """The run that a subworkflow node waits for."""

    id: str
    name: str
    status: str
    in_quarantine: bool = False


@dataclass(frozen=True, slots=True)
class WaitingPlace:
    """A place that a run waits for. scope: as in `store.places`; `before`: how many are to get one first."""

    scope: str
    held: int
    allowed: int
    before: int


@dataclass(frozen=True, slots=True)
class Reason:
    """One cause. `kind` picks the icon: person, timer, event, run, retry, paused, undoing, engine, incident, working,
    queue, place.
    """

    kind: str
    text: str
    node: str = ""
    path: str = ""
    until: datetime | None = None
    run: str = ""
    """The id of the run it waits for."""


def why(facts: Facts, now: datetime) -> list[Reason]:
    """Every cause that holds now, the gravest first. Empty only for a run that has ended."""
    reasons: list[Reason] = []
    if facts.incident:
        reasons.append(Reason("incident", facts.incident.get("message", "It is in quarantine."), until=None))
    if facts.status == "paused":
        reasons.append(Reason("paused", "It is paused. Steps under way finish; no new one starts until it is resumed."))
    if facts.status == "compensating":
        reasons.append(Reason("undoing", "What it has done is being undone, the latest step first; then it ends."))
    reasons.extend(_undone_first(child) for child in facts.undone_first)
    overdue = facts.due_at is not None and facts.due_at <= now and not facts.lease_alive
    if overdue and not facts.engine_alive and not facts.incident:
        reasons.append(Reason("engine", "No engine is alive to drive it. It goes on by itself as soon as one is."))
    elif overdue and facts.too_new and not facts.incident:
        reasons.append(
            Reason(
                "engine",
                f"It waits for an engine of a newer version: it holds {facts.too_new}, which those that looked at it "
                "do not know. Finish the update of the engine's hosts; it goes on by itself.",
            )
        )
    elif overdue and not facts.incident:
        reasons.append(Reason("queue", "It waits for an engine to take it up."))
    reasons.extend(_waiting(node) for node in facts.waiting)
    reasons.extend(Reason("place", _place(place)) for place in facts.places)
    if facts.running:
        names = ", ".join(facts.running[:3]) + (f" and {len(facts.running) - 3} more" if len(facts.running) > 3 else "")
        reasons.append(Reason("working", f"Working on {names}."))
    if not reasons and facts.lease_alive:
        reasons.append(Reason("working", "An engine has it in hand."))
    return reasons


def waits(node: WaitingNode) -> Reason:
    """Why one step waits, told on its own panel: without its name."""
    told = _waiting(node)
    text = told.text.removeprefix(f"{node.name}: ")
    return replace(told, text=text[:1].upper() + text[1:])


def _waiting(node: WaitingNode) -> Reason:
    if node.status == "retrying":
        failed = f"{node.name}: attempt {node.attempts} failed ({_error(node)})"
        if node.child is None:
            return Reason("retry", f"{failed}; it is tried again.", node.node, node.path, node.until)
        text = f"{failed}; it is tried again when run {node.child.id[:8]} of “{node.child.name}” has ended."
        return Reason("retry", text, node.node, node.path, node.until, run=node.child.id)
    if node.reason == "escalation":
        error = _error(node)
        whom = _whom(node.data.get("assignee") or {}, "whoever keeps runs going")
        text = f"{node.name}: failed ({error}); waits for {whom} to say how it goes on."
        return Reason("person", text, node.node, node.path)
    if node.reason in ("approval", "human_input"):
        return Reason(
            "person", f"{node.name}: waits for {_whom(node.data.get('assignee') or {})}.", node.node, node.path
        )
    if node.reason == "subworkflow":
        return _below(node)
    if node.reason == "timer":
        return Reason("timer", f"{node.name}: waits for its time.", node.node, node.path, node.until)
    if node.reason == "event":
        return Reason("event", f"{node.name}: waits for {_event(node.data)}.", node.node, node.path, node.until)
    return Reason("timer", f"{node.name}: waits for {node.reason}.", node.node, node.path, node.until)


def _error(node: WaitingNode) -> str:
    """In the middle of a sentence."""
    return str((node.error or {}).get("message") or "an error").removesuffix(".")


def _event(wanted: dict[str, Any]) -> str:
    """`event order.paid with key 42, if event.data.amount > 100`"""
    key = f" with key {wanted['key']}" if wanted.get("key") else ""
    condition = f", if {wanted['filter']}" if wanted.get("filter") else ""
    return f"event {wanted.get('name', '')}{key}{condition}"


def _below(node: WaitingNode) -> Reason:
    child = node.child
    if child is None:
        return Reason("run", f"{node.name}: its run has ended, and it goes on.", node.node, node.path)
    state = "in quarantine" if child.in_quarantine else child.status
    text = f"{node.name}: waits for run {child.id[:8]} of “{child.name}”, which is {state}."
    return Reason("run", text, node.node, node.path, run=child.id)


_UNDONE_FIRST = {"compensating": "being undone, too", "running": "being stopped", "waiting": "being stopped"}


def _undone_first(child: ChildRun) -> Reason:
    state = "in quarantine" if child.in_quarantine else _UNDONE_FIRST.get(child.status, child.status)
    text = f"Before that, run {child.id[:8]} of “{child.name}”, which it had begun, must have ended: it is {state}."
    return Reason("run", text, run=child.id)


def _place(place: WaitingPlace) -> str:
    kind, _, rest = place.scope.partition(":")
    whose = {
        "agent": f"agent {rest.partition(':')[2]} runs",
        "steps": "this organisation has steps at work:",
        "workflow": "runs of this workflow under way:",
    }.get(kind, f"{place.scope}:")
    turn = "it is next" if not place.before else f"{place.before} before it"
    return f"It waits for a place: {whose} {place.held} of {place.allowed}; {turn}."


def _whom(assignee: dict[str, Any], anybody: str = "anybody who may decide") -> str:
    if assignee.get("user"):
        return str(assignee["user"])
    if assignee.get("role"):
        return f"a holder of the role {assignee['role']}"
    return anybody
