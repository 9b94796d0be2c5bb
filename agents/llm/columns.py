"""Which columns a table of objects has, in which order.

PostgreSQL's jsonb keeps no order of keys; a table reads best with what identifies a row first and long text last.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

_FIRST = (
    "id", "number", "no", "date", "name", "title", "requirement", "text", "comment", "event", "description",
    "priority", "severity", "status", "decision",
)  # fmt: skip
_LAST = (
    "covers", "scope", "response", "detail", "suggestion", "mitigation", "recommendation", "reason", "evidence",
    "quote", "approach", "section",
)  # fmt: skip


def columns_of(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Names that hold anything in any row."""
    names = dict.fromkeys(name for row in rows for name in row if row.get(name) not in (None, "", [], {}))

    def place(name: str) -> int:
        if name in _FIRST:
            return _FIRST.index(name)
        return len(_FIRST) + 1 + _LAST.index(name) if name in _LAST else len(_FIRST)

    return sorted(names, key=place)
