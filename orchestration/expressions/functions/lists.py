"""Lists and maps: order, parts, keys."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from orchestration.expressions.errors import ExpressionError
from orchestration.expressions.functions import by_field
from orchestration.expressions.functions.function import function, made, method
from orchestration.expressions.meter import meter
from orchestration.expressions.values import as_json, as_text


def _join(items: Sequence[Any], separator: str = "") -> str:
    parts = [as_text(item) for item in items]
    meter().charge(sum(map(len, parts)) + len(separator) * len(parts))
    return separator.join(parts)


def _sorted(items: list[Any]) -> list[Any]:
    try:
        return made(sorted(items))
    except TypeError:
        raise ExpressionError("sort() takes a list of numbers or a list of texts.", code="type_mismatch") from None


def _distinct(items: list[Any]) -> list[Any]:
    seen: set[str] = set()
    kept = []
    for item in made(items):
        key = as_json(item)
        if key not in seen:
            seen.add(key)
            kept.append(item)
    return kept


def _flat(items: list[Any]) -> list[Any]:
    return made([part for item in items for part in (item if isinstance(item, list) else [item])])


def _slice(items: list[Any], start: int, end: int | None = None) -> list[Any]:
    return made(items[max(start, 0) : end if end is None else max(end, 0)])


def _end(items: Sequence[Any], index: int, name: str) -> Any:
    if not items:
        raise ExpressionError(f"{name}() of an empty list.", code="missing_key")
    return items[index]


def _merge(first: dict[Any, Any], second: dict[Any, Any]) -> dict[Any, Any]:
    return made(first | second)


def _range(count: int) -> list[int]:
    if not 0 <= count <= 10_000:
        raise ExpressionError("range() takes a number from 0 to 10,000.", code="limit")
    meter().charge(count)
    return list(range(count))


FUNCTIONS = (
    method("join", "l ls", _join, "['a', 1].join('-') = \"a-1\"", "All elements as one text."),
    method("sort", "l", _sorted, "[3, 1, 2].sort() = [1, 2, 3]", "In order; numbers or texts."),
    method("sort_by", "ls", by_field.sort_by, "[{'n': 2}, {'n': 1}].sort_by('n') = [{\"n\": 1}, {\"n\": 2}]", "Objects in the order of a field."),
    method("group_by", "ls", by_field.group_by, "[{'n': 2}].group_by('n') = [{\"key\": 2, \"items\": [{\"n\": 2}]}]", "Objects by a field."),
    method("index_by", "ls", by_field.index_by, "[{'n': 2}].index_by('n') = {\"2\": {\"n\": 2}}", "Objects by a field that no two share."),
    method("reverse", "l", lambda x: made(x[::-1]), "[1, 2].reverse() = [2, 1]", "In the opposite order."),
    method("distinct", "l", _distinct, "[1, 2, 1].distinct() = [1, 2]", "Each value once."),
    method("flatten", "l", _flat, "[[1], [2, 3]].flatten() = [1, 2, 3]", "One level of lists dissolved."),
    method("slice", "li lii", _slice, "[1, 2, 3].slice(0, 2) = [1, 2]", "From a place up to another."),
    method("first", "l", lambda x: _end(x, 0, "first"), "[1, 2].first() = 1", "The first element."),
    method("last", "l", lambda x: _end(x, -1, "last"), "[1, 2].last() = 2", "The last element."),
    method("keys", "m", lambda m: made(list(m)), "{'a': 1}.keys() = [\"a\"]", "Keys of a map."),
    method("values", "m", lambda m: made(list(m.values())), "{'a': 1}.values() = [1]", "Values of a map."),
    method("merge", "mm", _merge, "{'a': 1}.merge({'b': 2}) = {\"a\": 1, \"b\": 2}", "Both; the second wins."),
    function("range", "i", _range, "range(3) = [0, 1, 2]", "Whole numbers from 0."),
)  # fmt: skip
