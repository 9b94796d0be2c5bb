"""All functions an author has: ours, the runtime's own that are let through, and the macros."""

from __future__ import annotations

from orchestration.expressions.functions import conversions, dates, lists, numbers, texts
from orchestration.expressions.functions.function import Function

LIBRARY: tuple[Function, ...] = (
    *texts.FUNCTIONS,
    *lists.FUNCTIONS,
    *numbers.FUNCTIONS,
    *dates.FUNCTIONS,
    *conversions.FUNCTIONS,
)

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
