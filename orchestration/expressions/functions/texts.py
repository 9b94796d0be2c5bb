"""Texts: letters, parts, patterns."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from orchestration.expressions.errors import ExpressionError
from orchestration.expressions.functions.function import made, method
from orchestration.expressions.meter import meter
from orchestration.expressions.patterns import found_by


def _index(text: str, start: int, end: int | None = None) -> str:
    end = len(text) if end is None else end
    if not 0 <= start <= end <= len(text):
        raise ExpressionError(f"substring({start}, {end}) lies outside of a text of {len(text)}.", code="missing_key")
    return made(text[start:end])


def _replace(text: str, old: str, new: str) -> str:
    meter().charge(len(text) + (text.count(old) * len(new)))
    return text.replace(old, new)


def _split(text: str, separator: str) -> list[str]:
    meter().charge(len(text) * 2)
    return text.split(separator) if separator else list(text)


def _truncate(text: str, length: int) -> str:
    return text if len(text) <= length else text[: max(length - 1, 0)].rstrip() + "…"


def _title(text: str) -> str:
    return made(text[:1].upper() + text[1:])


def _extract(text: str, pattern: str) -> list[Any]:
    meter().charge(len(text))
    return made(found_by(pattern, text, most=10_000))


def _pad(text: str, length: int, fill: str = " ") -> str:
    if len(fill) != 1 or length > 10_000:
        raise ExpressionError("pad() fills with one character, up to a length of 10,000.", code="invalid_value")
    return made(text.rjust(length, fill))


def _encode_url(text: str) -> str:
    return made(quote(text, safe=""))


FUNCTIONS = (
    method("lower", "s", lambda s: made(s.lower()), "'ÄB'.lower() = \"äb\"", "Small letters."),
    method("upper", "s", lambda s: made(s.upper()), "'äb'.upper() = \"ÄB\"", "Capital letters."),
    method("capitalise", "s", _title, "'good day'.capitalise() = \"Good day\"", "First letter a capital."),
    method("trim", "s", lambda s: made(s.strip()), "' a '.trim() = \"a\"", "Without white space at both ends."),
    method("split", "ss", _split, "'a,b'.split(',') = [\"a\", \"b\"]", "Parts between a separator."),
    method("lines", "s", lambda s: made(s.splitlines()), "'a\\nb'.lines() = [\"a\", \"b\"]", "Lines of a text."),
    method("words", "s", lambda s: made(s.split()), "'a  b'.words() = [\"a\", \"b\"]", "Words of a text."),
    method("replace", "sss", _replace, "'a-b'.replace('-', '+') = \"a+b\"", "Every occurrence replaced."),
    method("substring", "si sii", _index, "'abcd'.substring(1, 3) = \"bc\"", "From a place up to another."),
    method("indexOf", "ss", lambda s, part: s.find(part), "'abc'.indexOf('c') = 2", "Where a part begins, or -1."),
    method("truncate", "si", _truncate, "'abcdef'.truncate(4) = \"abc…\"", "At most so many characters."),
    method("extract", "ss", _extract, "'a1 b22'.extract('[0-9]+') = [\"1\", \"22\"]", "What a pattern fits; its one group, or its named ones."),
    method("pad", "si sis", _pad, "'7'.pad(3, '0') = \"007\"", "Filled up at the left."),
    method("encode_url", "s", _encode_url, "'a b&c'.encode_url() = \"a%20b%26c\"", "As a part of an address."),
)  # fmt: skip
