"""`{{ expression }}` in texts. A text that is exactly one expression keeps the value's type; anything else becomes
text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from orchestration.expressions.errors import ExpressionError
from orchestration.expressions.names import Reference
from orchestration.expressions.program import Program, compile
from orchestration.expressions.values import as_text

JSON = Any
OPEN, CLOSE = "{{", "}}"
_STRING = re.compile(
    r"""(?P<raw>[rR][bB]?|[bB][rR])?(?P<quote>'''|\"\"\"|'|")""",
)


@dataclass(frozen=True, slots=True)
class Hole:
    """One `{{ expression }}`: where its expression begins in the template, and its source without the outer white
    space.
    """

    source: str
    position: int


@dataclass(frozen=True, slots=True)
class Template:
    source: str
    parts: tuple[str | Hole, ...]

    @property
    def holes(self) -> Iterator[Hole]:
        return (part for part in self.parts if isinstance(part, Hole))

    def program(self, hole: Hole) -> Program:
        """Raises ExpressionError placed in the template."""
        try:
            return compile(hole.source)
        except ExpressionError as error:
            raise _placed(error, self, hole) from None

    def evaluate(self, scope: Mapping[str, JSON]) -> JSON:
        if len(self.parts) == 1 and isinstance(self.parts[0], Hole):
            return self._value(self.parts[0], scope)
        return "".join(part if isinstance(part, str) else as_text(self._value(part, scope)) for part in self.parts)

    def _value(self, hole: Hole, scope: Mapping[str, JSON]) -> JSON:
        try:
            return compile(hole.source).evaluate(scope)
        except ExpressionError as error:
            raise _placed(error, self, hole) from None


def _placed(error: ExpressionError, template: Template, hole: Hole) -> ExpressionError:
    return error.at(template.source, hole.position + (error.position or 0))


def is_template(value: JSON) -> bool:
    return isinstance(value, str) and OPEN in value


@lru_cache(maxsize=4096)
def template(source: str) -> Template:
    """The parts of a text. Raises ExpressionError (`template_syntax`); the expressions are not compiled yet."""
    parts: list[str | Hole] = []
    position = 0
    while (start := source.find(OPEN, position)) >= 0:
        if start > position:
            parts.append(source[position:start])
        inner = start + len(OPEN)
        end = _end(source, inner, start)
        text = source[inner:end]
        if not text.strip():
            raise ExpressionError(
                "Nothing stands between {{ and }}.", code="template_syntax", source=source, position=start
            )
        parts.append(Hole(text.strip(), inner + len(text) - len(text.lstrip())))
        position = end + len(CLOSE)
    if position < len(source) or not parts:
        parts.append(source[position:])
    return Template(source, tuple(parts))


def _end(source: str, position: int, start: int) -> int:
    """Where the closing braces stand, past strings and maps of the expression."""
    depth = 0
    while position < len(source):
        if quoted := _STRING.match(source, position):
            position = _past_string(source, quoted, start)
            continue
        character = source[position]
        if character == "{":
            depth += 1
        elif character == "}":
            if depth == 0 and source.startswith(CLOSE, position):
                return position
            depth -= 1
        position += 1
    raise ExpressionError("{{ has no }} that closes it.", code="template_syntax", source=source, position=start)


def _past_string(source: str, quoted: re.Match[str], start: int) -> int:
    quote, raw = quoted["quote"], bool(quoted["raw"]) and "r" in quoted["raw"].lower()
    position = quoted.end()
    while position < len(source):
        if source[position] == "\\" and not raw:
            position += 2
        elif source.startswith(quote, position):
            return position + len(quote)
        else:
            position += 1
    raise ExpressionError("A text within {{ }} has no end.", code="template_syntax", source=source, position=start)


def resolve(value: JSON, scope: Mapping[str, JSON]) -> JSON:
    """The value with every template in its strings replaced; keys are left as they are. What is put in is not read
    again.

    Raises ExpressionError.
    """
    match value:
        case str():
            return template(value).evaluate(scope) if OPEN in value else value
        case Mapping():
            return {key: resolve(item, scope) for key, item in value.items()}
        case list() | tuple():
            return [resolve(item, scope) for item in value]
    return value


def bare(source: str) -> str:
    """The expression of a field that holds bare CEL; an enclosing `{{ }}` is allowed. Raises ExpressionError."""
    if OPEN not in source:
        return source
    try:
        parts = template(source.strip()).parts
    except ExpressionError:
        return source  # braces of a map within a map
    return parts[0].source if len(parts) == 1 and isinstance(parts[0], Hole) else source


def evaluate_late(source: str, scope: Mapping[str, JSON]) -> JSON:
    """The value of a `Late` setting: a template if it has `{{`, else a bare expression. Raises ExpressionError."""
    if OPEN in source:
        return template(source).evaluate(scope)
    return compile(source).evaluate(scope)


def references_in(value: JSON, *, bare_expression: bool = False) -> Iterator[Reference]:
    """The paths read by the templates in a value (by `bare_expression`: by a text that is an expression itself)."""
    match value:
        case str() if bare_expression or OPEN in value:
            try:
                sources = [bare(value)] if bare_expression else [hole.source for hole in template(value).holes]
                for source in sources:
                    yield from compile(source).references
            except ExpressionError:
                return  # told where it is evaluated
        case Mapping():
            for item in value.values():
                yield from references_in(item)
        case list() | tuple():
            for item in value:
                yield from references_in(item)


def references_of_late(source: str) -> Iterator[Reference]:
    """The paths read by `evaluate_late(source, ...)`."""
    return references_in(source, bare_expression=OPEN not in source)
