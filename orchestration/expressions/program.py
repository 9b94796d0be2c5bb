"""Compile and evaluate CEL. The only module that drives the runtime (`cel-expr-python`, Google's C++ one).

An expression is parsed by the runtime, checked by us (names, functions, growth), rewritten (`rewrite.py`) and planned
once; programs are cached by their source. The runtime returns errors as values whose truth is always true: only
`type()` tells.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, lru_cache
from typing import Any

from cel_expr_python import cel
from cel_expr_python.ext import ext_optional

from orchestration.expressions import names, rewrite, syntax
from orchestration.expressions.errors import ExpressionError
from orchestration.expressions.functions.declarations import declarations
from orchestration.expressions.meter import metered
from orchestration.expressions.names import Reference, path_text, suggestion
from orchestration.expressions.values import error_text, kind_of, sanitised, to_json

JSON = Any
MAX_BYTES = 2000
MAX_DEPTH = 32
"""Levels of nesting the runtime accepts."""


@cache
def _environment() -> cel.Env:
    environment = cel.NewEnv(extensions=[ext_optional.ExtOptional()], functions=declarations())
    environment.compile("true").eval()  # a fault in the declarations shows only now, and must not look like an author's
    return environment


@dataclass(frozen=True, slots=True)
class Program:
    """A compiled expression. Shared between threads and runs: it holds no data."""

    source: str
    references: tuple[Reference, ...]
    path: Reference | None
    """Set when the expression is a path and nothing else, which is read without the runtime."""
    _planned: Any = field(repr=False, compare=False)

    def check_names(self, known: Collection[str]) -> None:
        """Raises ExpressionError (`unknown_name`) at the first root that is not among `known`."""
        for reference in self.references:
            if reference.root not in known:
                raise ExpressionError(
                    f"There is nothing called {reference.root} here.{suggestion(reference.root, known)}",
                    code="unknown_name",
                    source=self.source,
                    position=reference.position,
                )

    def evaluate(self, scope: Mapping[str, JSON]) -> JSON:
        """The value as plain JSON. Raises ExpressionError."""
        self.check_names(scope)
        if self.path is not None:
            return _read(scope, self.path, self.source)
        data = _needed(scope, self.references)
        with metered() as meter:
            try:
                value = self._evaluated(data)
                if meter.error is not None:
                    raise meter.error
                if (failure := error_text(value)) is not None:
                    raise self._failure(failure, scope)
                return to_json(value, meter)
            except ExpressionError as error:
                raise error if error.source else error.at(self.source, error.position) from None
            except (RuntimeError, MemoryError) as error:  # how the runtime reports some failures
                known = meter.error
                raise known.at(self.source, None) if known else self._failure(str(error), scope) from None

    def _evaluated(self, data: dict[str, JSON]) -> cel.Value:
        """Data that JSON allows and the runtime does not (integers beyond 64 bits, broken characters) is made fit
        once.
        """
        try:
            value = self._planned.eval(data=data)
        except RuntimeError as error:
            if "basic_string" not in str(error):
                raise
        else:
            if not _UNFIT.search(error_text(value) or ""):
                return value
        return self._planned.eval(data=sanitised(data))

    def _failure(self, text: str, scope: Mapping[str, JSON]) -> ExpressionError:
        message, code, position = _explain(text, self.references, scope)
        return ExpressionError(message, code=code, source=self.source, position=position)


@lru_cache(maxsize=4096)
def compile(source: str) -> Program:
    """A program for a bare CEL expression. Raises ExpressionError with the position; names are checked by
    `check_names`.
    """
    if not source.strip():
        raise ExpressionError("The expression is empty.", code="expression_syntax", source=source, position=0)
    try:
        size = len(source.encode())
    except UnicodeEncodeError as error:
        message = "The expression holds half of a character pair."
        raise ExpressionError(message, code="expression_syntax", source=source, position=error.start) from None
    if size > MAX_BYTES:
        raise ExpressionError(f"An expression may have {MAX_BYTES:,} bytes at most.", code="limit", source=source)
    environment = _environment()
    try:
        serialised = bytes(environment.compile(_unreserved(source), disable_check=True).serialize())
    except (RuntimeError, UnicodeEncodeError, ValueError) as error:
        raise _syntax_error(str(error), source) from None
    parsed = syntax.parse(serialised)
    _reserve_again(parsed.expr)
    names.check_functions(parsed, source)
    rewrite.check_growth(parsed.expr, source)
    found, path = names.references(parsed), names.plain_path(parsed)
    try:
        planned = environment.deserialize(parsed.encode(rewrite.rewrite(parsed.expr)))
    except RuntimeError as error:
        raise _syntax_error(str(error), source) from None
    return Program(source, found, path, planned)


# CEL reserves the word `loop`, and our authors write loop.item: it goes past the parser under a name of equal length,
# which no node can have because ids begin with a letter.
_LOOP, _STAND_IN = "loop", "_oop"
_LOOP_WORD = re.compile(
    r"""(?P<string>'''(?:\\.|.)*?'''|\"\"\"(?:\\.|.)*?\"\"\"|'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*")|(?<![\w.])loop\b""",
    re.DOTALL,
)


def _unreserved(source: str) -> str:
    return _LOOP_WORD.sub(lambda match: match["string"] or _STAND_IN, source) if _LOOP in source else source


def _reserve_again(expr: syntax.Expr) -> None:
    stack = [expr]
    while stack:
        node = stack.pop()
        if isinstance(node, syntax.Ident) and node.name == _STAND_IN:
            node.name = _LOOP
        stack.extend(syntax.children(node))


def evaluate(source: str, scope: Mapping[str, JSON]) -> JSON:
    """The value of a bare CEL expression as plain JSON. Raises ExpressionError; an error is never a value."""
    return compile(source).evaluate(scope)


# Reading paths


def _read(scope: Mapping[str, JSON], reference: Reference, source: str) -> JSON:
    value: JSON = scope[reference.root]
    for depth, step in enumerate(reference.path):
        found = _step(value, step)
        if found is _MISSING:
            raise _missing(reference, depth, value, source)
        value = found
    return value


_MISSING = object()


def _step(value: JSON, step: str | int) -> JSON:
    if isinstance(value, Mapping):
        return value.get(step, _MISSING)
    if isinstance(value, list | tuple) and isinstance(step, int) and 0 <= step < len(value):
        return value[step]
    return _MISSING


def _missing(reference: Reference, depth: int, value: JSON, source: str) -> ExpressionError:
    so_far, step = path_text(reference.root, reference.path[:depth]), reference.path[depth]
    if isinstance(value, Mapping):
        keys = [str(key) for key in value]
        there = f"It has {', '.join(keys[:12])}{' …' if len(keys) > 12 else ''}." if keys else "It is empty."
        message = f"There is no {step} in {so_far}.{suggestion(str(step), keys)} {there}"
    elif isinstance(value, list | tuple) and isinstance(step, int):
        message = f"There is no element {step} in {so_far}: the list has {len(value)} (counted from 0)."
    else:
        message = f"There is no {step} in {so_far}, which is {kind_of(value)}."
    return ExpressionError(message, code="missing_key", source=source, position=reference.position)


def _needed(scope: Mapping[str, JSON], references: Sequence[Reference]) -> dict[str, JSON]:
    """Only what the expression reads, as the runtime copies all it is given. Missing ends are missing here too."""
    data: dict[str, JSON] = {}
    whole: set[tuple[str | int, ...]] = set()
    for reference in sorted(references, key=lambda r: len(r.path)):
        steps = (reference.root, *reference.path)
        if any(steps[:length] in whole for length in range(1, len(steps) + 1)):
            continue
        target, source, taken = data, scope, 0
        for taken, step in enumerate(steps):
            value = _step(source, step)
            if value is _MISSING:
                break
            last = taken == len(steps) - 1
            if last or not isinstance(value, Mapping) or not isinstance(steps[taken + 1], str):
                target[str(step)] = value
                whole.add(steps[: taken + 1])
                break
            target, source = target.setdefault(str(step), {}), value
    return data


# Messages


_UNFIT = re.compile(r"out of range for '|Non-CEL value type")
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


def _syntax_error(text: str, source: str) -> ExpressionError:
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


def _explain(text: str, references: Sequence[Reference], scope: Mapping[str, JSON]) -> tuple[str, str, int | None]:
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
        _read(scope, reference, "")
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
