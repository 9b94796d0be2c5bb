"""Compile and evaluate CEL. The only module that drives the runtime (`cel-expr-python`, Google's C++ one).

An expression is parsed by the runtime, checked by us (names, functions, growth), rewritten (`rewrite.py`) and planned
once; programs are cached by their source. The runtime returns errors as values whose truth is always true: only
`type()` tells.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import cache, lru_cache
from typing import Any

from cel_expr_python import cel
from cel_expr_python.ext import ext_optional

from orchestration.expressions import explaining, names, paths, rewrite, serialised, syntax
from orchestration.expressions.errors import ExpressionError
from orchestration.expressions.functions.declarations import declarations
from orchestration.expressions.meter import check_parts, metered
from orchestration.expressions.names import Reference, suggestion
from orchestration.expressions.values import error_text, sanitised, to_json

JSON = Any
MAX_BYTES = 2000


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
    counted: Reference | None
    """Set when it is `size(path)`, which of a list or an object is known without the runtime's copy of it."""
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
            return paths.read(scope, self.path, self.source)
        if self.counted is not None and (members := paths.members(scope, self.counted)) is not None:
            return members
        data = paths.needed(scope, self.references)
        with metered() as meter:
            try:
                check_parts(data)
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
            if not explaining.UNFIT.search(error_text(value) or ""):
                return value
        return self._planned.eval(data=sanitised(data))

    def _failure(self, text: str, scope: Mapping[str, JSON]) -> ExpressionError:
        message, code, position = explaining.explain(text, self.references, scope)
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
        compiled = bytes(environment.compile(_unreserved(source), disable_check=True).serialize())
    except (RuntimeError, UnicodeEncodeError, ValueError) as error:
        raise explaining.syntax_error(str(error), source) from None
    parsed = serialised.parse(compiled)
    _reserve_again(parsed.expr)
    names.check_functions(parsed, source)
    rewrite.check_growth(parsed.expr, source)
    found, path, counted = names.references(parsed), names.plain_path(parsed), names.counted_path(parsed)
    try:
        planned = environment.deserialize(serialised.encode(parsed, rewrite.rewrite(parsed.expr)))
    except RuntimeError as error:
        raise explaining.syntax_error(str(error), source) from None
    return Program(source, found, path, counted, planned)


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
