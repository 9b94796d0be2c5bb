"""The events of a run in plain words: what happened, and the one thing about it worth a line. Pure.

Whoever adds a type of event adds its words here (tests/monitoring/test_words.py asks for them).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

JSON = Any
Names = Mapping[str, str]
"""{id of a node: its name}"""


def names_of(definition: Mapping[str, JSON]) -> dict[str, str]:
    """What people call the nodes of a definition, by their ids."""
    return {node["id"]: node.get("name") or node["id"] for node in definition["nodes"]}


def place(node: str, path: str, names: Names) -> str:
    """A node run by name: `Judge`, or `Judge [3]` for one of an iteration."""
    return names.get(node, node) + (f" [{path}]" if path else "")


@dataclass(frozen=True, slots=True)
class Told:
    title: str
    detail: str = ""


def told(kind: str, data: Mapping[str, JSON], names: Names) -> Told:
    """An event by the name of its type and what it holds. One of a newer version is told by its type."""
    title = TITLES.get(kind, kind)
    about = _DETAILS.get(kind)
    return Told(title, about(data, names) if about else "")


TITLES: dict[str, str] = {
    "RunStarted": "Run started",
    "RunPaused": "Run paused",
    "RunResumed": "Run resumed",
    "RunCancelRequested": "Cancelling began",
    "RunRetried": "Run taken up again",
    "RunCompleted": "Run completed",
    "RunFailed": "Run failed",
    "RunCancelled": "Run cancelled",
    "VariablesChanged": "Variables changed",
    "RunMoved": "Moved to another version",
    "CompensationStarted": "Undoing began",
    "RunBelowEnded": "Run below ended",
    "CompensationEnded": "Undoing ended",
    "NodeStarted": "Step started",
    "NodeWaiting": "Step waits",
    "NodeResumed": "Step goes on",
    "AttemptFailed": "Try failed",
    "AttemptAbandoned": "Try cut off",
    "RetryScheduled": "Another try planned",
    "AlternativeChosen": "Another agent asked",
    "NodeEscalated": "A person asked",
    "EscalationAnswered": "A person answered",
    "ErrorHandled": "Error handler took over",
    "NodeSucceeded": "Step succeeded",
    "NodeFailed": "Step failed",
    "NodeSkipped": "Step skipped",
    "NodeOverridden": "Result given by a person",
    "NodeCancelled": "Step stopped",
    "LoopOpened": "Loop began",
    "IterationStarted": "Iteration began",
    "IterationEnded": "Iteration ended",
    "LoopBroken": "Loop broken off",
    "LoopClosed": "Loop has no more iterations",
    "SignalIgnored": "Came too late",
}

ANSWERS = {
    "retry": "try again",
    "retry_with": "try again with other settings",
    "skip": "go on with a value",
    "fail": "let it fail",
}

WISHES = {
    "cancel": "cancel the run",
    "pause": "pause the run",
    "resume": "resume the run",
    "retry": "try again",
    "skip": "skip a step",
    "override": "give a step its result",
    "variables": "change variables",
    "move": "move to another version",
    "node": "answer a step",
    "below": "tell that a run below has ended",
}
"""What people ask of a run, by the kind of the signal."""

WAITS = {
    "timer": "for its time",
    "approval": "for a decision",
    "human_input": "for a form to be filled in",
    "event": "for an event",
    "subworkflow": "for the run it has begun",
    "escalation": "for a person to say how it goes on",
}
"""What a step waits for, by the reason of its `NodeWaiting`."""

_SKIPPED = {
    "dead_path": "its branch was not taken",
    "failed_path": "what leads here has failed",
    "optional": "it failed and may be left out",
    "by_person": "a person said so",
}

_STOPPED = {
    "cancelled": "the run was cancelled",
    "lost_join": "a join went on without it",
    "failed_join": "the join behind it failed",
    "run_failed": "the run failed",
    "iteration_failed": "its iteration failed",
    "loop_stopped": "its loop was stopped",
    "loop_broken": "its loop was broken off",
    "timeout": "its time was over",
}


def assignee_words(assignee: Mapping[str, JSON] | None, anybody: str = "whoever may decide") -> str:
    assignee = assignee or {}
    if assignee.get("user"):
        return str(assignee["user"])
    return f"role {assignee['role']}" if assignee.get("role") else anybody


def _by(data: Mapping[str, JSON], names: Names, *, why: str = "reason") -> str:
    who = f"by {data['by']}" if data.get("by") else ""
    return f"{who}: {data[why]}".removeprefix(": ") if data.get(why) else who


def _message(data: Mapping[str, JSON], names: Names) -> str:
    error = data.get("error")
    return str(error.get("message") or error.get("code") or "") if isinstance(error, Mapping) else ""


def _named(data: Mapping[str, JSON], names: Names) -> str:
    """What failed and where: `Charge the card: the limit is reached`."""
    error = data.get("error")
    node = str(error.get("node") or "") if isinstance(error, Mapping) else ""
    return ": ".join(part for part in (names.get(node, node), _message(data, names)) if part)


def _started(data: Mapping[str, JSON], names: Names) -> str:
    reused = data.get("reused")
    if not isinstance(reused, list) or not reused:
        return ""
    return f"{len(reused)} result{'s' if len(reused) > 1 else ''} reused from the run it re-runs"


def _cancel(data: Mapping[str, JSON], names: Names) -> str:
    return ", ".join(part for part in ("what is done is undone" if data.get("undo") else "", _by(data, names)) if part)


def _variables(data: Mapping[str, JSON], names: Names) -> str:
    values = data.get("values")
    changed = ", ".join(values) if isinstance(values, Mapping) else ""
    return " ".join(part for part in (changed, _by(data, names)) if part)


def _moved(data: Mapping[str, JSON], names: Names) -> str:
    numbers = [f"from version {data['previous_version']}"] if data.get("previous_version") else []
    numbers += [f"to version {data['version']}"] if data.get("version") else []
    return " ".join([*numbers, _by(data, names)]).strip()


def _below(data: Mapping[str, JSON], names: Names) -> str:
    node = str(data.get("node", ""))
    return ": ".join(
        part for part in (names.get(node, node), str(data.get("status", "")), _message(data, names)) if part
    )


def _undone(data: Mapping[str, JSON], names: Names) -> str:
    parts = (("undone", "undone"), ("failed", "could not be undone"), ("left", "not undone"))
    said = [f"{words}: {places(data.get(field), names)}" for field, words in parts if data.get(field)]
    return "; ".join(said)


def places(found: JSON, names: Names) -> str:
    """The names of [{"node", "path"}]."""
    if not isinstance(found, list):
        return ""
    return ", ".join(place(one["node"], one.get("path", ""), names) for one in found)


def _attempt(data: Mapping[str, JSON], names: Names) -> str:
    return f"try {data['attempt']}" if data.get("attempt", 1) > 1 else ""


def _attempt_failed(data: Mapping[str, JSON], names: Names) -> str:
    return f"try {data.get('attempt', 1)}: {_message(data, names)}"


def _retry(data: Mapping[str, JSON], names: Names) -> str:
    return f"try {data.get('attempt', '')}" + (f", at once, by {data['by']}" if data.get("by") else "")


def _answered(data: Mapping[str, JSON], names: Names) -> str:
    action = str(data.get("action", ""))
    return " ".join(part for part in (ANSWERS.get(action, action), _by(data, names, why="comment")) if part)


def _succeeded(data: Mapping[str, JSON], names: Names) -> str:
    port = data.get("port", "out")
    return f"goes on by “{port}”" if port != "out" else ""


def _failed(data: Mapping[str, JSON], names: Names) -> str:
    message = _message(data, names)
    if data.get("handled"):
        return f"{message} (its port “error” leads on)"
    taken = data.get("taken_by")
    return f"{message} (taken by {names.get(taken, taken)})" if taken else message


def _skipped(data: Mapping[str, JSON], names: Names) -> str:
    reason = str(data.get("reason", ""))
    if reason == "by_person":
        return _by(data, names, why="comment")
    return _SKIPPED.get(reason, reason)


def _stopped(data: Mapping[str, JSON], names: Names) -> str:
    reason = str(data.get("reason", ""))
    return _STOPPED.get(reason, reason)


def _loop(data: Mapping[str, JSON], names: Names) -> str:
    if data.get("most") is not None:
        return f"while its condition holds, {data['most']} iterations at most"
    items = data.get("items")
    count = f"{len(items)} item{'' if len(items) == 1 else 's'}" if isinstance(items, list) else ""
    side = f"{data['limit']} at once" if data.get("limit", 1) > 1 else "one after the other"
    return ", ".join(part for part in (count, side) if part)


def _iteration(data: Mapping[str, JSON], names: Names) -> str:
    message = _message(data, names)
    return f"number {data.get('index', 0)}" + (f": {message}" if message else "")


_DETAILS: dict[str, Callable[[Mapping[str, JSON], Names], str]] = {
    "RunStarted": _started,
    "RunPaused": _by,
    "RunResumed": _by,
    "RunCancelRequested": _cancel,
    "RunRetried": _by,
    "RunFailed": _message,
    "RunCancelled": lambda data, names: str(data.get("reason", "")),
    "VariablesChanged": _variables,
    "RunMoved": _moved,
    "CompensationStarted": _message,
    "RunBelowEnded": _below,
    "CompensationEnded": _undone,
    "NodeStarted": _attempt,
    "NodeWaiting": lambda data, names: WAITS.get(data.get("reason", ""), f"for {data.get('reason', '')}"),
    "NodeResumed": lambda data, names: "" if data.get("signal") is not None else "its time has come",
    "AttemptFailed": _attempt_failed,
    "AttemptAbandoned": lambda data, names: f"try {data.get('attempt', 1)} was lost with its engine",
    "RetryScheduled": _retry,
    "AlternativeChosen": lambda data, names: str(data.get("agent", "")),
    "NodeEscalated": lambda data, names: f"{assignee_words(data.get('assignee'))}: {_message(data, names)}",
    "EscalationAnswered": _answered,
    "ErrorHandled": _named,
    "NodeFailed": _failed,
    "NodeSucceeded": _succeeded,
    "NodeSkipped": _skipped,
    "NodeOverridden": _by,
    "NodeCancelled": _stopped,
    "LoopOpened": _loop,
    "IterationStarted": _iteration,
    "IterationEnded": _iteration,
    "LoopBroken": _iteration,
    "LoopClosed": lambda data, names: _message(data, names) or "its condition holds no longer",
    "SignalIgnored": lambda data, names: (
        f"{WISHES.get(data.get('kind', ''), data.get('kind', ''))}: {data.get('reason', '')}"
    ),
}
