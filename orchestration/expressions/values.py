"""Between JSON and the runtime's values: what goes in, what comes out, and how a value reads as text."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

from cel_expr_python import cel

from orchestration.expressions.errors import ExpressionError
from orchestration.expressions.meter import Meter

JSON = Any
_INT64 = range(-(1 << 63), 1 << 63)
MAX_DEPTH = 200


def sanitised(value: Any) -> Any:
    """A copy the runtime accepts: integers beyond 64 bits as doubles, broken characters replaced, keys as text."""
    match value:
        case None | bool() | float():
            return value
        case int():
            return int(value) if value in _INT64 else float(value)
        case str():
            return value.encode("utf-8", "replace").decode().replace("\x00", "")
        case Mapping():
            return {sanitised(str(key)): sanitised(item) for key, item in value.items()}
        case list() | tuple():
            return [sanitised(item) for item in value]
        case Decimal():
            return float(value)
        case datetime() | date():
            return value.isoformat()
    return str(value)


def error_text(value: cel.Value) -> str | None:
    """What went wrong, if the value is an error. Raises ExpressionError (`not_json`) for an optional value.

    The runtime's truth of any value is true, and an optional value calls itself an error but has no text.
    """
    if value.type() != cel.Type.ERROR:
        return None
    try:
        return str(value.value())
    except TypeError:
        raise ExpressionError(
            "The result is an optional value. End it with .orValue(…) to say what stands for nothing.", code="not_json"
        ) from None


def to_json(value: cel.Value, meter: Meter) -> JSON:
    """The plain JSON of a result. Times become RFC 3339 text, durations seconds as text (`90s`), map keys text.

    Lists share their elements inside the runtime, so a small value may be enormous once written out: each part is
    charged. Raises ExpressionError (`not_json`, `limit`).
    """
    return _convert(value, meter, 0)


def _convert(value: cel.Value, meter: Meter, depth: int) -> JSON:
    meter.charge(1)
    if depth > MAX_DEPTH:
        raise ExpressionError(f"The result is nested deeper than {MAX_DEPTH} levels.", code="limit")
    kind = value.type()
    if kind in (cel.Type.LIST, cel.Type.MAP) or kind.name() in ("list", "map"):
        plain = value.value()
        if isinstance(plain, dict):
            return {_key(key, meter): _convert(item, meter, depth + 1) for key, item in plain.items()}
        return [_convert(item, meter, depth + 1) for item in plain]
    error_text(value)
    return _scalar(value.value(), meter, depth)


def _scalar(plain: Any, meter: Meter, depth: int) -> JSON:
    match plain:
        case None | bool() | int():
            return plain
        case float():
            if not math.isfinite(plain):
                raise ExpressionError(f"The result is not a number JSON can hold ({plain}).", code="not_json")
            return plain
        case str():
            meter.charge(len(plain))
            return plain
        case bytes() | bytearray():
            try:
                return bytes(plain).decode()
            except UnicodeDecodeError:
                raise ExpressionError("The result is binary data, not text.", code="not_json") from None
        case datetime():
            return time_text(plain)
        case timedelta():
            return duration_text(plain)
        case list():
            return [_any(item, meter, depth + 1) for item in plain]
        case dict():
            return {_key(key, meter): _any(item, meter, depth + 1) for key, item in plain.items()}
    raise ExpressionError(f"The result is a {plain.__class__.__name__}, which JSON cannot hold.", code="not_json")


def _any(item: Any, meter: Meter, depth: int) -> JSON:
    return _convert(item, meter, depth) if isinstance(item, cel.Value) else _scalar(item, meter, depth)


def _key(key: Any, meter: Meter) -> str:
    text = key if isinstance(key, str) else as_text(key)
    meter.charge(len(text) + 1)
    return text


def as_text(value: JSON) -> str:
    """How a value reads within a text: null is empty, numbers without a needless `.0`, objects and lists as JSON."""
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case str():
            return value
        case int():
            return str(value)
        case float():
            return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
        case datetime():
            return time_text(value)
        case timedelta():
            return duration_text(value)
        case bytes() | bytearray():
            return bytes(value).decode("utf-8", "replace")
    return as_json(value)


def as_json(value: JSON, *, indent: int | None = None) -> str:
    return json.dumps(value, ensure_ascii=False, indent=indent, default=as_text)


def time_text(value: datetime) -> str:
    return value.astimezone(timezone.utc).isoformat().replace("+00:00", "Z")  # noqa: UP017  readable next to "Z"


def duration_text(value: timedelta) -> str:
    seconds = value.total_seconds()
    return f"{int(seconds) if seconds.is_integer() else seconds}s"


def kind_of(value: Any) -> str:
    """The word for a value's type in messages."""
    match value:
        case None:
            return "null"
        case bool():
            return "true or false"
        case int() | float():
            return "a number"
        case str():
            return "a text"
        case list() | tuple():
            return "a list"
        case Mapping():
            return "an object"
    return type(value).__name__
