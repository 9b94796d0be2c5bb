"""What an expression refers to: names at the root, the paths below them, the functions it calls."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from orchestration.expressions.errors import ExpressionError
from orchestration.expressions.functions import library
from orchestration.expressions.syntax import Call, Comprehension, Const, Expr, Ident, MapExpr, Parsed, Select, children

TYPE_NAMES = frozenset({"int", "uint", "double", "bool", "string", "bytes", "list", "map", "null_type", "type"})
_NAMESPACES = frozenset({"optional"})
_OPERATORS = frozenset(
    [
        "_?_:_",
        "_&&_",
        "_||_",
        "!_",
        "-_",
        "_+_",
        "_-_",
        "_*_",
        "_/_",
        "_%_",
        "_==_",
        "_!=_",
        "_<_",
        "_<=_",
        "_>_",
        "_>=_",
        "_[_]",
        "@in",
        "@not_strictly_false",
        "_?._",
        "_[?_]",
    ]
)
KEYWORDS: frozenset[str] = frozenset(
    [
        "true",
        "false",
        "null",
        "in",
        "as",
        "break",
        "const",
        "continue",
        "else",
        "for",
        "function",
        "if",
        "import",
        "let",
        "loop",
        "package",
        "namespace",
        "return",
        "var",
        "void",
        "while",
    ]
)
"""Words CEL reserves (cel-spec, doc/langdef.md, "RESERVED"); a node of this name could not be referred to."""


@dataclass(frozen=True, slots=True)
class Reference:
    """A path an expression reads: `analyse.outputs.report` is ("analyse", ("outputs", "report"))."""

    root: str
    path: tuple[str | int, ...]
    position: int | None
    optional: bool = False
    """Within `has()` or `.?`: a missing end is no mistake."""

    def __str__(self) -> str:
        return path_text(self.root, self.path)


def path_text(root: str, path: Collection[str | int]) -> str:
    parts = [f"[{step}]" if isinstance(step, int) else f".{step}" for step in path]
    return root + "".join(parts)


def references(parsed: Parsed) -> tuple[Reference, ...]:
    """In the order of the text; the same path once."""
    found = dict.fromkeys(_references(parsed.expr, frozenset(), parsed))
    return tuple(sorted(found, key=lambda reference: reference.position or 0))


def _references(node: Expr, bound: frozenset[str], parsed: Parsed) -> Iterator[Reference]:
    chain = _chain(node)
    if chain is not None:
        root, path, optional = chain
        if root.name not in bound and root.name not in TYPE_NAMES | _NAMESPACES:
            yield Reference(root.name, path, parsed.positions.get(root.id), optional)
        return
    if isinstance(node, Comprehension):
        yield from _references(node.range, bound, parsed)
        inner = bound | {node.variable, node.variable2, node.accumulator}
        for part in (node.initial, node.condition, node.step, node.result):
            yield from _references(part, inner, parsed)
        return
    for child in children(node):
        yield from _references(child, bound, parsed)


def _chain(node: Expr) -> tuple[Ident, tuple[str | int, ...], bool] | None:
    """`a.b[0].c` as its root and steps; None for anything else."""
    steps: list[str | int] = []
    optional = False
    while True:
        match node:
            case Ident():
                return node, tuple(reversed(steps)), optional
            case Select(operand=operand, field=name, test=test):
                steps.append(name)
                optional |= test
                node = operand
            case Call(
                function="_[_]" | "_?._" | "_[?_]" as function, args=[operand, Const(value=str() | int() as step)]
            ):
                steps.append(step if isinstance(step, str) else int(step))
                optional |= function != "_[_]"
                node = operand
            case _:
                return None


def plain_path(parsed: Parsed) -> Reference | None:
    """The reference, if the expression is one and nothing else."""
    return _path(parsed.expr, parsed)


def counted_path(parsed: Parsed) -> Reference | None:
    """The reference of `size(path)` or `path.size()`, if the expression is that and nothing else."""
    match parsed.expr:
        case Call(function="size", target=None, args=[counted]) | Call(function="size", target=counted, args=[]):
            return _path(counted, parsed)
    return None


def _path(node: Expr | None, parsed: Parsed) -> Reference | None:
    chain = None if node is None else _chain(node)
    if chain is None or chain[2] or chain[0].name in TYPE_NAMES:
        return None
    return Reference(chain[0].name, chain[1], parsed.positions.get(chain[0].id))


def check_functions(parsed: Parsed, source: str) -> None:
    """Raises ExpressionError (`unknown_function`, `limit`) at the first call of something that is not there."""
    stack = [parsed.expr]
    while stack:
        node = stack.pop()
        if isinstance(node, Call) and node.function not in _OPERATORS:
            _check_call(node, parsed, source)
        if isinstance(node, MapExpr) and node.message:
            raise ExpressionError(
                f"{node.message} is not a value one can make here.",
                code="unknown_function",
                source=source,
                position=parsed.positions.get(node.id),
            )
        stack.extend(children(node))


def _check_call(node: Call, parsed: Parsed, source: str) -> None:
    name, position = node.function, parsed.positions.get(node.id)
    if name in library.MACROS:
        message = f"{name}() takes a name for each element, then an expression: list.{name}(item, …)."
    elif name == "has":
        message = "has() takes a path, such as has(inputs.customer)."
    elif name not in library.NAMES:
        message = f"There is no function {name}().{suggestion(name, library.NAMES)}"
    else:
        return
    raise ExpressionError(message, code="unknown_function", source=source, position=position)


def suggestion(name: str, known: Collection[str]) -> str:
    """` Did you mean …?` or nothing."""
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    return f" Did you mean {close[0]}?" if close else ""
