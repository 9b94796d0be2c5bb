"""Patterns over text that an author wrote, within a bounded time.

`matches()` of expressions is RE2's, which cannot run away but gives only true or false. Finding what a pattern fits is
done by the `regex` package, whose search can be stopped: a pattern that takes longer than `SECONDS` is an error.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import regex

from orchestration.expressions.errors import ExpressionError

SECONDS = 0.5
LONGEST = 500


def found_by(pattern: str, text: str, *, most: int) -> list[Any]:
    """Every place the pattern fits: the text of it; with groups {name: text}, with one unnamed group that group's
    text. Raises ExpressionError.
    """
    compiled = _compiled(pattern)
    found: list[Any] = []
    try:
        for match in compiled.finditer(text, timeout=SECONDS):
            found.append(match.groupdict() or (match[1] if compiled.groups == 1 else match[0]))
            if len(found) > most:
                raise ExpressionError(f"The pattern fits at more than {most:,} places.", code="limit")
    except TimeoutError:
        message = f"The pattern takes longer than {SECONDS:g} s over this text. Make it more definite."
        raise ExpressionError(message, code="limit") from None
    return found


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> Any:
    if len(pattern) > LONGEST:
        raise ExpressionError(f"A pattern has {LONGEST} characters at most.", code="limit")
    try:
        return regex.compile(pattern)
    except regex.error as error:
        raise ExpressionError(f"The pattern {pattern!r} cannot be read: {error}.", code="invalid_value") from None
