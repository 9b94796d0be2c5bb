"""What may be stored: JSON as PostgreSQL knows it."""

from __future__ import annotations

import json
from typing import Any

JSON = Any

LARGEST_BYTES = 32 * 1024 * 1024
"""Of one value as JSON. Events are read again at each takeover, so more belongs into a file that the value names."""


class NotStorable(ValueError):
    """A value that is not JSON. The message says where and what."""


def storable(value: JSON) -> JSON:
    """A copy of `value` that reads back exactly as it is: lists for tuples, text keys, no NUL and no half characters.

    So what a node returns is the same in the host's memory and after a replay. Raises NotStorable.
    """
    try:
        text = json.dumps(value, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise NotStorable(f"It is not JSON: {error}.") from error
    if len(text) > LARGEST_BYTES:
        raise NotStorable(
            f"It has {len(text) / 1024 / 1024:.0f} MiB, and {LARGEST_BYTES // 1024 // 1024} are the most."
        )
    # PostgreSQL refuses both in jsonb; models send them
    if "\\u0000" in text or "\\ud" in text:
        return _mended(json.loads(text))
    return json.loads(text)


def _mended(value: JSON) -> JSON:
    match value:
        case str():
            return value.replace("\0", "\ufffd").encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        case list():
            return [_mended(item) for item in value]
        case dict():
            return {_mended(key): _mended(item) for key, item in value.items()}
        case _:
            return value
