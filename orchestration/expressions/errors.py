"""The one error of this package."""

from __future__ import annotations


class ExpressionError(Exception):
    """An expression or template that cannot be read, or whose evaluation failed. The message is fit for the user.

    `code` is one of `CODES`; `position` is the offset in `source` in characters, where known; `line` and `column`
    count from 1.
    """

    CODES = (
        "expression_syntax",  # cannot be parsed
        "template_syntax",  # `{{` without `}}`, or nothing between them
        "unknown_name",  # no such name at the root (`analyze` for `analyse`)
        "unknown_function",  # no such function, or a wrong number of arguments
        "missing_key",  # the path ends at a key or an index that is not there
        "type_mismatch",  # `1 + "a"`, `!5`, a function given the wrong kind of value
        "arithmetic",  # division by zero, overflow
        "limit",  # too long, too deep, too many iterations, too much time or memory
        "not_json",  # the result cannot be written as JSON (infinity, a function)
        "invalid_value",  # a bad date, a bad pattern, text that is not JSON
    )

    def __init__(self, message: str, *, code: str, source: str = "", position: int | None = None) -> None:
        super().__init__(message)
        self.message, self.code, self.source, self.position = message, code, source, position

    @property
    def line(self) -> int | None:
        return None if self.position is None else self.source.count("\n", 0, self.position) + 1

    @property
    def column(self) -> int | None:
        if self.position is None:
            return None
        return self.position - (self.source.rfind("\n", 0, self.position) + 1) + 1

    def at(self, source: str, position: int | None) -> ExpressionError:
        """The same error, placed in a source (that of the whole template, say)."""
        return ExpressionError(self.message, code=self.code, source=source, position=position)
