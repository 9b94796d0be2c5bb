"""A JSON value as plain rows for the collapsible tree of templates/components/json_view.html."""

import json
from dataclasses import dataclass, field
from typing import Any

from django.template.defaultfilters import filesizeformat

OPEN_DEPTH = 2
MAX_ENTRIES = 200
MAX_TEXT = 4_000
MAX_LARGE = 400
MAX_DEPTH = 24
MAX_ALL = 3_000  # entries of one view; more helps nobody and makes the page slow


_WORDS = {"string": "text", "array": "list", "object": "object"}


@dataclass(frozen=True, slots=True)
class Large:
    """In the place of a value that is too large for a page: how it begins, and where all of it is to be had."""

    kind: str
    """string, array or object"""
    bytes: int
    beginning: str
    url: str

    @property
    def words(self) -> str:
        return f"{_WORDS.get(self.kind, self.kind)} of {filesizeformat(self.bytes)}"

    def __str__(self) -> str:
        return f"({self.words})"


@dataclass(slots=True)
class Entry:
    """One value. `kind` is object, array, string, number, boolean, null or large; `key` is None for the root."""

    key: str | None
    kind: str
    text: str
    size: int = 0
    left_out: int = 0
    opened: bool = False
    children: list["Entry"] = field(default_factory=list)
    large: Large | None = None

    @property
    def summary(self) -> str:
        """What stands in a closed branch: {3 keys}, [12 items]."""
        if self.kind == "object":
            return f"{{{self.size} {'key' if self.size == 1 else 'keys'}}}"
        return f"[{self.size} {'item' if self.size == 1 else 'items'}]"

    @property
    def long(self) -> bool:
        """True for text that deserves a block of its own."""
        return self.kind == "string" and (len(self.text) > 120 or "\n" in self.text)


def entry(value: Any, open_depth: int = OPEN_DEPTH) -> Entry:
    """Return `value` as a tree. Branches beyond `open_depth` start closed; very long ones are cut and say so."""
    return _entry(value, None, 0, open_depth, [MAX_ALL])


def _entry(value: Any, key: str | None, depth: int, open_depth: int, left: list[int]) -> Entry:
    """`left` holds how many more entries the whole view may have."""
    left[0] -= 1
    if isinstance(value, dict | list | tuple) and depth < MAX_DEPTH:
        items = [(str(k), v) for k, v in value.items()] if isinstance(value, dict) else list(enumerate(value))
        shown = []
        for name, inner in items[:MAX_ENTRIES]:
            if left[0] <= 0:
                break
            shown.append(_entry(inner, str(name), depth + 1, open_depth, left))
        kind = "object" if isinstance(value, dict) else "array"
        opened = depth < open_depth and len(items) <= 40
        return Entry(key, kind, "", len(items), len(items) - len(shown), opened, shown)
    if isinstance(value, Large):
        return Entry(key, "large", value.beginning[:MAX_LARGE], large=value)
    if value is None:
        return Entry(key, "null", "null")
    if isinstance(value, bool):
        return Entry(key, "boolean", "true" if value else "false")
    if isinstance(value, int | float):
        return Entry(key, "number", json.dumps(value))
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    return Entry(key, "string", text[:MAX_TEXT], len(text), max(0, len(text) - MAX_TEXT))


def pretty(value: Any) -> str:
    """The value as indented JSON text, for the copy button and downloads."""
    return json.dumps(value, indent=2, ensure_ascii=False, default=str)
