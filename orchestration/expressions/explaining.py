"""What the runtime says of a failure, in words for the author of the expression."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from orchestration.expressions.errors import ExpressionError
from orchestration.expressions.names import Reference
from orchestration.expressions.paths import read

JSON = Any
MAX_DEPTH = 32
"""Levels of nesting the runtime accepts."""
UNFIT = re.compile(r"out of range for '|Non-CEL value type")
"""How it says that data which JSON allows is too much for it."""
_PLACE = re.compile(r"ERROR: <input>:(-?\d+):(-?\d+): (.*)")
_OVERLOAD = re.compile(r"No matching overloads? found ?: ?(?:\(([^)]*)\)\.)?(\S+?)(?:\((.*)\))?(?: \[|$)")
_KEY = re.compile(r"Key not found in map : (.+)")
_INDEX = re.compile(r"Index error: index=(-?\d+) size=(\d+)")
_OPERATOR_WORDS = {
    "@add": "+", "@subtract": "-", "@multiply": "*", "@divide": "/", "_%_": "%", "_<_": "<", "_<=_": "<=", "_>_": ">",
    "_>=_": ">=", "_&&_": "&&", "_||_": "||", "!_": "!", "-_": "-", "@in": "in", "_[_]": "[ ]",
}  # fmt: skip
_TYPE_WORDS = {
    "int64": "a number", "uint64": "a number", "double": "a number", "string": "a text", "bool": "true or false",
    "null_type": "null", "list": "a list", "map": "an object", "bytes": "bytes", "google.protobuf.Timestamp": "a time",
    "google.protobuf.Duration": "a duration", "timestamp": "a time", "duration": "a duration",
}  # fmt: skip


def syntax_error(text: str, source: str) -> ExpressionError:
    if "recursion" in text:
        return ExpressionError(
            f"The expression is nested deeper than {MAX_DEPTH} levels; a long sum counts a level for each term.",
            code="limit",
            source=source,
        )
    match = _PLACE.search(text)
    if match is None:
        return ExpressionError("The expression cannot be read.", code="expression_syntax", source=source)
    line, column, message = int(match[1]), int(match[2]), match[3]
    position = _offset(source, line, column) if line > 0 else None
    return ExpressionError(_syntax_words(message), code="expression_syntax", source=source, position=position)


def _syntax_words(message: str) -> str:
    message = message.removeprefix("Syntax error: ").removesuffix(" [INVALID_ARGUMENT]")
    if "'<EOF>'" in message:
        return "The expression ends too early."
    message = re.sub(r" expecting .*", "", message)
    found = re.search(
        r"(?:at input|extraneous input|mismatched input|missing .* at|recognition error at:) ?'(.*?)'?$", message
    )
    if found:
        return f"The expression cannot be read at {found[1][:40]!r}."
    return f"The expression cannot be read: {message}."


def _offset(source: str, line: int, column: int) -> int:
    lines = source.split("\n")
    return min(sum(len(text) + 1 for text in lines[: line - 1]) + column - 1, len(source))


def explain(text: str, references: Sequence[Reference], scope: Mapping[str, JSON]) -> tuple[str, str, int | None]:
    """(message, code, position) for the runtime's words."""
    if match := _KEY.search(text):
        key = match[1].strip('"')
        for reference in references:
            error = _first_missing(reference, scope)
            if error is not None and not reference.optional:
                return error.message, error.code, error.position
        return (
            f"There is no {key} in one of the objects this goes through. Use has() or .? where it may be missing.",
            "missing_key",
            None,
        )
    if match := _INDEX.search(text):
        return f"There is no element {match[1]}: the list has {match[2]} (counted from 0).", "missing_key", None
    if match := _OVERLOAD.search(text):
        types = ", ".join(filter(None, (match[1], match[3])))
        return _mismatch(match[2], types), "type_mismatch", None
    if "Iteration budget" in text:
        return "The expression goes through more than 10,000 iterations.", "limit", None
    if "bad_alloc" in text or "recursion" in text:
        return "The expression needs too much memory.", "limit", None
    if "divide by zero" in text or "modulus by zero" in text:
        return "Division by zero.", "arithmetic", None
    if "overflow" in text or "OUT_OF_RANGE" in text:
        return "A number or a time is too large.", "arithmetic", None
    words = re.sub(r"^[A-Z_]+: ?", "", text)
    words = re.sub(r" \[[A-Z_]+\]$", "", words)
    return f"{words[:1].upper()}{words[1:]}.", "invalid_value", None


def _first_missing(reference: Reference, scope: Mapping[str, JSON]) -> ExpressionError | None:
    try:
        read(scope, reference, "")
    except ExpressionError as error:
        return error
    return None


def _mismatch(function: str, types: str | None) -> str:
    words = [_TYPE_WORDS.get(kind.strip(), kind.strip()) for kind in types.split(",")] if types else []
    if function == "<jump_condition>":
        return "What stands before ? is not true or false. Compare it with something."
    if function == "<loop_condition>":
        return "The condition of a loop is not true or false."
    if function in _OPERATOR_WORDS:
        sign = _OPERATOR_WORDS[function]
        what = " and ".join(words) if words else "these values"
        hint = " Use text(…) to make texts of them." if function == "@add" and "a text" in words else ""
        return f"{sign} does not go with {what}.{hint}"
    return f"{function.removeprefix('@')}() does not take {', '.join(words) if words else 'these values'}."
