"""Stored histories of runs, and which of them are worth keeping.

A history is a JSON file in `logs/`: the definitions of a run, its events as stored, and what they came to then. It is
made from a run of the real engine: set KEEP_HISTORIES=1 and run any test that has a host (fixture `engine`), such as

    KEEP_HISTORIES=1 python -m pytest tests/driver tests/approvals

Each run of a test that shows something no stored history shows yet (a node type, an event, a field of one, a way to
end) is kept under the test's name. Files are never changed afterwards: they are what old code has written.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from orchestration.engine.apply import apply, begin
from orchestration.engine.events import RunMoved
from orchestration.engine.events.rows import Row, UnknownEvent, from_row
from orchestration.engine.graph import Graph
from orchestration.engine.ids import path_text
from orchestration.engine.moves import IllegalEvent
from orchestration.engine.states import RunState
from orchestration.store.graphs import graph_of

JSON = Any
LOGS = Path(__file__).parent / "logs"
MOST_EVENTS = 400


@dataclass(frozen=True)
class History:
    run: str
    definitions: dict[str, JSON]
    """By digest; the first is the one the run began with."""
    events: list[list[JSON]]
    """[type, at, node, path, data]"""
    came_to: dict[str, JSON]
    """What `summary` said of it then."""

    @property
    def shows(self) -> set[str]:
        """What this history is worth keeping for."""
        types = {node["id"]: node["type"] for body in self.definitions.values() for node in body["nodes"]}
        found = {f"a run that is {self.came_to['status']}"}
        for type, _, node, _, data in self.events:
            found |= {f"the event {type}", *(f"the field {name} of {type}" for name in data)}
            if type == "NodeStarted":
                found.add(f"the node type {types[node]}")
        return found

    def fold(self) -> RunState:
        """With today's code. The node types' flags are today's too."""
        *_, (state, _) = self.points()
        return state

    def points(self) -> Iterator[tuple[RunState, datetime]]:
        """The state after each event, and its time; it is the same object each time."""
        state = begin(_graph(self.definitions[next(iter(self.definitions))]), self.run)
        for type, at, node, path, data in self.events:
            event = from_row(Row(type, datetime.fromisoformat(at), node, path, data))
            if isinstance(event, RunMoved):
                event = replace(event, graph=_graph(self.definitions[event.definition]))
            apply(state, event)
            yield state, event.at


def summary(state: RunState) -> dict[str, JSON]:
    """What must stay the same for ever."""
    return {
        "status": str(state.status),
        "outputs": state.outputs,
        "error": state.error,
        "seq": state.seq,
        "variables": state.variables,
        "ended_at": state.ended_at.isoformat() if state.ended_at else None,
        "nodes": {
            f"{node}[{path_text(path)}]" if path else node: [
                str(node_run.status), node_run.attempt, node_run.port, node_run.outputs, node_run.error
            ]
            for (node, path), node_run in state.nodes.items()
        },
    }  # fmt: skip


def stored() -> dict[str, History]:
    return {file.stem: _read(file.read_text(encoding="utf-8")) for file in sorted(LOGS.glob("*.json"))}


@cache
def _read(text: str) -> History:
    return History(**json.loads(text))


def _graph(body: dict[str, JSON]) -> Graph:
    return graph_of(body)


# -- keeping ----------------------------------------------------------------------------------------------------------


def keep_new() -> None:
    """Of the runs in the database keep those that show something new, if KEEP_HISTORIES is set."""
    if not os.environ.get("KEEP_HISTORIES"):
        return
    known = {shown for history in stored().values() for shown in history.shows}
    for history in _of_database():
        if history.shows - known:
            known |= history.shows
            _write(history)


def _of_database() -> Iterator[History]:
    from orchestration.models import Definition, Run, RunEvent

    for run in Run.objects.filter(last_seq__gt=0, last_seq__lte=MOST_EVENTS).order_by("created_at"):
        rows = list(RunEvent.objects.filter(run=run).order_by("seq"))
        digests = [row.data[name] for row in rows if row.type == "RunMoved" for name in ("previous", "definition")]
        definitions = {digest: Definition.objects.get(digest=digest).body for digest in digests or [run.definition_id]}
        events = [[row.type, row.at.isoformat(), row.node, row.path, row.data] for row in rows]
        unfinished = History(str(run.pk), definitions, events, {"status": run.status})
        try:
            came_to = summary(unfinished.fold())
        except (UnknownEvent, IllegalEvent, TypeError, KeyError):
            continue  # the test has tampered with it
        if came_to["status"] == run.status and came_to["seq"] == run.last_seq:
            yield replace(unfinished, came_to=came_to)


def _write(history: History) -> None:
    test = os.environ.get("PYTEST_CURRENT_TEST", "run").split("::")[-1].split(" ")[0]
    name = re.sub(r"[^a-z0-9]+", "_", test.removeprefix("test_").lower()).strip("_")[:80]
    file = next(file for file in (LOGS / f"{name}{end}.json" for end in ("", *range(2, 100))) if not file.exists())
    body = {
        "run": history.run,
        "definitions": history.definitions,
        "events": history.events,
        "came_to": history.came_to,
    }
    file.write_text(json.dumps(body, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
