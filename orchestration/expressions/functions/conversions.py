"""From one kind of value to another: numbers and JSON read from text, any value as text."""

from __future__ import annotations

import json
from typing import Any

from orchestration.expressions.errors import ExpressionError
from orchestration.expressions.functions.function import INT64, function, made, number
from orchestration.expressions.meter import meter
from orchestration.expressions.values import as_json, as_text


def _to_number(value: Any) -> int | float:
    if isinstance(value, str):
        text = value.strip().replace("_", " ")
        for read in (int, float):
            try:
                return number(read(text))
            except ValueError:
                continue
        raise ExpressionError(f"number() cannot read {_short(value)!r}.", code="invalid_value")
    return int(value) if isinstance(value, bool) else number(value)


def _parse_json(text: str) -> Any:
    meter().charge(len(text) * 4)
    try:
        return json.loads(text.replace("\\u0000", ""), parse_constant=_refuse_constant, parse_int=_json_int)
    except (ValueError, RecursionError) as error:
        raise ExpressionError(f"parse_json() was given text that is not JSON: {error}.", code="invalid_value") from None


def _json_int(text: str) -> int | float:
    value = int(text) if len(text) < 25 else float(text)
    return value if value in INT64 else float(value)


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _as_json(value: Any) -> str:
    return str(made(as_json(value)))


def _short(text: str) -> str:
    return text if len(text) <= 40 else text[:39] + "…"


FUNCTIONS = (
    function("number", "s # b", _to_number, "number('2.5') = 2.5", "A number read from text."),
    function("text", "*", lambda x: made(as_text(x)), "text([1, true]) = \"[1, true]\"", "Any value as text."),
    function("json", "*", _as_json, "json({'a': 'b'}) = \"{\\\"a\\\": \\\"b\\\"}\"", "Any value as JSON text."),
    function("parse_json", "s", _parse_json, "parse_json('[1]') = [1]", "The value of a JSON text."),
)  # fmt: skip
