"""What may be stored: JSON as PostgreSQL knows it."""

from __future__ import annotations

import json
from enum import Enum
from typing import Any
from uuid import UUID

import orjson
from pydantic_core import from_json

from orchestration.values.splitting import LARGEST_BYTES as LARGEST_BYTES

JSON = Any
_AS_JSON_DOES = orjson.OPT_PASSTHROUGH_SUBCLASS | orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_DATACLASS


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
        text = _quickly(value) or _encode(value)
    except (TypeError, ValueError, RecursionError) as error:
        raise NotStorable(f"It is not JSON: {error}.") from error
    if len(text) > LARGEST_BYTES:
        _check_size(value)
    return text


def for_statement(records: JSON) -> str:
    """An argument of a statement: JSON in which ids and times stand as they are. Raises what `json` raises."""
    try:
        return orjson.dumps(records).decode()
    except TypeError:  # whole numbers of more than 64 bits
        return json.dumps(records, default=str)


def _quickly(value: JSON) -> str | None:
    """In a tenth of the time what `json` would write, but for spaces and digits of exponents; None where it may differ.

    orjson writes null for what is no number, which nothing but null tells apart; and it does not keep to ASCII.
    """
    try:
        raw = orjson.dumps(value, option=_AS_JSON_DOES)
    except TypeError:  # whole numbers of more than 64 bits, keys that are no texts, deep nesting, no JSON at all
        return None
    return None if b"null" in raw or b"\x7f" in raw or not raw.isascii() else raw.decode()


def _plain(value: Any) -> JSON:
    """Of what is not JSON but is often meant to be."""
    match value:
        case UUID():
            return str(value)
        case Enum():
            return value.value
    raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")


_encode = json.JSONEncoder(allow_nan=False, default=_plain).encode  # `json.dumps` makes an encoder each time


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
    try:
        return from_json(text)
    except ValueError:  # nested too deeply for it
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
