"""The functions and operators as the runtime wants them declared: one overload for each kinds of arguments."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import product
from typing import Any

from cel_expr_python import cel

from orchestration.expressions.errors import ExpressionError
from orchestration.expressions.functions.function import ANYTHING, NUMBERS
from orchestration.expressions.functions.library import LIBRARY, OWN
from orchestration.expressions.functions.operators import OPERATORS
from orchestration.expressions.meter import meter

_TYPES = {
    "s": cel.Type.STRING,
    "i": cel.Type.INT,
    "u": cel.Type.UINT,
    "d": cel.Type.DOUBLE,
    "b": cel.Type.BOOL,
    "n": cel.Type.NULL,
    "l": cel.Type.LIST,
    "m": cel.Type.MAP,
    "t": cel.Type.TIMESTAMP,
    "r": cel.Type.DURATION,
    "y": cel.Type.BYTES,
}
_GROUPS = {"#": NUMBERS, "*": ANYTHING}


def declarations() -> list[cel.FunctionDecl]:
    found = [_declare(OWN + f.name, f.signatures, f.implementation, member=f.member) for f in LIBRARY]
    return found + [_declare(*operator, member=False) for operator in OPERATORS]


def _declare(
    name: str, signatures: Iterable[str], implementation: Callable[..., Any], *, member: bool
) -> cel.FunctionDecl:
    guarded = _guard(implementation)
    kinds: dict[tuple[str, ...], cel.Type] = {}
    for signature in signatures:
        parameters, _, returned = signature.partition(">")
        for kind in product(*(_GROUPS.get(letter, letter) for letter in parameters)):
            kinds[kind] = _TYPES[returned] if returned else cel.Type.DYN
    return cel.FunctionDecl(
        name,
        [
            cel.Overload(
                f"{name}_{''.join(kind)}",
                return_type=returned_type,
                parameters=[_TYPES[letter] for letter in kind],
                is_member=member,
                impl=guarded,
            )
            for kind, returned_type in kinds.items()
        ],
    )


def _guard(implementation: Callable[..., Any]) -> Callable[..., Any]:
    """Keep the first failure with its code: the runtime turns exceptions into text."""

    def guarded(*arguments: Any) -> Any:
        try:
            return implementation(*arguments)
        except ExpressionError as error:
            failure = error
        except (OverflowError, ZeroDivisionError) as error:
            failure = ExpressionError(f"The calculation fails: {error}.", code="arithmetic")
        except RecursionError:
            failure = ExpressionError("The value is nested too deeply.", code="limit")
        found = meter()
        found.error = found.error or failure
        raise failure

    return guarded
