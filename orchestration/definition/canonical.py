"""The one form of a definition's JSON that its digest is taken of, and the form people exchange."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from orchestration.values.portions import written

JSON = Any


def canonical(value: JSON) -> str:
    """No white space, text as UTF-8, keys as they were written: their order says how forms and lists are ordered.

    Raises ValueError on a number that JSON does not have.
    """
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def digest(value: JSON) -> str:
    """SHA-256 of the canonical form, in hex."""
    made = hashlib.sha256()
    for piece in written(value, canonical):  # what a run within a run is given may be much
        made.update(piece.encode("utf-8", "surrogatepass"))
    return made.hexdigest()


def pretty(value: JSON) -> str:
    """For people: as it was ordered, two spaces, short lists of scalars on one line."""
    return _pretty(value, 0) + "\n"


def _pretty(value: JSON, depth: int) -> str:
    pad, inner = "  " * depth, "  " * (depth + 1)
    flat = json.dumps(value, ensure_ascii=False, allow_nan=False)
    scalars = not isinstance(value, dict | list) or not any(isinstance(v, dict | list) for v in _items(value))
    if not isinstance(value, dict | list) or not value or (scalars and len(flat) + len(pad) <= 100):
        return flat
    if isinstance(value, dict):
        lines = [
            f"{inner}{json.dumps(key, ensure_ascii=False)}: {_pretty(item, depth + 1)}" for key, item in value.items()
        ]
        return "{\n" + ",\n".join(lines) + f"\n{pad}}}"
    return "[\n" + ",\n".join(f"{inner}{_pretty(item, depth + 1)}" for item in value) + f"\n{pad}]"


def _items(value: JSON) -> list[JSON]:
    return list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []
