"""The functions authors have besides CEL's own, and the bounded operators that replace CEL's.

A function is one entry of `LIBRARY`: name, how it is called, which kinds of arguments it takes, what it does. Kinds
are letters: s text, i integer, u unsigned, d double, b boolean, n null, l list, m map, t time, r duration, y bytes;
`#` any number, `*` anything. What it gives is told after `>` where the runtime must know (times and durations). Every
function that makes data charges the meter; none reads anything but its arguments.
"""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import product
from typing import Any
from urllib.parse import quote

from cel_expr_python import cel

from orchestration.expressions import by_field, dates
from orchestration.expressions.errors import ExpressionError
from orchestration.expressions.meter import meter, units_of
from orchestration.expressions.patterns import found_by
from orchestration.expressions.values import as_json, as_text

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
_GROUPS = {"#": "iud", "*": "siudbnlmtry"}
_INT64 = range(-(1 << 63), 1 << 63)


@dataclass(frozen=True, slots=True)
class Function:
    name: str
    signatures: tuple[str, ...]
    implementation: Callable[..., Any]
    example: str
    """`expression = result`, both shown in the reference and run by the tests."""
    summary: str
    member: bool = False


def _function(name: str, signatures: str, run: Callable[..., Any], example: str, summary: str) -> Function:
    return Function(name, tuple(signatures.split()), run, example, summary)


def _method(name: str, signatures: str, run: Callable[..., Any], example: str, summary: str) -> Function:
    return Function(name, tuple(signatures.split()), run, example, summary, member=True)


def _made(value: Any) -> Any:
    """Charge for a value a function made."""
    meter().charge(units_of(value))
    return value


def _index(text: str, start: int, end: int | None = None) -> str:
    end = len(text) if end is None else end
    if not 0 <= start <= end <= len(text):
        raise ExpressionError(f"substring({start}, {end}) lies outside of a text of {len(text)}.", code="missing_key")
    return _made(text[start:end])


def _replace(text: str, old: str, new: str) -> str:
    meter().charge(len(text) + (text.count(old) * len(new)))
    return text.replace(old, new)


def _encode_url(text: str) -> str:
    return _made(quote(text, safe=""))


def _join(items: Sequence[Any], separator: str = "") -> str:
    parts = [as_text(item) for item in items]
    meter().charge(sum(map(len, parts)) + len(separator) * len(parts))
    return separator.join(parts)


def _split(text: str, separator: str) -> list[str]:
    meter().charge(len(text) * 2)
    return text.split(separator) if separator else list(text)


def _sorted(items: list[Any]) -> list[Any]:
    try:
        return _made(sorted(items))
    except TypeError:
        raise ExpressionError("sort() takes a list of numbers or a list of texts.", code="type_mismatch") from None


def _distinct(items: list[Any]) -> list[Any]:
    seen: set[str] = set()
    kept = []
    for item in _made(items):
        key = as_json(item)
        if key not in seen:
            seen.add(key)
            kept.append(item)
    return kept


def _flat(items: list[Any]) -> list[Any]:
    return _made([part for item in items for part in (item if isinstance(item, list) else [item])])


def _end(items: Sequence[Any], index: int, name: str) -> Any:
    if not items:
        raise ExpressionError(f"{name}() of an empty list.", code="missing_key")
    return items[index]


def _slice(items: list[Any], start: int, end: int | None = None) -> list[Any]:
    return _made(items[max(start, 0) : end if end is None else max(end, 0)])


def _numbers(items: Iterable[Any], name: str) -> list[int | float]:
    found = list(items)
    if any(isinstance(item, bool) or not isinstance(item, int | float) for item in found):
        raise ExpressionError(f"{name}() takes a list of numbers.", code="type_mismatch")
    return found


def _extreme(choose: Callable[[Sequence[float]], float], name: str) -> Callable[[list[Any]], float]:
    def implementation(items: list[Any]) -> float:
        found = _numbers(items, name)
        if not found:
            raise ExpressionError(f"{name}() of an empty list.", code="missing_key")
        return choose(found)

    return implementation


def _sum(items: list[Any]) -> int | float:
    return _number(sum(_numbers(items, "sum")))


def _average(items: list[Any]) -> float:
    found = _numbers(items, "average")
    if not found:
        raise ExpressionError("average() of an empty list.", code="missing_key")
    return sum(found) / len(found)


def _round(value: float, digits: int = 0) -> int | float:
    if not math.isfinite(value):
        raise ExpressionError("round() of a number that is not finite.", code="arithmetic")
    return round(value, min(digits, 15)) if digits > 0 else _number(round(value))


def _whole(towards: Callable[[float], int]) -> Callable[[float], int]:
    def implementation(value: float) -> int:
        if not math.isfinite(value):
            raise ExpressionError("A number that is not finite has no whole number next to it.", code="arithmetic")
        return int(_number(towards(value)))

    return implementation


def _to_number(value: Any) -> int | float:
    if isinstance(value, str):
        text = value.strip().replace("_", " ")
        for read in (int, float):
            try:
                return _number(read(text))
            except ValueError:
                continue
        raise ExpressionError(f"number() cannot read {_short(value)!r}.", code="invalid_value")
    return int(value) if isinstance(value, bool) else _number(value)


def _parse_json(text: str) -> Any:
    meter().charge(len(text) * 4)
    try:
        return json.loads(text.replace("\\u0000", ""), parse_constant=_refuse_constant, parse_int=_json_int)
    except (ValueError, RecursionError) as error:
        raise ExpressionError(f"parse_json() was given text that is not JSON: {error}.", code="invalid_value") from None


def _json_int(text: str) -> int | float:
    value = int(text) if len(text) < 25 else float(text)
    return value if value in _INT64 else float(value)


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _range(count: int) -> list[int]:
    if not 0 <= count <= 10_000:
        raise ExpressionError("range() takes a number from 0 to 10,000.", code="limit")
    meter().charge(count)
    return list(range(count))


def _merge(first: dict[Any, Any], second: dict[Any, Any]) -> dict[Any, Any]:
    return _made(first | second)


def _as_json(value: Any) -> str:
    return str(_made(as_json(value)))


def _truncate(text: str, length: int) -> str:
    return text if len(text) <= length else text[: max(length - 1, 0)].rstrip() + "…"


def _title(text: str) -> str:
    return _made(text[:1].upper() + text[1:])


def _extract(text: str, pattern: str) -> list[Any]:
    meter().charge(len(text))
    return _made(found_by(pattern, text, most=10_000))


def _format_number(value: float, digits: int = 0) -> str:
    if not math.isfinite(value):
        raise ExpressionError("format_number() of a number that is not finite.", code="arithmetic")
    return f"{value:,.{min(max(digits, 0), 15)}f}"


def _median(items: list[Any]) -> float:
    found = _numbers(items, "median")
    if not found:
        raise ExpressionError("median() of an empty list.", code="missing_key")
    return statistics.median(found)


def _pad(text: str, length: int, fill: str = " ") -> str:
    if len(fill) != 1 or length > 10_000:
        raise ExpressionError("pad() fills with one character, up to a length of 10,000.", code="invalid_value")
    return _made(text.rjust(length, fill))


LIBRARY: tuple[Function, ...] = (
    _method("lower", "s", lambda s: _made(s.lower()), "'ÄB'.lower() = \"äb\"", "Small letters."),
    _method("upper", "s", lambda s: _made(s.upper()), "'äb'.upper() = \"ÄB\"", "Capital letters."),
    _method("capitalise", "s", _title, "'good day'.capitalise() = \"Good day\"", "First letter a capital."),
    _method("trim", "s", lambda s: _made(s.strip()), "' a '.trim() = \"a\"", "Without white space at both ends."),
    _method("split", "ss", _split, "'a,b'.split(',') = [\"a\", \"b\"]", "Parts between a separator."),
    _method("lines", "s", lambda s: _made(s.splitlines()), "'a\\nb'.lines() = [\"a\", \"b\"]", "Lines of a text."),
    _method("words", "s", lambda s: _made(s.split()), "'a  b'.words() = [\"a\", \"b\"]", "Words of a text."),
    _method("replace", "sss", _replace, "'a-b'.replace('-', '+') = \"a+b\"", "Every occurrence replaced."),
    _method("substring", "si sii", _index, "'abcd'.substring(1, 3) = \"bc\"", "From a place up to another."),
    _method("indexOf", "ss", lambda s, part: s.find(part), "'abc'.indexOf('c') = 2", "Where a part begins, or -1."),
    _method("truncate", "si", _truncate, "'abcdef'.truncate(4) = \"abc…\"", "At most so many characters."),
    _method("extract", "ss", _extract, "'a1 b22'.extract('[0-9]+') = [\"1\", \"22\"]", "What a pattern fits; its one group, or its named ones."),
    _method("pad", "si sis", _pad, "'7'.pad(3, '0') = \"007\"", "Filled up at the left."),
    _method("encode_url", "s", _encode_url, "'a b&c'.encode_url() = \"a%20b%26c\"", "As a part of an address."),
    _method("join", "l ls", _join, "['a', 1].join('-') = \"a-1\"", "All elements as one text."),
    _method("sort", "l", _sorted, "[3, 1, 2].sort() = [1, 2, 3]", "In order; numbers or texts."),
    _method("sort_by", "ls", by_field.sort_by, "[{'n': 2}, {'n': 1}].sort_by('n') = [{\"n\": 1}, {\"n\": 2}]", "Objects in the order of a field."),
    _method("group_by", "ls", by_field.group_by, "[{'n': 2}].group_by('n') = [{\"key\": 2, \"items\": [{\"n\": 2}]}]", "Objects by a field."),
    _method("index_by", "ls", by_field.index_by, "[{'n': 2}].index_by('n') = {\"2\": {\"n\": 2}}", "Objects by a field that no two share."),
    _method("reverse", "l", lambda x: _made(x[::-1]), "[1, 2].reverse() = [2, 1]", "In the opposite order."),
    _method("distinct", "l", _distinct, "[1, 2, 1].distinct() = [1, 2]", "Each value once."),
    _method("flatten", "l", _flat, "[[1], [2, 3]].flatten() = [1, 2, 3]", "One level of lists dissolved."),
    _method("slice", "li lii", _slice, "[1, 2, 3].slice(0, 2) = [1, 2]", "From a place up to another."),
    _method("first", "l", lambda x: _end(x, 0, "first"), "[1, 2].first() = 1", "The first element."),
    _method("last", "l", lambda x: _end(x, -1, "last"), "[1, 2].last() = 2", "The last element."),
    _method("sum", "l", _sum, "[1, 2.5].sum() = 3.5", "Total of a list of numbers."),
    _method("average", "l", _average, "[1, 2].average() = 1.5", "Mean of a list of numbers."),
    _method("median", "l", _median, "[1, 2, 9].median() = 2", "The number in the middle."),
    _method("min", "l", _extreme(min, "min"), "[2, 1].min() = 1", "The smallest number."),
    _method("max", "l", _extreme(max, "max"), "[2, 1].max() = 2", "The largest number."),
    _method("keys", "m", lambda m: _made(list(m)), "{'a': 1}.keys() = [\"a\"]", "Keys of a map."),
    _method("values", "m", lambda m: _made(list(m.values())), "{'a': 1}.values() = [1]", "Values of a map."),
    _method("merge", "mm", _merge, "{'a': 1}.merge({'b': 2}) = {\"a\": 1, \"b\": 2}", "Both; the second wins."),
    _function("abs", "#", lambda x: _number(abs(x)), "abs(-2) = 2", "Without its sign."),
    _function("round", "# #i", _round, "round(2.345, 2) = 2.35", "To a whole number, or so many digits."),
    _function("floor", "#", _whole(math.floor), "floor(2.7) = 2", "The whole number below."),
    _function("ceil", "#", _whole(math.ceil), "ceil(2.1) = 3", "The whole number above."),
    _function("format_number", "# #i", _format_number, "format_number(1234.5, 2) = \"1,234.50\"", "For people to read."),
    _function("parse_date", "s>t ss>t sss>t", dates.parse_date, "parse_date('2026-03-01 09:00', 'Europe/Berlin') = \"2026-03-01T08:00:00Z\"", "A moment; also by a format and a zone."),
    _method("format_date", "ts tss", dates.format_date, "timestamp('2026-03-01T08:00:00Z').format_date('%d.%m.%Y %H:%M', 'Europe/Berlin') = \"01.03.2026 09:00\"", "A moment as text."),
    _method("add_days", "ti>t tis>t", dates.add_days, "timestamp('2026-03-28T08:00:00Z').add_days(1, 'Europe/Berlin') = \"2026-03-29T07:00:00Z\"", "The same time some days later."),
    _method("add_months", "ti>t tis>t", dates.add_months, "timestamp('2026-01-31T08:00:00Z').add_months(1) = \"2026-02-28T08:00:00Z\"", "The same day some months later."),
    _method("start_of_day", "t>t ts>t", dates.start_of_day, "timestamp('2026-03-01T08:30:00Z').start_of_day() = \"2026-03-01T00:00:00Z\"", "Midnight before it."),
    _method("weekday", "t ts", dates.weekday, "timestamp('2026-03-01T08:00:00Z').weekday() = 7", "1 is Monday, 7 Sunday."),
    _function("days_between", "tt tts", dates.days_between, "days_between(timestamp('2026-03-01T23:00:00Z'), timestamp('2026-03-02T01:00:00Z')) = 1", "Midnights between two moments."),
    _function("number", "s # b", _to_number, "number('2.5') = 2.5", "A number read from text."),
    _function("text", "*", lambda x: _made(as_text(x)), "text([1, true]) = \"[1, true]\"", "Any value as text."),
    _function("json", "*", _as_json, "json({'a': 'b'}) = \"{\\\"a\\\": \\\"b\\\"}\"", "Any value as JSON text."),
    _function("parse_json", "s", _parse_json, "parse_json('[1]') = [1]", "The value of a JSON text."),
    _function("range", "i", _range, "range(3) = [0, 1, 2]", "Whole numbers from 0."),
)  # fmt: skip


# Operators: CEL's own do not mix 1 and 1.0, which come mixed out of JSON, and make texts and lists without a bound.


def _number(value: int | float) -> int | float:
    if isinstance(value, int) and value not in _INT64:
        raise ExpressionError("The number is too large.", code="arithmetic")
    return value


def _add(a: Any, b: Any) -> Any:
    if isinstance(a, str | list | bytes | bytearray):
        meter().charge(units_of(a) + units_of(b))
        return a + b
    return _number(a + b) if isinstance(a, int | float) else a + b


def _subtract(a: Any, b: Any) -> Any:
    return _number(a - b) if isinstance(a, int) else a - b


def _begin(key: int) -> bool:
    meter().lists[key] = []
    return True


def _append(going: bool, key: int, item: Any) -> bool:
    # the runtime takes no times back within a list
    meter().lists[key].append(as_text(item) if isinstance(item, datetime | timedelta) else _made(item))
    return True


def _divide(a: int | float, b: int | float) -> int | float:
    if b == 0:
        raise ExpressionError("Division by zero.", code="arithmetic")
    if isinstance(a, int) and isinstance(b, int):
        quotient = abs(a) // abs(b)  # CEL rounds towards zero
        return _number(quotient if (a < 0) == (b < 0) else -quotient)
    return a / b


def _pairs(kinds: str) -> tuple[str, ...]:
    """Integers with doubles, both ways, and each with its own kind."""
    return tuple(a + b for a, b in product(kinds, repeat=2))


_OPERATORS: tuple[tuple[str, tuple[str, ...], Callable[..., Any]], ...] = (
    ("@add", (*_pairs("iud"), "ss", "ll", "yy", "tr>t", "rt>t", "rr>r"), _add),
    ("@subtract", (*_pairs("iud"), "tt>r", "tr>t", "rr>r"), _subtract),
    ("@multiply", _pairs("iud"), lambda a, b: _number(a * b)),
    ("@divide", _pairs("iud"), _divide),
    ("@begin", ("i",), _begin),
    ("@append", tuple("bi" + kind for kind in _GROUPS["*"]), _append),
    ("@collected", ("bi",), lambda going, key: meter().lists[key]),
    ("@in_time", ("",), lambda: meter().in_time()),
)  # fmt: skip

OWN = "@"
"""Prefix of our names inside the runtime, which no author can write: they clash with nothing the runtime brings
along.
"""
REPLACED = {"_+_": "@add", "_-_": "@subtract", "_*_": "@multiply", "_/_": "@divide"} | {
    function.name: OWN + function.name for function in LIBRARY
}

STANDARD: frozenset[str] = frozenset(
    [
        "size",
        "startsWith",
        "endsWith",
        "contains",
        "matches",
        "int",
        "uint",
        "double",
        "bool",
        "string",
        "bytes",
        "timestamp",
        "duration",
        "dyn",
        "type",
        "has",
        "getFullYear",
        "getMonth",
        "getDate",
        "getDayOfMonth",
        "getDayOfWeek",
        "getDayOfYear",
        "getHours",
        "getMinutes",
        "getSeconds",
        "getMilliseconds",
        "hasValue",
        "value",
        "or",
        "orValue",
        "none",
        "of",
        "ofNonZeroValue",
    ]
)
MACROS: frozenset[str] = frozenset({"all", "exists", "exists_one", "map", "filter"})
NAMES: frozenset[str] = STANDARD | MACROS | {function.name for function in LIBRARY}


def declarations() -> list[cel.FunctionDecl]:
    found = [_declare(OWN + f.name, f.signatures, f.implementation, member=f.member) for f in LIBRARY]
    return found + [_declare(*operator, member=False) for operator in _OPERATORS]


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


def _short(text: str) -> str:
    return text if len(text) <= 40 else text[:39] + "…"


__all__ = ["LIBRARY", "MACROS", "NAMES", "REPLACED", "STANDARD", "Function", "declarations"]
