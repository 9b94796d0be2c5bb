"""Figures in text: money, percentages, dates, durations, quantities, and how to reach people, each with its sentence."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from functools import lru_cache

from agents.llm.offline.text import Sentence, sentences

_MONTHS = {
    name: number
    for number, names in enumerate(
        [
            "january jan",
            "february feb",
            "march mar",
            "april apr",
            "may",
            "june jun",
            "july jul",
            "august aug",
            "september sep sept",
            "october oct",
            "november nov",
            "december dec",
        ],
        start=1,
    )
    for name in names.split()
}
_MONTH = "|".join(sorted(_MONTHS, key=len, reverse=True))
_CURRENCIES = {
    "€": "EUR",
    "$": "USD",
    "£": "GBP",
    "¥": "JPY",
    "euro": "EUR",
    "euros": "EUR",
    "dollars": "USD",
    "pounds": "GBP",
}
_CODES = "EUR|USD|GBP|CHF|JPY|CAD|AUD|SEK|NOK|DKK|PLN|CZK|INR"
_NUMBER = r"\d{1,3}(?:[,.' \u00a0]\d{3})+(?:[.,]\d{1,2})?|\d+(?:[.,]\d+)?"
_SCALE = r"(?:\s?(?P<scale{0}>million|mio|m|billion|bn|thousand|k)\b)?"
_MONEY = re.compile(
    rf"(?:(?P<before>[€$£¥]|\b(?:{_CODES}))\s?(?P<a>{_NUMBER}){_SCALE.format(1)})"
    rf"|(?:(?P<b>{_NUMBER}){_SCALE.format(2)}\s?(?P<after>€|£|\b(?:{_CODES}|euros?|dollars|pounds)\b))",
    re.I,
)
_DATE = re.compile(
    rf"\b(?:(?P<iso>\d{{4}}-\d{{2}}-\d{{2}})"
    rf"|(?P<d1>\d{{1,2}})(?:st|nd|rd|th)?\.?\s+(?:of\s+)?(?P<m1>{_MONTH})\.?,?\s+(?P<y1>\d{{4}})"
    rf"|(?P<m2>{_MONTH})\.?\s+(?P<d2>\d{{1,2}})(?:st|nd|rd|th)?,?\s+(?P<y2>\d{{4}})"
    r"|(?P<d3>\d{1,2})[./](?P<m3>\d{1,2})[./](?P<y3>\d{4}))\b",
    re.I,
)
_PERCENT = re.compile(r"(?P<n>\d+(?:[.,]\d+)?)\s?(?:%|per ?cent\b)", re.I)
_DURATION = re.compile(
    r"\b(?P<n>\d+(?:\.\d+)?|one|two|three|four|five|six|seven|eight|nine|ten|twelve)\s+(?:\(\d+\)\s+)?"
    r"(?:(?:calendar|working|business|consecutive)\s+)?(?P<unit>seconds?|minutes?|hours?|days?|weeks?|months?|years?)\b",
    re.I,
)
_QUANTITY = re.compile(
    r"\b(?P<n>\d{1,3}(?:[, ]\d{3})+|\d+)\s+(?:(?:concurrent|registered|active|named|full-time|daily|monthly)\s+)?"
    r"(?P<unit>users?|employees|staff|citizens|residents|documents|files|records|requests|transactions|locations|offices|"
    r"sites|licen[cs]es|applications|forms|languages|points|pages|copies|orders|customers|tickets|units|GB|TB)\b",
    re.I,
)
_EMAIL = re.compile(r"\b[\w.+-]+@[\w-]+(?:\.[\w-]+)+\b")
_URL = re.compile(r"\bhttps?://[^\s<>()\"']+[^\s<>()\"'.,;:!?]")
_PHONE = re.compile(r"(?<![\w-])(?:\+\d{1,3}[ .-]?|0)(?:\(?\d{1,4}\)?[ .-]?){2,4}\d{2,4}(?![\w-])")
_WORDS = dict(
    zip(["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"], range(1, 11), strict=True)
) | {"twelve": 12}
_DAYS = {"second": 1 / 86400, "minute": 1 / 1440, "hour": 1 / 24, "day": 1.0, "week": 7.0, "month": 30.0, "year": 365.0}


@dataclass(frozen=True, slots=True)
class Figure:
    kind: str
    """money | percent | date | duration | quantity | email | url | phone"""
    text: str
    value: float | str
    """Money and numbers as such, dates in ISO form, durations in days."""
    unit: str
    sentence: Sentence


@lru_cache(maxsize=64)
def figures(text: str) -> tuple[Figure, ...]:
    """All of them in the order of the text."""
    return tuple(figure for sentence in sentences(text) for figure in of_sentence(sentence))


def of_sentence(sentence: Sentence) -> Iterator[Figure]:
    text = sentence.text
    taken: list[tuple[int, int]] = []

    def free(match: re.Match[str]) -> bool:
        if any(match.start() < end and start < match.end() for start, end in taken):
            return False
        taken.append(match.span())
        return True

    for pattern, kind in ((_EMAIL, "email"), (_URL, "url")):
        for match in pattern.finditer(text):
            if free(match):
                yield Figure(kind, match[0], match[0], "", sentence)
    for match in _DATE.finditer(text):
        found = _date(match)
        if found and free(match):
            yield Figure("date", match[0], found.isoformat(), "", sentence)
    for match in _MONEY.finditer(text):
        if free(match):
            symbol = (match["before"] or match["after"]).strip()
            scale = (match["scale1"] or match["scale2"] or "").lower()
            amount = number(match["a"] or match["b"]) * _factor(scale)
            yield Figure("money", match[0].strip(), amount, _CURRENCIES.get(symbol.lower(), symbol.upper()), sentence)
    for match in _PERCENT.finditer(text):
        if free(match):
            yield Figure("percent", match[0], number(match["n"]), "%", sentence)
    for match in _DURATION.finditer(text):
        if free(match):
            count = _WORDS.get(match["n"].lower()) or float(match["n"])
            unit = match["unit"].lower().rstrip("s")
            yield Figure("duration", match[0], count * _DAYS[unit], unit, sentence)
    for match in _QUANTITY.finditer(text):
        if free(match):
            yield Figure("quantity", match[0], number(match["n"]), match["unit"].lower(), sentence)
    for match in _PHONE.finditer(text):
        if sum(letter.isdigit() for letter in match[0]) >= 8 and free(match):
            yield Figure("phone", match[0].strip(), match[0].strip(), "", sentence)


def number(text: str) -> float:
    """`1,250.50`, `1.250,50`, `1 250`, `1'250`: the last separator is decimal unless three digits follow it."""
    text = re.sub(r"[ \u00a0']", "", text)
    last = max(text.rfind(","), text.rfind("."))
    if last >= 0:
        decimals = len(text) - last - 1
        if decimals == 3 or text.count(text[last]) > 1:
            text = re.sub(r"[,.]", "", text)
        else:
            text = re.sub(r"[,.]", "", text[:last]) + "." + text[last + 1 :]
    return float(text)


def money(value: float, currency: str) -> str:
    """`EUR 12,500.00`, without cents where there are none."""
    return f"{currency} {value:,.2f}".removesuffix(".00").strip()


def _factor(scale: str) -> float:
    return {"k": 1e3, "thousand": 1e3, "m": 1e6, "mio": 1e6, "million": 1e6, "bn": 1e9, "billion": 1e9}.get(scale, 1.0)


def _date(match: re.Match[str]) -> date | None:
    try:
        if match["iso"]:
            return date.fromisoformat(match["iso"])
        if match["m1"]:
            return date(int(match["y1"]), _MONTHS[match["m1"].lower()], int(match["d1"]))
        if match["m2"]:
            return date(int(match["y2"]), _MONTHS[match["m2"].lower()], int(match["d2"]))
        return date(int(match["y3"]), int(match["m3"]), int(match["d3"]))
    except ValueError:
        return None
