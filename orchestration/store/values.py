"""What may be stored: JSON as PostgreSQL knows it."""

from __future__ import annotations

import json
from typing import Any

from orchestration.values.splitting import LARGEST_BYTES as LARGEST_BYTES

JSON = Any
_encode = json.JSONEncoder(allow_nan=False).encode  # `json.dumps` makes an encoder each time


class NotStorable(ValueError):
    """A value that is not JSON, or is too large (code `too_large`). The message says what."""

    def __init__(self, message: str, code: str = "invalid_output") -> None:
        super().__init__(message)
        self.code = code


def storable(value: JSON) -> JSON:
    """A copy of `value` that reads back exactly as it is: lists for tuples, text keys, no NUL and no half characters.

    So what a node returns is the same in the host's memory and after a replay. Raises NotStorable.
    """
    return read_back(as_text(value))


def as_text(value: JSON) -> str:
    """As JSON in ASCII. Raises NotStorable."""
    try:
        text = _encode(value)
    except (TypeError, ValueError, RecursionError) as error:
        raise NotStorable(f"It is not JSON: {error}.") from error
    if len(text) > LARGEST_BYTES:
        _check_size(value)
    return text


def _check_size(value: JSON) -> None:
    """In UTF-8, as it is stored."""
    size = len(json.dumps(value, ensure_ascii=False).encode(errors="replace"))
    if size > LARGEST_BYTES:
        raise too_large(f"{size / 1024 / 1024:.0f} MiB")


def too_large(size: str = "more") -> NotStorable:
    most = LARGEST_BYTES // 1024 // 1024
    return NotStorable(
        f"It has {size}, and {most} MiB are the most that is passed on. Pass on less, hand it over in parts (a loop), "
        "or put it into a file store and pass on its address.",
        code="too_large",
    )


def read_back(text: str) -> JSON:
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
