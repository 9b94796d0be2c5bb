# ruff: noqa: E501  a case is a line of a table
"""Reshaping data: what each step gives, what it refuses and in which words, and that much data takes little time."""

from __future__ import annotations

import time
from typing import Any

import pytest
from pydantic import TypeAdapter

from orchestration.definition.validation import validate
from orchestration.models import NodeRun
from orchestration.transforms import TransformError, lists, run, running
from orchestration.transforms.steps import AnyStep
from tests.engine_host import EngineHost, make_definition, start
from tests.workflows.factories import definition, node

STEPS = TypeAdapter(tuple[AnyStep, ...])
ROWS = [
    {"id": 1, "name": "Ada", "team": "red", "score": 3},
    {"id": 2, "name": "Bo", "team": "blue", "score": 5},
    {"id": 3, "name": "Cy", "team": "red", "score": 4.5},
]


def do(value: Any, *steps: dict[str, Any], given: Any = None) -> Any:
    return run(value, STEPS.validate_python(steps), given)


@pytest.mark.parametrize(
    ("value", "step", "expected"),
    [
        (ROWS, {"op": "map", "to": "item.name"}, ["Ada", "Bo", "Cy"]),
        (ROWS[:1], {"op": "map", "to": {"n": "index", "t": "{{ item.name }}!", "k": 7}}, [{"n": 0, "t": "Ada!", "k": 7}]),
        (ROWS, {"op": "filter", "where": "item.score > 4 && item.team == 'red'"}, ROWS[2:]),
        ([{"a": 1}], {"op": "set", "to": {"b": "item.a + given.n"}}, [{"a": 1, "b": 3}]),
        ({"a": 1}, {"op": "set", "to": {"a": "item.a * 10"}}, {"a": 10}),
        ([3, 1, 2.5], {"op": "sort"}, [1, 2.5, 3]),
        (ROWS, {"op": "sort", "by": "[item.team, item.name]"}, [ROWS[1], ROWS[0], ROWS[2]]),
        (ROWS, {"op": "sort", "by": "item.score", "descending": True}, [ROWS[1], ROWS[2], ROWS[0]]),
        ([2, None, 1], {"op": "sort", "nulls": "last"}, [1, 2, None]),
        ([2, None, 1], {"op": "sort", "nulls": "first", "descending": True}, [None, 2, 1]),
        (
            ROWS,
            {"op": "group", "by": "item.team"},
            [{"key": "red", "items": [ROWS[0], ROWS[2]]}, {"key": "blue", "items": [ROWS[1]]}],
        ),
        ([[1], [2, 3], []], {"op": "flatten"}, [1, 2, 3]),
        ([1, 1.0, "1", 2], {"op": "unique"}, [1, "1", 2]),
        (ROWS, {"op": "unique", "by": "item.team"}, ROWS[:2]),
        ([1, 2, 3], {"op": "reverse"}, [3, 2, 1]),
        ([1, 2, 3], {"op": "take", "count": 2}, [1, 2]),
        ([1, 2, 3], {"op": "take", "count": 2, "end": "end"}, [2, 3]),
        ([1, 2, 3], {"op": "take", "count": 9, "end": "end"}, [1, 2, 3]),
        (ROWS[:1], {"op": "pick", "fields": ["name", "id"]}, [{"name": "Ada", "id": 1}]),
        ({"a": 1}, {"op": "pick", "fields": ["a", "b"], "missing": "null"}, {"a": 1, "b": None}),
        ({"a": 1}, {"op": "pick", "fields": ["a", "b"], "missing": "skip"}, {"a": 1}),
        ({"a": 1, "b": 2}, {"op": "omit", "fields": ["b", "c"]}, {"a": 1}),
        ([{"a": 1, "b": 2}], {"op": "rename", "names": {"a": "x"}}, [{"x": 1, "b": 2}]),
        (
            ROWS,
            {"op": "aggregate", "totals": {"n": {"how": "count"}, "sum": {"of": "item.score", "how": "sum"}}},
            {"n": 3, "sum": 12.5},
        ),
        (
            ROWS,
            {"op": "aggregate", "by": "item.team", "totals": {"best": {"of": "item.score", "how": "max"}}},
            [{"key": "red", "best": 4.5}, {"key": "blue", "best": 5}],
        ),
        ([1, 2, 1.0], {"op": "aggregate", "totals": {"d": {"how": "distinct"}, "a": {"how": "list"}}}, {"d": [1, 2], "a": [1, 2, 1.0]}),
        ([], {"op": "aggregate", "totals": {"n": {"how": "count"}, "s": {"how": "sum"}}}, {"n": 0, "s": 0}),
        ([1, 2], {"op": "compute", "to": {"n": "size(value)", "mean": "value.average()"}}, {"n": 2, "mean": 1.5}),
        ('{"a": [1]}', {"op": "json_parse"}, {"a": [1]}),
        (["1", "[]"], {"op": "json_parse"}, [1, []]),
        ({"a": "ü"}, {"op": "json_text"}, '{"a": "ü"}'),
        ("a\nb", {"op": "split"}, ["a", "b"]),
        ("a, b", {"op": "split", "separator": ", "}, ["a", "b"]),
        (["a", 1, 2.0], {"op": "join_text", "separator": "-"}, "a-1-2"),
        ("x1 y22", {"op": "extract", "pattern": "[0-9]+"}, ["1", "22"]),
        ("a=1 b=2", {"op": "extract", "pattern": "(?P<key>\\w)=(?P<n>\\d)"}, [{"key": "a", "n": "1"}, {"key": "b", "n": "2"}]),
    ],
)  # fmt: skip
def test_a_step_gives(value: Any, step: dict[str, Any], expected: Any) -> None:
    before = repr(value)
    assert do(value, step, given={"n": 2}) == expected
    assert repr(value) == before


