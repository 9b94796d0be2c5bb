"""Expressions over much data: counted without being copied, refused before the runtime is given too much."""

from typing import Any

import pytest

from orchestration.expressions import ExpressionError
from orchestration.expressions import meter as metering
from orchestration.expressions import program as programs
from orchestration.expressions.program import compile, evaluate


class Unread:
    def eval(self, data: Any) -> Any:
        raise AssertionError("the runtime was given the data")


@pytest.mark.parametrize(
    ("source", "expected"), [("size(a.rows)", 3), ("a.rows.size()", 3), ("size(a)", 2), ("size(a.empty)", 0)]
)
def test_members_are_counted_without_the_runtime(source: str, expected: int) -> None:
    scope = {"a": {"rows": [1, 2, 3], "empty": {}}}
    program = compile(source)
    counting = programs.Program(program.source, program.references, program.path, program.counted, Unread())
    assert counting.evaluate(scope) == expected


@pytest.mark.parametrize(("source", "expected"), [("size(a.text)", 5), ("size(a.rows) + 1", 3), ("size([1, 2])", 2)])
def test_everything_else_is_left_to_it(source: str, expected: int) -> None:
    assert evaluate(source, {"a": {"text": "ünïcö", "rows": [1, 2]}}) == expected


def test_what_is_not_there_cannot_be_counted() -> None:
    with pytest.raises(ExpressionError, match="There is no row in a"):
        evaluate("size(a.row)", {"a": {"rows": []}})
    with pytest.raises(ExpressionError):
        evaluate("size(a.number)", {"a": {"number": 5}})


def test_the_runtime_is_not_given_more_than_it_takes_in_bounded_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metering, "MOST_PARTS", 100)
    scope = {"a": {"rows": [{"id": n} for n in range(60)], "few": [1]}}
    assert evaluate("a.rows[5].id + 1", scope) == 6, "small data is not even counted"
    with pytest.raises(ExpressionError, match=r"more than 100 values.*transform") as refused:
        metering.over_much(evaluate, "a.rows[5].id + 1", scope)
    assert refused.value.code == "limit"
    assert metering.over_much(evaluate, "a.few[0] + 1", scope) == 2, "only what it reads"
    assert metering.over_much(evaluate, "a.rows", scope) is scope["a"]["rows"], "a path is passed on as it is"
    assert evaluate("a.rows[5].id + 1", scope) == 6
