"""One function of an expression: its name, how it is called, what it takes, what it does.

Kinds of arguments are letters: s text, i integer, u unsigned, d double, b boolean, n null, l list, m map, t time,
r duration, y bytes; `#` any number, `*` anything. What it gives is told after `>` where the runtime must know (times and
durations). Every function that makes data charges the meter; none reads anything but its arguments.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from orchestration.expressions.errors import ExpressionError
from orchestration.expressions.meter import meter, units_of

NUMBERS = "iud"
ANYTHING = "siudbnlmtry"
INT64 = range(-(1 << 63), 1 << 63)


@dataclass(frozen=True, slots=True)
class Function:
    name: str
    signatures: tuple[str, ...]
    implementation: Callable[..., Any]
    example: str
    """`expression = result`, both shown in the reference and run by the tests."""
    summary: str
    member: bool = False


def function(name: str, signatures: str, run: Callable[..., Any], example: str, summary: str) -> Function:
    return Function(name, tuple(signatures.split()), run, example, summary)


def method(name: str, signatures: str, run: Callable[..., Any], example: str, summary: str) -> Function:
    return Function(name, tuple(signatures.split()), run, example, summary, member=True)


def made(value: Any) -> Any:
    """Charge for a value a function made."""
    meter().charge(units_of(value))
    return value


def number(value: int | float) -> int | float:
    """The value, if the runtime can hold it: integers have 64 bits there."""
    if isinstance(value, int) and value not in INT64:
        raise ExpressionError("The number is too large.", code="arithmetic")
    return value
