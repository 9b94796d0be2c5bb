"""The history of an archived run, read out of its pack. See `monitoring.history`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from decimal import Decimal
from functools import cached_property
from itertools import islice
from typing import Any

from django.db import connection

from orchestration.models import Effect, NodeRun, Run, RunArchive, RunEvent, RunSignal
from orchestration.retention import packing
from orchestration.retention.packing import EFFECTS, EVENTS, NODE_RUNS, SIGNALS, Kind

JSON = Any
_PIECE = "SELECT substring(body FROM %s FOR %s) FROM orchestration_runarchive WHERE run_id = %s"
_KEPT_SECTIONS = 4
"""Of events; a run of ordinary length has one. Longer logs are read through, not kept."""


class Archived:
    """One query for what there is, and one for each section that is asked for: a page of events reads one of 5,000."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self._pieces: dict[int, bytes] = {}

    def events(self, *, after: int = 0, limit: int | None = None) -> Iterator[RunEvent]:
        found = (row for row in self._rows(EVENTS, after) if row.seq > after)
        return islice(found, limit)

    def events_at(self, node: str, path: str, types: Collection[str]) -> Sequence[RunEvent]:
        return [row for row in self._rows(EVENTS) if row.node == node and row.path == path and row.type in types]

    def events_of(self, types: Collection[str], *, after: int = 0, limit: int | None = None) -> Sequence[RunEvent]:
        return list(islice((row for row in self.events(after=after) if row.type in types), limit))

    def last_events_of(self, types: Collection[str], limit: int) -> Sequence[RunEvent]:
        return [row for row in self._rows(EVENTS) if row.type in types][::-1][:limit]

    def sharing_events(self, limit: int) -> Sequence[RunEvent]:
        key = {"NodeSucceeded": "shared", "RunStarted": "reused"}
        return [row for row in self._rows(EVENTS) if row.type in key and key[row.type] in row.data][-limit:]

    def node_runs(self, limit: int | None = None) -> Iterator[NodeRun]:
        return islice(self._rows(NODE_RUNS), limit)

    def node_run(self, node: str, path: str) -> NodeRun | None:
        return next((row for row in self._rows(NODE_RUNS) if row.node == node and row.path == path), None)

    def outer_node_runs(self) -> Sequence[NodeRun]:
        return [row for row in self._rows(NODE_RUNS) if not row.path]

    def tallies(self) -> dict[str, dict[str, int]]:
        found: dict[str, dict[str, int]] = {}
        counted = Counter((row.node, row.status) for row in self._rows(NODE_RUNS) if row.path)
        for (node, status), number in sorted(counted.items()):
            found.setdefault(node, {})[status] = number
        return found

    def iterations(self, node: str) -> Sequence[NodeRun]:
        return [row for row in self._rows(NODE_RUNS) if row.node == node and row.path]

    def cost_by_agent(self) -> list[dict[str, JSON]]:
        by_agent: dict[str, list[NodeRun]] = {}
        for row in self._rows(NODE_RUNS):
            if row.agent:
                by_agent.setdefault(row.agent, []).append(row)
        summed = [
            {
                "agent": agent,
                "cost": _sum(rows, lambda row: row.cost_usd),
                "input": _sum(rows, lambda row: row.input_tokens),
                "output": _sum(rows, lambda row: row.output_tokens),
                "steps": len(rows),
            }
            for agent, rows in by_agent.items()
        ]
        return sorted(summed, key=lambda row: (row["cost"] is None, -(row["cost"] or Decimal(0)), row["agent"]))

    def open_signals(self, kinds: Collection[str]) -> Sequence[RunSignal]:
        return [row for row in self._rows(SIGNALS) if row.applied_at is None and row.kind in kinds]

    def last_signal(self, kind: str) -> RunSignal | None:
        return next((row for row in reversed(list(self._rows(SIGNALS))) if row.kind == kind), None)

    def effects(
        self, *, node: str | None = None, path: str | None = None, offset: int = 0, limit: int | None = None
    ) -> Sequence[Effect]:
        found = (
            row
            for row in self._rows(EFFECTS)
            if (node is None or row.node == node) and (path is None or row.path == path)
        )
        return list(islice(found, offset, None if limit is None else offset + limit))

    def effect_count(self) -> int:
        return sum(section["count"] for section in self._sections if section["kind"] == EFFECTS.name)

    def calls(self, keys: Collection[str], outcomes: Collection[str]) -> list[tuple[str, str, str]]:
        return [
            (row.kind, row.target, row.idempotency_key)
            for row in self._rows(EFFECTS)
            if row.idempotency_key in keys and row.outcome in outcomes
        ]

    @cached_property
    def _sections(self) -> list[dict[str, JSON]]:
        sections: list[dict[str, JSON]] = RunArchive.objects.values_list("sections", flat=True).get(run=self.run)
        return sections

    def _rows(self, kind: Kind, after: int = 0) -> Iterator[Any]:
        """From the section that holds the number behind `after` on. Pages change rows for display, so each caller's
        are new ones.
        """
        of_kind = [section for section in self._sections if section["kind"] == kind.name]
        if after:
            before = sum(section["first"] <= after + 1 for section in of_kind)
            of_kind = of_kind[max(before - 1, 0) :]
        for section in of_kind:
            yield from packing.unpacked(kind, section, self._piece(section, len(of_kind)), self.run.pk)

    def _piece(self, section: dict[str, JSON], of: int) -> bytes:
        """The compressed bytes, kept for the next question of the same page unless there are many."""
        at: int = section["at"]
        if at in self._pieces:
            return self._pieces[at]
        with connection.cursor() as cursor:
            cursor.execute(_PIECE, [at + 1, section["bytes"], self.run.pk])
            piece = bytes(cursor.fetchone()[0])
        if of <= _KEPT_SECTIONS:
            self._pieces[at] = piece
        return piece


def _sum(rows: list[NodeRun], of: Callable[[NodeRun], Any]) -> Any:
    """As SQL: nothing when there is nothing."""
    known = [value for row in rows if (value := of(row)) is not None]
    return sum(known) if known else None
