"""One step after the other."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from orchestration.expressions import ExpressionError, evaluate_late
from orchestration.expressions.meter import units_of
from orchestration.expressions.values import kind_of
from orchestration.transforms.steps import Step

JSON = Any
MOST_ROWS = 1_000_000
MOST_SECONDS = 60.0
"""On the processor, of all steps together: a busy machine refuses nothing that it would else do."""
MOST_UNITS = 512 * 1024 * 1024
"""Characters and values that all expressions together may yield."""


class TransformError(Exception):
    """`step` and `row` count from 1; row 0: the step as a whole."""

    def __init__(self, message: str, *, step: int = 0, op: str = "", row: int = 0) -> None:
        place = f"Step {step} ({op}){f', row {row}' if row else ''}: " if step else ""
        super().__init__(f"{place}{message}")
        self.message, self.step, self.op, self.row = message, step, op, row


@dataclass(slots=True)
class Left:
    """Of what all steps together may take: the end by this thread's clock, and units of data made."""

    ends: float
    units: int = MOST_UNITS


class Work:
    """Of one step: its place, what expressions may see besides the row, and what is left."""

    def __init__(self, number: int, op: str, given: Mapping[str, JSON], left: Left) -> None:
        self.number, self.op, self.given, self._left = number, op, given, left

    def wrong(self, message: str, row: int = 0) -> TransformError:
        return TransformError(message, step=self.number, op=self.op, row=row)

    def evaluate(self, late: JSON, scope: Mapping[str, JSON], row: int = 0) -> JSON:
        """The value of an expression, or of JSON made of such. Raises TransformError."""
        match late:
            case str():
                try:
                    made = evaluate_late(late, scope)
                except ExpressionError as error:
                    raise self.wrong(error.message, row) from None
                self._left.units -= 1 if isinstance(made, bool | int | float) else units_of(made)
                if self._left.units < 0:
                    raise self.wrong("The expressions make too much data.", row)
                return made
            case Mapping():
                return {name: self.evaluate(item, scope, row) for name, item in late.items()}
            case list() | tuple():
                return [self.evaluate(item, scope, row) for item in late]
        return late

    def each(self, value: JSON, late: JSON) -> Iterator[tuple[JSON, JSON]]:
        """(row, value of the expression over it)"""
        for number, item in self.rows(value):
            yield item, self.evaluate(late, {"item": item, "index": number - 1, "given": self.given}, number)

    def rows(self, value: JSON) -> Iterator[tuple[int, JSON]]:
        """(number from 1, row). Raises TransformError when there is no list, or no time left."""
        for number, item in enumerate(self.a_list(value), 1):
            if not number % 64 and time.thread_time() > self._left.ends:
                raise self.wrong(f"It takes longer than {MOST_SECONDS:g} s over this data.", number)
            yield number, item

    def a_list(self, value: JSON) -> list[JSON]:
        if not isinstance(value, list | tuple):
            raise self.wrong(f"It takes a list, but is given {kind_of(value)}.")
        if len(value) > MOST_ROWS:
            raise self.wrong(f"It takes at most {MOST_ROWS:,} rows, and these are {len(value):,}.")
        return list(value)

    def an_object(self, value: JSON, row: int = 0) -> dict[str, JSON]:
        if not isinstance(value, dict):
            raise self.wrong(f"It takes objects, but is given {kind_of(value)}.", row)
        return value

    def a_text(self, value: JSON, row: int = 0) -> str:
        if not isinstance(value, str):
            raise self.wrong(f"It takes a text, but is given {kind_of(value)}. Use text(…) to make one of it.", row)
        return value


def run(value: JSON, steps: Sequence[Step], given: Mapping[str, JSON] | None = None) -> JSON:
    """What the last step gives. Raises TransformError."""
    from orchestration.transforms import lists, values

    table: Mapping[str, Callable[[Work, Any, JSON], JSON]] = {**lists.OPERATIONS, **values.OPERATIONS}
    left = Left(time.thread_time() + MOST_SECONDS)
    for number, step in enumerate(steps, 1):
        op: str = step.op  # type: ignore[attr-defined]
        work = Work(number, op, given or {}, left)
        value = table[op](work, step, value)
    return value
