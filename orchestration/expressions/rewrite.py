"""Make a parsed expression safe and fit for JSON before it is planned: operators replaced, loops metered, growth
refused.
"""

from __future__ import annotations

from collections.abc import Mapping

from orchestration.expressions.errors import ExpressionError
from orchestration.expressions.functions.library import REPLACED
from orchestration.expressions.syntax import Call, Comprehension, Const, Expr, Ident, ListExpr, MapExpr, Select

MAX_GROWTH = 4096.0
"""How many times over a result may hold the data it is made from. Lists share their elements, so 13 steps of
`.map(x, [x, x, x, x])` cost nothing to make and would take for ever to compare or to write down."""


def rewrite(node: Expr) -> Expr:
    """Replace `+ - * /` by bounded ones that mix integers and doubles, and have every loop look at the clock.

    `map` and `filter` build their list by `result + [element]`, which copies it each time: 1.5 s for 9,000 elements,
    measured. They collect in the meter instead, which takes 20 ms. The accumulator stays in the chain as true, so
    that an error in one element is an error of the whole, as before.
    """
    match node:
        case Select():
            node.operand = rewrite(node.operand)
        case Call():
            node.function = REPLACED.get(node.function, node.function)
            node.target = node.target and rewrite(node.target)
            node.args = [rewrite(argument) for argument in node.args]
        case ListExpr():
            node.elements = [rewrite(element) for element in node.elements]
        case MapExpr():
            for entry in node.entries:
                entry.key = entry.key and rewrite(entry.key)
                entry.value = rewrite(entry.value)
        case Comprehension():
            _rewrite_loop(node)
    return node


def _rewrite_loop(node: Comprehension) -> None:
    collecting = _appended(node)
    node.range = rewrite(node.range)
    in_time = Call(node.id, "@in_time", [])
    if collecting is None:
        node.condition = Call(node.id, "_&&_", [in_time, rewrite(node.condition)])
        node.step = rewrite(node.step)
        node.result = rewrite(node.result)
        return
    holder, element = collecting
    number = Const(node.id, node.id)
    so_far = Ident(node.id, node.accumulator)
    holder.function, holder.args = "@append", [so_far, number, rewrite(element)]
    if holder is not node.step and isinstance(node.step, Call):  # a filter: `condition ? append : result`
        node.step.args[0] = rewrite(node.step.args[0])
    node.initial = Call(node.id, "@begin", [number])
    node.condition = in_time
    node.result = Call(node.id, "@collected", [so_far, number])


def _appended(node: Comprehension) -> tuple[Call, Expr] | None:
    """The call `result + [element]` of a `map` or `filter`, and its element."""
    if not (isinstance(node.initial, ListExpr) and isinstance(node.result, Ident)):
        return None
    step = node.step
    if isinstance(step, Call) and step.function == "_?_:_":
        step = step.args[1]
    match step:
        case Call(function="_+_", args=[Ident(name=name), ListExpr(elements=[element])]) if name == node.accumulator:
            return step, element
    return None


def check_growth(node: Expr, source: str) -> None:
    """Raises ExpressionError (`limit`) if a part of the expression repeats its data more than `MAX_GROWTH` times
    over.
    """
    if _growth(node, {}) > MAX_GROWTH:
        raise ExpressionError("The expression copies its data into itself too often.", code="limit", source=source)


def _growth(node: Expr, bound: Mapping[str, float]) -> float:
    """An upper bound of the result's size in multiples of the data's, before `rewrite`; infinite over the limit."""
    match node:
        case Const():
            grown = 1.0
        case Ident(name=name):
            grown = bound.get(name, 1.0)
        case Select(operand=operand):
            grown = _growth(operand, bound)
        case ListExpr(elements=elements):
            grown = sum(_growth(element, bound) for element in elements) or 1.0
        case MapExpr(entries=entries):
            grown = sum(_growth(entry.value, bound) for entry in entries) or 1.0
        case Call(function="_[_]" | "_[?_]" | "_?._", args=[operand, *_]):
            grown = _growth(operand, bound)
        case Call(function="_?_:_", args=[condition, first, second]):
            grown = max(_growth(condition, bound), _growth(first, bound), _growth(second, bound))
        case Call(target=target, args=args):
            parts = args if target is None else [target, *args]
            grown = sum(_growth(part, bound) for part in parts) or 1.0
        case Comprehension():
            over = _growth(node.range, bound)
            inner = {**bound, node.variable: over, node.variable2: over, node.accumulator: 0.0}
            grown = max(over, _growth(node.step, inner))
    return grown if grown <= MAX_GROWTH else float("inf")
