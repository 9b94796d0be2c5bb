"""The codec of snapshots: every kind of hint, exactly; that whole states survive it is shown by `test_any_run.py`."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

import pytest

from orchestration.engine.graph import Graph
from orchestration.engine.states import RunState
from orchestration.store.codec import SLICE, Codec


class Colour(StrEnum):
    RED = "red"


@dataclass(frozen=True)
class Leaf:
    at: datetime
    path: tuple[int, ...] = ()


@dataclass
class Tree:
    colour: Colour
    anything: Any = None
    leaves: list[Leaf] = field(default_factory=list)
    by_key: dict[tuple[str, tuple[int, ...]], Leaf] = field(default_factory=dict)
    open: dict[int, None] = field(default_factory=dict)
    names: set[str] = field(default_factory=set)
    frozen: frozenset[tuple[str, int]] = frozenset()
    waiting: deque[Leaf] = field(default_factory=deque)
    tally: Counter[str] = field(default_factory=Counter)
    pause: timedelta | None = None
    mixed: Leaf | datetime | int | None = None
    child: Tree | None = None
    mode: str | int = 0


AT = datetime(2026, 3, 4, 5, 6, 7, 123456, tzinfo=UTC)


def the_same(tree: Tree) -> None:
    codec = Codec(Tree)
    found = codec.decode(body := codec.encode(tree))
    assert found == tree and codec.encode(found) == body


def test_every_hint_reads_back_exactly() -> None:
    leaf = Leaf(AT, (1, 2))
    the_same(Tree(Colour.RED))
    the_same(
        Tree(
            Colour.RED,
            anything={"a": [1, 2.5, None, "ü\n\u2028"], "1": {}},
            leaves=[leaf, Leaf(AT + timedelta(days=1))],
            by_key={("b", (0, 3)): leaf, ("a", ()): leaf},
            open={3: None, 1: None},
            names={"one"},
            frozen=frozenset({("x", 1)}),
            waiting=deque([leaf]),
            tally=Counter(a=2),
            pause=timedelta(days=-1, microseconds=3),
            mixed=leaf,
            child=Tree(Colour.RED, mixed=AT, child=Tree(Colour.RED, mixed=7, mode="m")),
        )
    )


@pytest.mark.parametrize("length", [SLICE - 1, SLICE, SLICE + 1, 3 * SLICE])
def test_long_lists_at_any_depth(length: int) -> None:
    many = list(range(length))
    inner = Tree(Colour.RED, leaves=[Leaf(AT, (n,)) for n in many], open=dict.fromkeys(many))
    the_same(Tree(Colour.RED, anything=many, by_key={("n", (n,)): Leaf(AT) for n in many}, child=inner))


def test_a_hint_that_cannot_be_stored_names_its_field() -> None:
    @dataclass
    class Odd:
        thing: object

    with pytest.raises(TypeError, match=r"Odd\.thing"):
        Codec(Odd)


def test_the_fingerprint_is_that_of_the_structure() -> None:
    @dataclass
    class Tree:
        colour: Colour

    assert Codec(Tree).fingerprint == Codec(Tree).fingerprint != Codec(globals()["Tree"]).fingerprint


def test_the_state_of_a_run_can_be_stored() -> None:
    assert Codec(RunState, given=Graph).fingerprint
