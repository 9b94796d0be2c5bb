"""How an event is stored: as (run, seq, type, at, node, path, data). `to_row` and `from_row` are exact inverses.

All fields other than `at`, `node` and `path` live in `data` under their own names; defaults are left out.
"""

from __future__ import annotations

import dataclasses
from datetime import datetime
from typing import Any, NamedTuple

from orchestration.engine.events import TYPES, Event
from orchestration.engine.events.base import JSON
from orchestration.engine.ids import path_of, path_text


class Row(NamedTuple):
    """How an event is stored. `path` is its indexes joined by dots ("" at the top)."""

    type: str
    at: datetime
    node: str
    path: str
    data: dict[str, JSON]


class UnknownEvent(Exception):
    """A stored event that this version of the code does not know: a newer one has written it."""


_NOT_IN_DATA: frozenset[str] = frozenset({"at", "node", "path", "graph"})
_DATETIMES: frozenset[str] = frozenset({"until", "due"})
_FIELDS: dict[type[Event], tuple[dataclasses.Field[Any], ...]] = {
    kind: dataclasses.fields(kind) for kind in TYPES.values()
}
_WITH_NODE: frozenset[type[Event]] = frozenset(
    kind for kind, specs in _FIELDS.items() if any(spec.name == "node" for spec in specs)
)


def _default(spec: dataclasses.Field[Any]) -> Any:
    if spec.default_factory is not dataclasses.MISSING:
        return spec.default_factory()
    return spec.default


_IN_DATA: dict[type[Event], tuple[tuple[str, Any], ...]] = {
    kind: tuple((spec.name, _default(spec)) for spec in specs if spec.name not in _NOT_IN_DATA)
    for kind, specs in _FIELDS.items()
}
"""Names and defaults."""


def to_row(event: Event) -> Row:
    data: dict[str, JSON] = {}
    for name, default in _IN_DATA[type(event)]:
        value = getattr(event, name)
        if value != default:
            data[name] = value.isoformat() if isinstance(value, datetime) else value
    path = getattr(event, "path", ())
    return Row(type(event).__name__, event.at, getattr(event, "node", ""), path_text(path), data)


def from_row(row: Row) -> Event:
    """The event a stored row stands for. Raises UnknownEvent on a type or a field of a newer version."""
    kind = TYPES.get(row.type)
    if kind is None:
        raise UnknownEvent(f"events of the type {row.type}")
    values: dict[str, Any] = {"at": row.at}
    if kind in _WITH_NODE:
        values |= {"node": row.node, "path": path_of(row.path)}
    for name, value in row.data.items():
        values[name] = datetime.fromisoformat(value) if value is not None and name in _DATETIMES else value
    try:
        return kind(**values)
    except TypeError:
        unknown = sorted(row.data.keys() - {spec.name for spec in _FIELDS[kind]})
        if unknown:
            raise UnknownEvent(f"the field {unknown[0]} of {row.type}") from None
        raise
