"""Fold a stored run again with today's code, and compare with what is stored. Reads only.

The events are the truth, so a difference means one of two things: this code folds them otherwise than the code that
wrote the rows did, or somebody changed the rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection, transaction

from orchestration.driving.turn import Rows
from orchestration.engine.apply import begin
from orchestration.engine.events import Event
from orchestration.engine.events.rows import Row, UnknownEvent, from_row
from orchestration.engine.moves import IllegalEvent
from orchestration.engine.planner import plan
from orchestration.engine.states import RunState
from orchestration.models import NodeRun, Run, RunSnapshot
from orchestration.monitoring import history
from orchestration.queries import children
from orchestration.queries.state import began_with, graph, with_graphs
from orchestration.store import snapshots
from orchestration.store.checkpoints import NodeRunRow, RunRow

JSON = Any
FromChildren = Mapping[tuple[str, str], Mapping[str, float]]
"""Costs and tokens by node and path."""
_MOST_TEXT = 200


@dataclass(frozen=True, slots=True)
class Difference:
    """At `place` ("run.status", "node run judge[3].outputs", "event 17", "snapshot at 5000") the two differ."""

    place: str
    stored: str
    folded: str


@dataclass(slots=True)
class Replay:
    """What came of folding one run again."""

    run_id: UUID
    events: int = 0
    unknown: str = ""
    """What this version of the code does not know; then nothing behind it was compared."""
    planned: int = 0
    """Commands that would follow from an ended run: must be none."""
    differences: list[Difference] = field(default_factory=list)

    @property
    def same(self) -> bool:
        return not (self.differences or self.unknown or self.planned)

    def differ(self, place: str, stored: object, folded: object) -> None:
        self.differences.append(Difference(place, _text(stored), _text(folded)))


def replay(run: Run) -> Replay:
    """One consistent look at the run, however busy it is."""
    nested = connection.in_atomic_block
    with transaction.atomic():
        if not nested:
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        run = Run.objects.select_related("definition").get(pk=run.pk)
        return _replay(run)


def _replay(run: Run) -> Replay:
    found = Replay(run.pk)
    first = graph(began_with(run))
    nodes = sum(node not in first.compensators for node in first.bodies[None])
    rows = Rows(begin(first, str(run.pk)), total=nodes, ended=0)
    taken = RunSnapshot.objects.filter(run=run, shape=snapshots.shape()).first()
    for event in _events(run, found):
        try:
            rows.apply([event])
        except IllegalEvent as error:
            found.differ(f"event {rows.state.seq + 1}", type(event).__name__, f"is not legal: {error}")
            return found
        found.events = rows.state.seq
        if taken is not None and taken.seq == rows.state.seq:
            _compare_snapshot(found, taken, rows.state)
    if found.unknown:
        return found
    if found.events != run.last_seq:
        found.differ("run.last_seq", run.last_seq, found.events)
    if found.events:
        from_children = children.handed_up(run.pk)
        _compare_run(found, run, rows.run_row(), from_children)
        _compare_node_runs(found, run, rows.node_runs(), from_children)
    if rows.state.status.ended and rows.state.ended_at:
        found.planned = len(plan(rows.state, rows.state.ended_at))
    return found


def _events(run: Run, found: Replay) -> Iterator[Event]:
    for expected, row in enumerate(history.event_rows(run), 1):
        if row.seq != expected:
            found.differ(f"event {expected}", f"its number is {row.seq}", "numbers have no gap")
            return
        try:
            yield from with_graphs([from_row(Row(row.type, row.at, row.node, row.path, row.data))])
        except UnknownEvent as error:
            found.unknown = f"event {row.seq}: {error}"
            return


# -- comparing --------------------------------------------------------------------------------------------------------

_RUN_COLUMNS = ("status", "outputs", "error", "nodes_total", "nodes_ended", "started_at", "ended_at")
_SPENT = ("cost_usd", "input_tokens", "output_tokens")


def _compare_run(found: Replay, run: Run, row: RunRow, from_children: FromChildren) -> None:
    """What children have cost is in no event of this run."""
    for name in _RUN_COLUMNS:
        _compare(found, f"run.{name}", getattr(run, name), getattr(row, name))
    for name in _SPENT:
        theirs = sum(sums.get(name, 0.0) for sums in from_children.values())
        _compare(found, f"run.{name}", float(getattr(run, name)), round(float(getattr(row, name)) + theirs, 6))


def _compare_node_runs(found: Replay, run: Run, rows: Iterable[NodeRunRow], from_children: FromChildren) -> None:
    stored = {(row.node, row.path): row for row in history.node_runs(run)}
    for row in rows:
        place = f"node run {row.node}{f'[{row.path}]' if row.path else ''}"
        kept = stored.pop((row.node, row.path), None)
        if kept is None:
            found.differ(place, "is not there", row.status)
            continue
        _compare_node_run(found, place, kept, row, from_children.get((row.node, row.path), {}))
    for node, path in stored:
        found.differ(f"node run {node}{f'[{path}]' if path else ''}", "is there", "no event made it")


def _compare_node_run(
    found: Replay, place: str, kept: NodeRun, row: NodeRunRow, from_children: Mapping[str, float]
) -> None:
    for spec in fields(row):
        if spec.name in ("node", "path", "usage"):
            continue
        value = getattr(row, spec.name)
        _compare(found, f"{place}.{spec.name}", getattr(kept, spec.name), value[:200] if spec.name == "name" else value)
    usage = row.usage or {}
    for name in _SPENT:
        spent, used = getattr(kept, name), float(usage.get(name) or 0) + from_children.get(name, 0.0)
        _compare(found, f"{place}.{name}", float(spent or 0), round(used, 6))


def _compare_snapshot(found: Replay, taken: RunSnapshot, state: RunState) -> None:
    place = f"snapshot at {taken.seq}"
    try:
        stored = snapshots.codec().decode(bytes(taken.body), state.graph)
    except Exception as error:  # noqa: BLE001  a torn body may raise anything; that is the finding
        found.differ(place, f"cannot be read: {type(error).__name__}: {error}", "")
        return
    for spec in fields(state):
        if spec.name != "graph":
            _compare(found, f"{place}.{spec.name}", getattr(stored, spec.name), getattr(state, spec.name))


def _compare(found: Replay, place: str, stored: JSON, folded: JSON) -> None:
    if stored != folded:
        found.differ(place, stored, folded)


def _text(value: object) -> str:
    text = value.isoformat() if isinstance(value, datetime) else value if isinstance(value, str) else repr(value)
    return text if len(text) <= _MOST_TEXT else f"{text[:_MOST_TEXT]}…"
