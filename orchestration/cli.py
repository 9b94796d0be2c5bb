"""What commands share that start and steer runs: reading what is given, following a run to its end.

Exit status: 0 done, 1 the run failed or what was asked is refused, 2 bad input, 3 not followed to the end.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError

from orchestration.engine.signals import SignalKind
from orchestration.models import Run, RunEvent
from orchestration.monitoring import history, words
from orchestration.services import values
from portal.core import reading
from portal.core.errors import UserError
from portal.core.models import Organisation, User

JSON = Any
POLL_SECONDS = 0.2
NOT_FOLLOWED = 3


class BadInput(CommandError):
    """What was given cannot be used; exit status 2."""

    def __init__(self, message: str) -> None:
        super().__init__(message, returncode=2)


# Reading what is given


def organisation(slug: str) -> Organisation:
    found = Organisation.objects.filter(slug=slug).first()
    if found is None:
        known = ", ".join(Organisation.objects.values_list("slug", flat=True)[:20])
        raise BadInput(f"There is no organisation {slug!r}. There are: {known or 'none yet'}.")
    return found


def member(name: str, of: Organisation) -> User:
    found = User.objects.filter(username=name, memberships__organisation=of).first()
    if found is None:
        raise BadInput(f"No member of {of.slug} is called {name!r}.")
    return found


def pair(option: str, text: str) -> tuple[str, str]:
    key, separator, value = text.partition("=")
    if not separator or not key:
        raise BadInput(f"{option} wants KEY=VALUE, not {text!r}.")
    return key, value


def pairs(option: str, texts: list[str]) -> dict[str, JSON]:
    """{key: value} of KEY=VALUE; a value is JSON, or else text."""
    return {key: json_or_text(value) for key, value in (pair(option, text) for text in texts)}


def declared_texts(given: dict[str, JSON], option: str, texts: list[str], schema: JSON) -> dict[str, JSON]:
    """`given`, as `pairs` has read it, but what the schema declares as text stays as it was typed: `order=7` is "7"."""
    declared = schema.get("properties") if isinstance(schema, dict) else None
    typed = dict(pair(option, text) for text in texts)
    return {
        key: typed[key] if not isinstance(value, str) and _is_text((declared or {}).get(key)) else value
        for key, value in given.items()
    }


def _is_text(schema: JSON) -> bool:
    return isinstance(schema, dict) and schema.get("type") == "string"


def json_or_text(value: str) -> JSON:
    try:
        return reading.json_of(value)
    except json.JSONDecodeError:
        return value


def json_of(text: str, path: str) -> JSON:
    try:
        return reading.json_of(text)
    except json.JSONDecodeError as error:
        raise BadInput(f"{path} is not JSON: {error}") from error


def read(path: str) -> str:
    try:
        return sys.stdin.read() if path == "-" else Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{path} cannot be read: {error}") from error


def with_problems(error: UserError) -> str:
    """A single one is in the sentence already."""
    if len(error.problems) == 1 and error.problems[0]["message"] in error.message:
        return error.message
    named = [f"  {one.get('path') or one.get('node') or ''}: {one['message']}" for one in error.problems]
    return "\n".join([error.message, *named])


# Following a run


def follow(run: Run, say: Callable[[str], object], *, after: int = 0) -> Run:
    """Say each step behind event `after` as it happens; the run once it has ended. Exits with 3 when interrupted."""
    try:
        return _follow(run, say, after)
    except KeyboardInterrupt:
        say("No longer following; the run goes on.")
        sys.exit(NOT_FOLLOWED)


def _follow(run: Run, say: Callable[[str], object], seq: int) -> Run:
    names = words.names_of(run.definition.body)
    while True:
        goes_on = _is_told_to_go_on(run)  # before the run is read: a wish may be carried out in between
        run.refresh_from_db()
        for event in history.event_rows(run, after=seq):
            seq = event.seq
            line = _line(event, names)
            if line:
                say(line)
        if run.ended and seq >= run.last_seq and not goes_on:
            return run
        time.sleep(POLL_SECONDS)


def _is_told_to_go_on(run: Run) -> bool:
    """An ended run that is to go on by a wish which no engine has taken in yet."""
    kinds = [SignalKind.RETRY, SignalKind.SKIP, SignalKind.OVERRIDE]
    return run.signals.filter(applied_at=None, kind__in=kinds).exists()


def finish(run: Run, out: Callable[[str], object], say: Callable[[str], object]) -> None:
    """Of a run that has ended: its outputs as JSON, or why it has none, with exit status 1."""
    if run.status != "completed":
        reason = (run.error or {}).get("message", "no further reason given")
        say(f"The run is {run.status}: {reason}")
        sys.exit(1)
    outputs = values.whole_of(run.organisation_id, run.outputs, most_bytes=None)
    out(json.dumps(outputs, indent=2, ensure_ascii=False))


_SAID = {
    "NodeStarted": "started",
    "NodeSucceeded": "done",
    "NodeFailed": "failed",
    "NodeSkipped": "skipped",
    "NodeOverridden": "a person has said what it yields",
    "NodeCancelled": "cancelled",
    "AttemptFailed": "attempt failed",
    "AlternativeChosen": "asks the next agent, because the former one failed",
    "NodeEscalated": "has failed, and waits for a person to say how it goes on",
    "EscalationAnswered": "a person has answered",
    "AttemptAbandoned": "was cut off, begins again",
}


def _line(event: RunEvent, names: dict[str, str]) -> str:
    at = event.at.strftime("%H:%M:%S")
    name = words.place(event.node, event.path, names)
    if event.type == "NodeWaiting":
        return f"{at}  {name}: waits {_awaited(event.data)}"
    if event.type in _SAID:
        error = (event.data.get("error") or {}).get("message", "")
        return f"{at}  {name}: {_SAID[event.type]}{': ' + error if error else ''}"
    if not event.node:
        return f"{at}  {event.type.removeprefix('Run').lower()}" if event.type.startswith("Run") else ""
    return ""


def _awaited(data: dict[str, Any]) -> str:
    """`for a decision (role legal)`"""
    what = words.WAITS.get(data["reason"], f"for {data['reason']}")
    whom = words.assignee_words((data.get("data") or {}).get("assignee"), anybody="")
    return f"{what} ({whom})" if whom else what
