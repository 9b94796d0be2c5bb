"""Words for faults in data and schemas: paths, types, values, and what was meant perhaps."""

import difflib
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

JSON = Any
TYPES = {
    "object": "an object",
    "array": "a list",
    "string": "text",
    "number": "a number",
    "integer": "a whole number",
    "boolean": "true or false",
    "null": "null",
}


def member(path: str, name: str) -> str:
    """The path of a member: `$.lines`, or `$['two words']`."""
    return f"{path}.{name}" if re.fullmatch(r"[A-Za-z_$][\w$-]*", name) else f"{path}[{name!r}]"


def types(wanted: str | Sequence[str]) -> str:
    names = [wanted] if isinstance(wanted, str) else list(wanted)
    return " or ".join(TYPES.get(name, name) for name in names)


def show(value: JSON) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 60 else f"{text[:57]}…"


def listed(values: Sequence[JSON]) -> str:
    shown = ", ".join(show(value) for value in values[:12])
    return shown if len(values) <= 12 else f"{shown} and {len(values) - 12} more"


def did_you_mean(value: JSON, known: Sequence[JSON]) -> str:
    words = [word for word in known if isinstance(word, str)]
    close = difflib.get_close_matches(value, words, n=1) if isinstance(value, str) else []
    return f" (did you mean {show(close[0])}?)" if close else ""


def known_ones(name: str, known: Sequence[str]) -> str:
    return did_you_mean(name, known) or (f"; known are {listed(known)}" if known else "")


def type_of(value: JSON) -> str:
    """The kind of a JSON value in words: "text", "a list"."""
    match value:
        case None:
            return "null"
        case bool():
            return "true or false"
        case str():
            return "text"
        case int() | float():
            return "a number"
        case Mapping():
            return "an object"
        case _:
            return "a list"