TEAMS = [{"team": "red", "city": "Rome"}, {"team": "red", "city": "Riga"}]


def test_a_join_is_by_key() -> None:
    by_team = {"op": "join", "rows": TEAMS, "left": "item.team", "name": "at"}
    inner = do(ROWS[:2], by_team)
    assert [(row["name"], row["at"]["city"]) for row in inner] == [("Ada", "Rome"), ("Ada", "Riga")]
    left = do(ROWS[:2], {**by_team, "kind": "left"})
    assert [(row["name"], row["at"] and row["at"]["city"]) for row in left] == [
        ("Ada", "Rome"),
        ("Ada", "Riga"),
        ("Bo", None),
    ]
    other = do([{"n": 1}], {"op": "join", "rows": [{"m": 1.0}, {"m": "1"}], "left": "item.n", "right": "item.m"})
    assert other == [{"n": 1, "match": {"m": 1.0}}]


@pytest.mark.parametrize(
    ("value", "step", "message"),
    [
        ({"a": 1}, {"op": "map", "to": "item"}, r"Step 1 \(map\): It takes a list, but is given an object"),
        ("text", {"op": "filter", "where": "true"}, "given a text"),
        ([{"a": 1}, {"b": 1}], {"op": "map", "to": "item.a"}, r"Step 1 \(map\), row 2: There is no a in item"),
        ([1], {"op": "filter", "where": "item"}, "row 1: where must be true or false, but is a number"),
        ([1, "a"], {"op": "sort"}, "row 2: by is a text, which cannot be put in order with a number"),
        ([{}], {"op": "sort"}, "by is an object"),
        ([1, None], {"op": "sort"}, "row 2: by is null; say where nulls belong"),
        ([[1], 2], {"op": "flatten"}, "row 2: The row is a number and no list"),
        ([{"a": 1}], {"op": "pick", "fields": ["b"]}, "row 1: There is no field b; it has a"),
        ([3], {"op": "omit", "fields": ["b"]}, "row 1: It takes objects, but is given a number"),
        ([{"a": 1, "b": 2}], {"op": "rename", "names": {"a": "b"}}, "the same name"),
        ([{"match": 1}], {"op": "join", "rows": [], "left": "item.match"}, "has a field match already"),
        ([], {"op": "join", "rows": {}, "left": "item"}, "rows must be a list"),
        ([1, "2"], {"op": "aggregate", "totals": {"s": {"how": "sum"}}}, "s: sum takes numbers, but finds a text"),
        ([True], {"op": "aggregate", "totals": {"s": {"how": "sum"}}}, "finds true or false"),
        ([], {"op": "aggregate", "totals": {"s": {"how": "max"}}}, "s: there is no max of no rows"),
        ("{", {"op": "json_parse"}, "This is no JSON"),
        ("[NaN]", {"op": "json_parse"}, "NaN is no number of JSON"),
        (1, {"op": "split"}, r"It takes a text, but is given a number. Use text\(…\)"),
        ([None], {"op": "join_text"}, "row 1: It joins texts and numbers, but is given null"),
        ("a" * 40 + "!", {"op": "extract", "pattern": "(?:(a|aa)+)+$"}, "takes longer than"),
        ("a", {"op": "extract", "pattern": "("}, "cannot be read"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_with_its_place(value: Any, step: dict[str, Any], message: str) -> None:
    with pytest.raises(TransformError, match=message):
        do(value, step)


def test_rows_and_what_is_made_of_them_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "MOST_ROWS", 1000)
    monkeypatch.setattr(lists, "MOST_ROWS", 1000)
    monkeypatch.setattr(running.Left.__init__, "__defaults__", (50_000,))
    with pytest.raises(TransformError, match="at most 1,000 rows"):
        do([0] * 1001, {"op": "map", "to": "item"})
    with pytest.raises(TransformError, match="more than 1,000 rows"):
        do([{"k": 1}] * 40, {"op": "join", "rows": [{"k": 1}] * 40, "left": "item.k"})
    with pytest.raises(TransformError, match=r"Step 2 \(map\), row 99: The expressions make too much data"):
        do(
            ["x" * 100] * 900,
            {"op": "filter", "where": "true"},
            {"op": "map", "to": "item + item + item + item + item"},
        )


def test_the_step_that_fails_is_named() -> None:
    with pytest.raises(TransformError) as found:
        do([[1], [2]], {"op": "flatten"}, {"op": "map", "to": "item"}, {"op": "map", "to": "item.a"})
    assert (found.value.step, found.value.op, found.value.row) == (3, "map", 1)


def test_ten_thousand_rows_take_no_time_that_grows_with_their_square() -> None:
    def seconds(count: int) -> float:
        rows = [{"id": n, "team": n % 100} for n in range(count)]
        others = [{"id": n, "name": f"n{n}"} for n in range(count)]
        begun = time.process_time()
        made = do(
            rows,
            {"op": "join", "rows": others, "left": "item.id"},
            {"op": "filter", "where": "item.match.id >= 0"},
            {"op": "unique", "by": "item.id"},
            {"op": "aggregate", "by": "item.team", "totals": {"n": {"how": "count"}}},
        )
        assert sum(row["n"] for row in made) == count
        return time.process_time() - begun

    seconds(500)
    assert seconds(10_000) < 40 * seconds(1_000)  # were it the square, it would be a hundred times


@pytest.mark.django_db(transaction=True)
def test_a_run_reshapes_what_its_nodes_found(engine: EngineHost, organisation: Any) -> None:
    settings = {
        "input": "{{ inputs.rows }}",
        "given": {"least": "{{ vars.least }}", "rows": "{{ inputs.teams }}"},
        "steps": [
            {"op": "filter", "where": "item.score >= given.least"},
            {"op": "join", "rows": "{{ inputs.teams }}", "left": "item.team", "kind": "left", "name": "at"},
            {"op": "map", "to": "{{ item.name }} ({{ item.at != null ? item.at.city : '–' }})"},
        ],
        "output": "value.join(', ')",
    }
    made = make_definition(
        [
            {"id": "shape", "type": "transform", "settings": settings},
            {
                "id": "wrong",
                "type": "transform",
                "settings": {"input": "{{ inputs.rows }}", "steps": [{"op": "flatten"}]},
            },
        ],
        ["shape -> wrong"],
        variables={"least": {"default": 4}},
    )
    run = start(organisation, made, {"rows": ROWS, "teams": TEAMS[:1]})
    engine.wait_for(run, "failed")
    assert NodeRun.objects.get(run=run, node="shape").outputs == {"result": "Bo (–), Cy (Rome)", "count": None}
    assert run.error["code"] == "transform" and run.error["detail"] == {"step": 1, "op": "flatten", "row": 1}


@pytest.mark.parametrize(
    ("settings", "code", "part"),
    [
        ({"steps": [{"op": "mapp", "to": "item"}]}, "invalid_setting", "mapp"),
        ({"steps": [{"op": "map"}]}, "missing_key", "to"),
        ({"steps": [{"op": "filter", "where": "item.a >"}]}, "expression_syntax", "steps[0].where"),
        ({"steps": [{"op": "map", "to": "vars.a"}]}, "unknown_reference", "only given, index, item, value"),
        ({"input": "{{ nothing.outputs }}"}, "unknown_reference", "nothing"),
        ({"output": "uper(value)"}, "unknown_function", "Did you mean upper?"),
    ],
)
def test_what_is_wrong_is_found_before_it_runs(settings: Any, code: str, part: str) -> None:
    problems = validate(definition(node("a", "transform", settings=settings)), agents={})
    assert [problem.code for problem in problems] == [code] and part in problems[0].message
