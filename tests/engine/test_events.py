"""Stored rows and events are exact inverses, for every type there is."""

from __future__ import annotations

import dataclasses
import json
from datetime import datetime, timedelta
from typing import Any

import pytest

from orchestration.engine.events import TYPES, Event
from orchestration.engine.events.rows import Row, UnknownEvent, from_row, to_row
from orchestration.engine.ids import path_of, path_text
from tests.engine.simulator import BEGINNING

VALUES: dict[str, Any] = {
    "at": BEGINNING,
    "node": "a",
    "path": (0, 12),
    "until": BEGINNING + timedelta(seconds=1.5),
    "due": BEGINNING + timedelta(days=400),
    "attempt": 3,
    "index": 7,
    "limit": 2,
    "handled": True,
    "items": [1, {"a": None}],
    "port": "yes",
}


def filled(kind: type[Event], names: set[str]) -> Event:
    return kind(**{name: VALUES.get(name, {"text": name, "list": [1.5, None]}) for name in names})


def fields_of(kind: type[Event]) -> tuple[set[str], set[str]]:
    every = dataclasses.fields(kind)
    missing = dataclasses.MISSING
    required = {spec.name for spec in every if spec.default is missing and spec.default_factory is missing}
    return required, {spec.name for spec in every}


@pytest.mark.parametrize("kind", TYPES.values(), ids=TYPES.keys())
def test_every_event_comes_back_as_it_was_through_json(kind: type[Event]) -> None:
    for names in fields_of(kind):
        event = filled(kind, names)
        row = to_row(event)
        stored = Row(row.type, row.at, row.node, row.path, json.loads(json.dumps(row.data)))
        assert from_row(stored) == event


def test_defaults_are_left_out_of_rows() -> None:
    row = to_row(filled(TYPES["NodeSucceeded"], {"at", "node"}))
    assert row == Row("NodeSucceeded", BEGINNING, "a", "", {})


def test_a_row_of_an_unknown_type_is_an_error() -> None:
    with pytest.raises(UnknownEvent, match="NodeTeleported"):
        from_row(Row("NodeTeleported", BEGINNING, "a", "", {}))
    with pytest.raises(UnknownEvent, match="the field speed of NodeStarted"):
        from_row(Row("NodeStarted", BEGINNING, "a", "", {"attempt": 1, "speed": 3}))
    with pytest.raises(TypeError):
        from_row(Row("NodeStarted", BEGINNING, "a", "", {}))


@pytest.mark.parametrize(("path", "text"), [((), ""), ((0,), "0"), ((10, 0, 3), "10.0.3")])
def test_paths_are_indexes_joined_by_dots(path: tuple[int, ...], text: str) -> None:
    assert (path_text(path), path_of(text)) == (text, path)


def test_every_type_is_listed_under_its_own_name() -> None:
    assert all(name == kind.__name__ for name, kind in TYPES.items())
    assert all(isinstance(VALUES[name], datetime) for name in ("at", "until", "due"))
