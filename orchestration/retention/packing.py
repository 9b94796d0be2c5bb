"""Rows of runs as compressed bytes and back.

A body is sections one after the other, each at most `PIECE` rows of one kind: lines of JSON, an array a row, compressed
by zlib. `sections` says what lies where, and which columns the arrays have, so what is stored for ever can be read
after columns were added (they get their default) or removed (they are left out). JSON and times are written by
PostgreSQL, so they come back as they were to the last digit.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from itertools import groupby
from typing import Any
from uuid import UUID

from django.db import connection, models

from orchestration.models import Effect, NodeRun, RunEvent, RunSignal

JSON = Any
PIECE = 5_000
"""Rows of a section: what is decoded to read one row."""
_AT_ONCE = 2_000


@dataclass(frozen=True, slots=True)
class Kind:
    """Rows that are packed. order: the columns that number them within a run; the first is kept as `first`."""

    name: str
    model: type[models.Model]
    order: tuple[str, ...]

    @property
    def table(self) -> str:
        return self.model._meta.db_table

    @property
    def fields(self) -> list[models.Field[Any, Any]]:
        return [one for one in self.model._meta.concrete_fields if one.attname != "run_id"]


EVENTS = Kind("events", RunEvent, ("seq",))
NODE_RUNS = Kind("node_runs", NodeRun, ("id",))
SIGNALS = Kind("signals", RunSignal, ("id",))
EFFECTS = Kind("effects", Effect, ("lease_token", "serial"))
KINDS = (EVENTS, NODE_RUNS, SIGNALS, EFFECTS)


@dataclass(slots=True)
class Packed:
    """One run's rows: `body` and what lies where in it."""

    sections: list[dict[str, JSON]] = field(default_factory=list)
    body: bytearray = field(default_factory=bytearray)
    bytes_before: int = 0

    def add(self, kind: Kind, lines: list[str], first: int, size: int) -> None:
        piece = zlib.compress("\n".join(lines).encode(), 6)
        self.sections.append(
            {
                "kind": kind.name,
                "columns": [str(one.column) for one in kind.fields],
                "first": first,
                "count": len(lines),
                "at": len(self.body),
                "bytes": len(piece),
            }
        )
        self.body += piece
        self.bytes_before += size


def pack(run_ids: Iterable[UUID]) -> dict[UUID, Packed]:
    """Read all rows of these runs, which must not change meanwhile (call under their locks). One query a kind."""
    packed = {run_id: Packed() for run_id in run_ids}
    for kind in KINDS:
        for run_id, rows in groupby(_rows(kind, list(packed)), key=lambda row: row[0]):
            lines: list[str] = []
            size = start = 0
            for _, first, bytes_, line in rows:
                start = start if lines else first
                lines.append(line)
                size += bytes_
                if len(lines) == PIECE:
                    packed[run_id].add(kind, lines, start, size)
                    lines, size = [], 0
            if lines:
                packed[run_id].add(kind, lines, start, size)
    return packed


def _rows(kind: Kind, run_ids: list[UUID]) -> Iterator[tuple[UUID, int, int, str]]:
    """(run, number, bytes it takes, line), in order."""
    columns = ", ".join(_as_text(one) for one in kind.fields)
    order = ", ".join(kind.order)
    statement = (
        f"SELECT run_id, {kind.order[0]}, pg_column_size(kept.*), json_build_array({columns})::text "  # noqa: S608  our own
        f"FROM {kind.table} AS kept WHERE run_id = ANY(%s) ORDER BY run_id, {order}"
    )
    with connection.chunked_cursor() as cursor:
        cursor.execute(statement, [run_ids])
        while rows := cursor.fetchmany(_AT_ONCE):
            yield from rows


def _as_text(one: models.Field[Any, Any]) -> str:
    name = connection.ops.quote_name(str(one.column))
    return f"{name}::text" if isinstance(one, models.DecimalField) else name


def unpacked(kind: Kind, section: Mapping[str, JSON], piece: bytes, run_id: UUID) -> list[Any]:
    """The rows of one section, as instances that look as if they had been read from their table."""
    readers = list(_readers(kind, section["columns"], run_id))
    names = [one.attname for one in kind.model._meta.concrete_fields]
    lines = zlib.decompress(piece).decode().split("\n")
    return [kind.model.from_db("default", names, [read(row) for read in readers]) for row in map(json.loads, lines)]


def _readers(kind: Kind, columns: list[str], run_id: UUID) -> Iterator[Callable[[list[JSON]], Any]]:
    places = {column: place for place, column in enumerate(columns)}
    for one in kind.model._meta.concrete_fields:
        if one.attname == "run_id":
            yield _always(run_id)
        elif str(one.column) not in places:
            yield _always(one.get_default())
        else:
            yield _reader(one, places[str(one.column)])


def _always(value: Any) -> Callable[[list[JSON]], Any]:
    return lambda _: value


def _reader(one: models.Field[Any, Any], place: int) -> Callable[[list[JSON]], Any]:
    if isinstance(one, models.DateTimeField):
        return lambda row: None if row[place] is None else datetime.fromisoformat(row[place])
    if isinstance(one, models.DecimalField):
        return lambda row: None if row[place] is None else Decimal(row[place])
    return lambda row: row[place]


def restore(kind: Kind, rows: list[Any]) -> None:
    """Put rows back into their table."""
    kind.model._default_manager.bulk_create(rows, batch_size=1_000)
