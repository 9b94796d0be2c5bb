"""The syntax tree of a CEL expression, as the runtime parses it (`serialised.py` reads and writes it).

With the tree in hand, names are checked with positions and suggestions, the paths an expression reads are known before
anything runs, and operators can be replaced by bounded ones (`rewrite.py`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field


@dataclass(slots=True)
class Node:
    id: int


@dataclass(slots=True)
class Const(Node):
    value: object
    """None, bool, int, float, str or bytes; an unsigned integer is `Unsigned`."""


class Unsigned(int):
    pass


@dataclass(slots=True)
class Ident(Node):
    name: str


@dataclass(slots=True)
class Select(Node):
    operand: Expr
    field: str
    test: bool = False
    """`has(operand.field)`"""


@dataclass(slots=True)
class Call(Node):
    function: str
    args: list[Expr]
    target: Expr | None = None


@dataclass(slots=True)
class ListExpr(Node):
    elements: list[Expr]
    optional: list[int] = field(default_factory=list)


@dataclass(slots=True)
class Entry:
    id: int
    value: Expr
    key: Expr | None = None
    name: str = ""
    optional: bool = False


@dataclass(slots=True)
class MapExpr(Node):
    entries: list[Entry]
    message: str = ""


@dataclass(slots=True)
class Comprehension(Node):
    variable: str
    variable2: str
    range: Expr
    accumulator: str
    initial: Expr
    condition: Expr
    step: Expr
    result: Expr


Expr = Const | Ident | Select | Call | ListExpr | MapExpr | Comprehension


@dataclass(frozen=True, slots=True)
class Parsed:
    expr: Expr
    positions: dict[int, int]
    """Offset in the source, in characters, by node id."""
    type_url: bytes
    source_info: bytes


def children(node: Expr) -> Iterator[Expr]:
    match node:
        case Select():
            yield node.operand
        case Call():
            if node.target is not None:
                yield node.target
            yield from node.args
        case ListExpr():
            yield from node.elements
        case MapExpr():
            for entry in node.entries:
                if entry.key is not None:
                    yield entry.key
                yield entry.value
        case Comprehension():
            yield from (node.range, node.initial, node.condition, node.step, node.result)
