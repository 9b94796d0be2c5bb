"""What an event may be, and when a filter lets it through. Pure, but for the runtime of expressions."""

from __future__ import annotations

import json
import re
from typing import Any

from orchestration.expressions import ExpressionError, compile
from orchestration.expressions.templates import bare
from orchestration.store.values import NotStorable, storable

JSON = Any

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,119}")
LONGEST_KEY = 200
LARGEST_BYTES = 32 * 1024
"""Of an event's data as JSON. What is larger belongs into a run's outputs or elsewhere; the event names it."""
MOST_HOPS = 16
"""Events that lead to one another through the runs they start: more is a circle."""
FILTER_NAMES = frozenset({"event"})


def fault(name: str, key: str, data: JSON) -> str:
    """What is wrong with an event, as a sentence; empty if nothing is."""
    if not NAME.fullmatch(name):
        return (
            f"{name[:130]!r} is no name of an event: letters, digits and . _ : - (such as order.paid), "
            "120 at most, beginning with a letter or digit."
        )
    if len(key) > LONGEST_KEY:
        return f"The key has {len(key)} characters, and {LONGEST_KEY} are the most."
    try:
        size = len(json.dumps(storable(data)).encode())
    except NotStorable as error:
        return f"The data cannot be kept. {error}"
    if size > LARGEST_BYTES:
        return (
            f"The data has {size / 1024:.0f} KiB, and {LARGEST_BYTES // 1024} are the most. "
            "Publish where it is to be found instead."
        )
    return ""


def filter_fault(source: str) -> str:
    """What is wrong with a filter, as a sentence; empty if nothing is."""
    if not source.strip():
        return ""
    try:
        compile(bare(source)).check_names(FILTER_NAMES)
    except ExpressionError as error:
        place = "" if error.column is None else f" (column {error.column})"
        return f"The filter cannot be used{place}: {error.message}"
    return ""


def lets_through(source: str, event: JSON) -> bool:
    """Whether the filter is true of the event. Raises ExpressionError: an error is no answer."""
    if not source.strip():
        return True
    result = compile(bare(source)).evaluate({"event": event})
    if not isinstance(result, bool):
        raise ExpressionError(
            f"The filter must be true or false, but is {result!r:.100}.", code="type_mismatch", source=source
        )
    return result
