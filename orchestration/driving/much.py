"""Large values of one run, where there is much at once: kept a portion at a time, and shown without being gone through.

Beside `values.py`, which asks here when there are some MiB or more: most runs have none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from orchestration.driving.values import ITEMS_BYTES, RunValues, is_much, ready
from orchestration.nodes.base import NodeFailure
from orchestration.store import values as storing
from orchestration.values.portions import Portions, TooMuch
from orchestration.values.splitting import INLINE_BYTES

JSON = Any
Kept = TypeVar("Kept")


class MuchValues(RunValues):
    """In a thread, for one answer of a node."""

    def kept(self, value: JSON, *, inline_bytes: int = INLINE_BYTES) -> JSON:
        if not is_much(value):
            return super().kept(value, inline_bytes=inline_bytes)
        return self._in_portions(lambda portions: portions.kept(value), inline_bytes)

    def kept_members(self, value: Mapping[str, JSON]) -> dict[str, JSON]:
        if not is_much(value):
            return super().kept_members(value)
        return self._in_portions(lambda portions: portions.members(dict(value)))

    def kept_items(self, value: list[JSON]) -> list[JSON]:
        if not is_much(value):
            return super().kept_items(value)
        return self._in_portions(lambda portions: portions.items(value, budget=ITEMS_BYTES))

    def _in_portions(self, work: Callable[[Portions], Kept], inline_bytes: int = INLINE_BYTES) -> Kept:
        """Raises NodeFailure."""
        for exact in (False, True):
            portions = Portions(
                ready, self.known, most_bytes=storing.LARGEST_BYTES, inline_bytes=inline_bytes, exact=exact
            )
            try:
                made = work(portions)
            except TooMuch:
                continue
            except RecursionError as error:
                raise NodeFailure(
                    "The node's answer is nested too deeply to be kept.", code="invalid_output"
                ) from error
            self.note(portions.values, involved=portions.escaped or portions.refers)
            return made
        refused = storing.too_large()
        raise NodeFailure(f"The node's answer cannot be kept. {refused}", code=refused.code)
