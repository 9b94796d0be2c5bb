"""Steps over one value: JSON, text."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from orchestration.expressions import ExpressionError
from orchestration.expressions.meter import over_much
from orchestration.expressions.patterns import found_by
from orchestration.expressions.values import as_json, as_text, kind_of
from orchestration.transforms import steps
from orchestration.transforms.running import MOST_ROWS, Work
from orchestration.values import pieces

JSON = Any


def _compute(work: Work, step: steps.Compute, value: JSON) -> JSON:
    return over_much(work.evaluate, step.to, {"value": value, "given": work.given})


def _json_parse(work: Work, step: steps.JsonParse, value: JSON) -> JSON:
    if isinstance(value, list):
        return [_parsed(work, work.a_text(item, number), number) for number, item in work.rows(value)]
    return _parsed(work, work.a_text(value), 0)


def _parsed(work: Work, text: str, row: int) -> JSON:
    try:
        return pieces.loads(text.encode(errors="surrogatepass"), parse_constant=_refused)
    except ValueError as error:
        raise work.wrong(f"This is no JSON: {error}.", row) from None


def _refused(name: str) -> None:
    raise ValueError(f"{name} is no number of JSON")


def _json_text(work: Work, step: steps.JsonText, value: JSON) -> JSON:
    return as_json(value, indent=step.indent)


def _split(work: Work, step: steps.Split, value: JSON) -> JSON:
    text = work.a_text(value)
    return text.split(step.separator) if step.separator else text.splitlines()


def _join_text(work: Work, step: steps.JoinText, value: JSON) -> JSON:
    parts = []
    for number, item in work.rows(value):
        if not isinstance(item, str | int | float) or isinstance(item, bool):
            raise work.wrong(f"It joins texts and numbers, but is given {kind_of(item)}.", number)
        parts.append(as_text(item))
    return step.separator.join(parts)


def _extract(work: Work, step: steps.Extract, value: JSON) -> JSON:
    try:
        return found_by(step.pattern, work.a_text(value), most=MOST_ROWS)
    except ExpressionError as error:
        raise work.wrong(error.message) from None


OPERATIONS: Mapping[str, Callable[[Work, Any, JSON], JSON]] = {
    "compute": _compute, "json_parse": _json_parse, "json_text": _json_text, "split": _split, "join_text": _join_text,
    "extract": _extract,
}  # fmt: skip
