"""Operators of ours in place of CEL's own.

Those do not mix 1 and 1.0, which come mixed out of JSON, and make texts and lists without a bound (`rewrite.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import product
from typing import Any

from orchestration.expressions.errors import ExpressionError
from orchestration.expressions.functions.function import ANYTHING, NUMBERS, made, number
from orchestration.expressions.meter import meter, units_of
from orchestration.expressions.values import as_text


def _add(a: Any, b: Any) -> Any:
    if isinstance(a, str | list | bytes | bytearray):
        meter().charge(units_of(a) + units_of(b))
        return a + b
    return number(a + b) if isinstance(a, int | float) else a + b


def _subtract(a: Any, b: Any) -> Any:
    return number(a - b) if isinstance(a, int) else a - b


def _divide(a: int | float, b: int | float) -> int | float:
    if b == 0:
        raise ExpressionError("Division by zero.", code="arithmetic")
    if isinstance(a, int) and isinstance(b, int):
        quotient = abs(a) // abs(b)  # CEL rounds towards zero
        return number(quotient if (a < 0) == (b < 0) else -quotient)
    return a / b


def _begin(key: int) -> bool:
    meter().lists[key] = []
    return True


def _append(going: bool, key: int, item: Any) -> bool:
    # the runtime takes no times back within a list
    meter().lists[key].append(as_text(item) if isinstance(item, datetime | timedelta) else made(item))
    return True


def _pairs(kinds: str) -> tuple[str, ...]:
    """Integers with doubles, both ways, and each with its own kind."""
    return tuple(a + b for a, b in product(kinds, repeat=2))


OPERATORS: tuple[tuple[str, tuple[str, ...], Callable[..., Any]], ...] = (
    ("@add", (*_pairs(NUMBERS), "ss", "ll", "yy", "tr>t", "rt>t", "rr>r"), _add),
    ("@subtract", (*_pairs(NUMBERS), "tt>r", "tr>t", "rr>r"), _subtract),
    ("@multiply", _pairs(NUMBERS), lambda a, b: number(a * b)),
    ("@divide", _pairs(NUMBERS), _divide),
    ("@begin", ("i",), _begin),
    ("@append", tuple("bi" + kind for kind in ANYTHING), _append),
    ("@collected", ("bi",), lambda going, key: meter().lists[key]),
    ("@in_time", ("",), lambda: meter().in_time()),
)  # fmt: skip
