"""Numbers: of a list together, and one by itself."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from orchestration.expressions.errors import ExpressionError
from orchestration.expressions.functions.function import function, method, number


def _numbers(items: Iterable[Any], name: str) -> list[int | float]:
    found = list(items)
    if any(isinstance(item, bool) or not isinstance(item, int | float) for item in found):
        raise ExpressionError(f"{name}() takes a list of numbers.", code="type_mismatch")
    return found


def _sum(items: list[Any]) -> int | float:
    return number(sum(_numbers(items, "sum")))


def _average(items: list[Any]) -> float:
    found = _numbers(items, "average")
    if not found:
        raise ExpressionError("average() of an empty list.", code="missing_key")
    return sum(found) / len(found)


def _median(items: list[Any]) -> float:
    found = _numbers(items, "median")
    if not found:
        raise ExpressionError("median() of an empty list.", code="missing_key")
    return statistics.median(found)


def _extreme(choose: Callable[[Sequence[float]], float], name: str) -> Callable[[list[Any]], float]:
    def implementation(items: list[Any]) -> float:
        found = _numbers(items, name)
        if not found:
            raise ExpressionError(f"{name}() of an empty list.", code="missing_key")
        return choose(found)

    return implementation


def _round(value: float, digits: int = 0) -> int | float:
    if not math.isfinite(value):
        raise ExpressionError("round() of a number that is not finite.", code="arithmetic")
    return round(value, min(digits, 15)) if digits > 0 else number(round(value))


def _whole(towards: Callable[[float], int]) -> Callable[[float], int]:
    def implementation(value: float) -> int:
        if not math.isfinite(value):
            raise ExpressionError("A number that is not finite has no whole number next to it.", code="arithmetic")
        return int(number(towards(value)))

    return implementation


def _format_number(value: float, digits: int = 0) -> str:
    if not math.isfinite(value):
        raise ExpressionError("format_number() of a number that is not finite.", code="arithmetic")
    return f"{value:,.{min(max(digits, 0), 15)}f}"


FUNCTIONS = (
    method("sum", "l", _sum, "[1, 2.5].sum() = 3.5", "Total of a list of numbers."),
    method("average", "l", _average, "[1, 2].average() = 1.5", "Mean of a list of numbers."),
    method("median", "l", _median, "[1, 2, 9].median() = 2", "The number in the middle."),
    method("min", "l", _extreme(min, "min"), "[2, 1].min() = 1", "The smallest number."),
    method("max", "l", _extreme(max, "max"), "[2, 1].max() = 2", "The largest number."),
    function("abs", "#", lambda x: number(abs(x)), "abs(-2) = 2", "Without its sign."),
    function("round", "# #i", _round, "round(2.345, 2) = 2.35", "To a whole number, or so many digits."),
    function("floor", "#", _whole(math.floor), "floor(2.7) = 2", "The whole number below."),
    function("ceil", "#", _whole(math.ceil), "ceil(2.1) = 3", "The whole number above."),
    function("format_number", "# #i", _format_number, "format_number(1234.5, 2) = \"1,234.50\"", "For people to read."),
)  # fmt: skip
