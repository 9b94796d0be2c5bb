"""What one evaluation may use, and what it has collected so far.

The runtime stops an expression after 10,000 iterations, which bounds neither memory (`s.map(x, x + x)` doubles a text
at each step) nor time over large data. Every function of ours charges this meter, and each loop looks at its clock.
Measured without it: 27 chained doublings took 3 GB; see tests/expressions/test_hostile.py.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, TypeVar

from orchestration.expressions.errors import ExpressionError

Answer = TypeVar("Answer")
MAX_SECONDS = 1.0
MAX_UNITS = 128 * 1024 * 1024
"""A unit is a character of text or one value of a list or map."""


@dataclass(slots=True)
class Meter:
    deadline: float
    """By this thread's clock of time on the processor: a busy machine refuses nothing it would else do."""
    units: int = MAX_UNITS
    error: ExpressionError | None = None
    """The first failure of one of our functions, with its code; the runtime only hands on its text."""
    lists: dict[int, list[Any]] = field(default_factory=dict)
    """Results under way of `map` and `filter`, by the comprehension's id."""

    def charge(self, units: int) -> None:
        self.units -= units
        if self.units < 0:
            # A loop of the runtime goes on after an error, converting its data again each time: its time is up, too.
            self.deadline = 0.0
            self.error = self.error or ExpressionError("The expression makes too much data.", code="limit")
            raise self.error

    def in_time(self) -> bool:
        if time.thread_time() <= self.deadline:
            return True
        self.error = self.error or ExpressionError(
            f"The expression takes longer than {MAX_SECONDS:g} s over this data.", code="limit"
        )
        return False


MOST_PARTS = 5_000_000
"""Values that the runtime is given at once: it takes over all of them in one call, which no other thread interrupts."""
_reads_much: ContextVar[bool] = ContextVar("what is read may be much", default=False)


def over_much(work: Callable[..., Answer], *arguments: Any) -> Answer:
    """`work(*arguments)`, whose expressions read much data: how much is looked at before each. For a thread."""
    token = _reads_much.set(True)
    try:
        return work(*arguments)
    finally:
        _reads_much.reset(token)


def check_parts(data: Any) -> None:
    """Raises ExpressionError (`limit`)."""
    if not _reads_much.get():
        return
    parts, waiting = 0, [data]
    while waiting:
        found = waiting.pop()
        if isinstance(found, dict):
            found = list(found.values())
        if isinstance(found, list | tuple):
            parts += len(found)
            waiting.extend(item for item in found if isinstance(item, dict | list | tuple))
        if parts > MOST_PARTS:
            raise ExpressionError(
                f"The expression computes with data of more than {MOST_PARTS:,} values. Pass on the list or object as "
                "it is, read a part of it, or work through it in a transform.",
                code="limit",
            )


_current = threading.local()


def meter() -> Meter:
    found: Meter = _current.meter
    return found


@contextmanager
def metered() -> Iterator[Meter]:
    _current.meter = fresh = Meter(time.thread_time() + MAX_SECONDS)
    try:
        yield fresh
    finally:
        del _current.meter


def units_of(value: Any) -> int:
    """Size of a value in units, without recursion: what comes in may be deep."""
    total, stack = 0, [value]
    while stack:
        match stack.pop():
            case str() | bytes() | bytearray() as text:
                total += len(text) + 1
            case list() as items:
                total += 1
                stack.extend(items)
            case dict() as items:
                total += 1
                stack.extend(items.keys())
                stack.extend(items.values())
            case _:
                total += 1
    return total
