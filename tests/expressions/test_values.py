"""What expressions give: plain JSON, with numbers as JSON has them, and errors that say where and what."""

import json
import re

import pytest

from orchestration.expressions import ExpressionError, compile, evaluate, evaluate_late, resolve
from orchestration.expressions.functions.library import LIBRARY

SCOPE = {
    "inputs": {
        "one": 1, "half": 0.5, "none": None, "yes": True, "text": "héllo", "big": 2**70, "broken": "a\ud800",
        "items": [1, 2.5, "a", None, {"k": 1}], "rows": [{"n": 1}, {"n": 2}, {"n": 3}], "odd": {"a key": 1, "in": 2},
    },
    "vars": {},
    "loop": {"item": {"name": "x"}, "index": 3},
    "analyse": {"outputs": {"report": {"title": "T"}, "score": 1.0}},
}  # fmt: skip


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("inputs.one + 1", 2),
        ("inputs.one + 1.5", 2.5),
        ("1 + inputs.half", 1.5),
        ("analyse.outputs.score + 1", 2.0),
        ("inputs.one - inputs.half", 0.5),
        ("inputs.one * 2.5", 2.5),
        ("7 / 2", 3),
        ("-7 / 2", -3),
        ("7 / 2.0", 3.5),
        ("7 % 3", 1),
        ("inputs.one == 1.0", True),
        ("inputs.one < 1.5", True),
        ("inputs.half <= 1", True),
        ("inputs.one in [1.0]", True),
        ("inputs.none == null", True),
        ("inputs.none", None),
        ("inputs.yes && inputs.one > 0", True),
        ("inputs.yes ? 1 : 'no'", 1),
        ("inputs.big", 2**70),
        ("inputs.big > 3", True),
        ("inputs.broken + '!'", "a?!"),
        ("inputs.text.size()", 5),
        ("inputs.text.startsWith('hé')", True),
        ("inputs.text.matches('^h.*o$')", True),
        ("size(inputs.items)", 5),
        ("inputs.items[4].k", 1),
        ("inputs.odd['a key']", 1),
        ("inputs['odd']['in']", 2),
        ("has(inputs.missing)", False),
        ("has(inputs.one)", True),
        ("inputs.?missing.orValue(5)", 5),
        ("inputs.?odd.?nothing.orValue('x')", "x"),
        ("inputs.rows.map(r, r.n * 2)", [2, 4, 6]),
        ("inputs.rows.filter(r, r.n > 1).map(r, r.n)", [2, 3]),
        ("inputs.rows.map(r, r.n > 1, r.n + 0.5)", [2.5, 3.5]),
        ("inputs.rows.exists(r, r.n == 2)", True),
        ("inputs.rows.all(r, r.n == 2)", False),
        ("inputs.rows.exists_one(r, r.n == 2)", True),
        ("[[1, 2], [3]].map(x, x.map(y, y + 1))", [[2, 3], [4]]),
        ("inputs.rows.map(r, inputs.rows.filter(q, q.n < r.n).size())", [0, 1, 2]),
        ("{'a': 1, 'b': [true, null]}", {"a": 1, "b": [True, None]}),
        ("{1: 'x', false: 'y'}", {"1": "x", "false": "y"}),
        ("inputs.items.map(i, i)", [1, 2.5, "a", None, {"k": 1}]),
        ("timestamp('2026-01-31T10:00:00Z') + duration('36h')", "2026-02-01T22:00:00Z"),
        ("timestamp('2026-01-02T00:00:00Z') - timestamp('2026-01-01T00:00:00Z')", "86400s"),
        ("timestamp('2026-01-31T10:00:00Z').getFullYear()", 2026),
        ("duration('90s')", "90s"),
        ("string(1.0)", "1"),
        ("int('5') + 1", 6),
        ("type(inputs.one) == int", True),
        ("loop.item.name + string(loop.index)", "x3"),
        ("'loop' + \"loop\"", "looploop"),
        ("size([]) == 0 || inputs.missing == 1", True),
    ],
)
def test_values(source, value):
    found = evaluate(source, SCOPE)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize("function", LIBRARY, ids=lambda f: f.name)
def test_every_function_does_what_its_example_says(function):
    expression, _, result = function.example.rpartition(" = ")
    assert evaluate(expression, {}) == json.loads(result)
    assert function.summary.endswith(".")


@pytest.mark.parametrize(
    ("source", "code", "message", "place"),
    [
        ("", "expression_syntax", "The expression is empty.", (1, 1)),
        ("1 +", "expression_syntax", "The expression ends too early.", (1, 4)),
        ("a b", "expression_syntax", "The expression cannot be read at 'b'.", (1, 3)),
        ("[1,\n 2,, 3]", "expression_syntax", "The expression cannot be read at ','.", (2, 4)),
        ("anlyse.outputs", "unknown_name", "There is nothing called anlyse here. Did you mean analyse?", (1, 1)),
        ("1 + nothing", "unknown_name", "There is nothing called nothing here.", (1, 5)),
        ("uper('a')", "unknown_function", "There is no function uper(). Did you mean upper?", (1, 5)),
        ("[1].map(1)", "unknown_function", "map() takes a name for each element", (1, 8)),
        ("google.protobuf.Any{}", "unknown_function", "google.protobuf.Any is not a value one can make here.", None),
        ("inputs.txet", "missing_key", "There is no txet in inputs. Did you mean text? It has one, half", (1, 1)),
        ("inputs.txet + 'a'", "missing_key", "There is no txet in inputs. Did you mean text?", (1, 1)),
        ("inputs.one.more", "missing_key", "There is no more in inputs.one, which is a number.", (1, 1)),
        ("inputs.items[9]", "missing_key", "There is no element 9 in inputs.items: the list has 5", (1, 1)),
        ("inputs.items[5 + 1]", "missing_key", "There is no element 6: the list has 5 (counted from 0).", None),
        ("inputs.rows.map(r, r.m)", "missing_key", "There is no m in one of the objects", None),
        ("inputs.one + 'a'", "type_mismatch", "+ does not go with a number and a text. Use text(…)", None),
        ("!inputs.one", "type_mismatch", "! does not go with", None),
        ("inputs.one ? 1 : 2", "type_mismatch", "What stands before ? is not true or false.", None),
        ("inputs.one > 'a'", "type_mismatch", "> does not go with a number and a text.", None),
        ("['a', 1].sort()", "type_mismatch", "sort() takes a list of numbers or a list of texts.", None),
        ("inputs.one.upper()", "type_mismatch", "upper() does not take a number.", None),
        ("1 / 0", "arithmetic", "Division by zero.", None),
        ("1 % 0", "arithmetic", "Division by zero.", None),
        ("1.0 / 0", "arithmetic", "Division by zero.", None),
        ("9223372036854775807 + 1", "arithmetic", "The number is too large.", None),
        ("inputs.?one", "not_json", "The result is an optional value.", None),
        ("type(1)", "not_json", "which JSON cannot hold", None),
        ("b'\\xff'", "not_json", "binary data", None),
        ("timestamp('tomorrow')", "invalid_value", "String to Timestamp conversion failed.", None),
        ("'a'.matches('(')", "invalid_value", "Invalid regular expression", None),
        ("number('many')", "invalid_value", "number() cannot read 'many'.", None),
        ("parse_json('{')", "invalid_value", "parse_json() was given text that is not JSON", None),
        ("[].first()", "missing_key", "first() of an empty list.", None),
    ],
)
def test_errors_say_what_and_where(source, code, message, place):
    with pytest.raises(ExpressionError) as raised:
        evaluate(source, SCOPE)
    error = raised.value
    assert error.code == code
    assert message in error.message
    assert code in ExpressionError.CODES
    if place:
        assert (error.line, error.column) == place


def test_an_error_is_never_a_value():
    """The runtime's errors are values whose truth is true; none may come out as one."""
    for source in ("inputs.missing", "inputs.missing || inputs.missing", "inputs.missing && true", "[inputs.missing]"):
        with pytest.raises(ExpressionError):
            evaluate(source, SCOPE)
    assert evaluate("false", {}) is False


def test_references_are_known_before_anything_runs():
    program = compile("analyse.outputs.rows.filter(r, r.n > inputs['limit']).size() + price.outputs.total[0]")
    assert [str(reference) for reference in program.references] == [
        "analyse.outputs.rows", "inputs.limit", "price.outputs.total[0]",
    ]  # fmt: skip
    assert [reference.optional for reference in compile("has(a.b) && c.?d.orValue(1) == 1").references] == [True, True]


@pytest.mark.parametrize(
    ("template", "value"),
    [
        ("{{ inputs.one }}", 1),
        ("{{inputs.items}}", SCOPE["inputs"]["items"]),
        (" {{ inputs.one }}", " 1"),
        ("n={{ inputs.none }} y={{ inputs.yes }} f={{ analyse.outputs.score }}", "n= y=true f=1"),
        ("o={{ analyse.outputs.report }}", 'o={"title": "T"}'),
        ("{{ {'a': {'b': '}}'}} }}", {"a": {"b": "}}"}}),
        ("{{ '{{' }} is literal }}", "{{ is literal }}"),
        ({"deep": ["{{ inputs.one }}", {"er": "{{ inputs.text }}!"}]}, {"deep": [1, {"er": "héllo!"}]}),
        ("no braces", "no braces"),
        ("", ""),
        (5, 5),
        (None, None),
    ],
)
def test_templates(template, value):
    assert resolve(template, SCOPE) == value


def test_what_a_template_puts_in_is_not_read_again():
    assert (
        resolve("{{ inputs.evil }}", {"inputs": {"evil": "{{ inputs.secret }}", "secret": "s"}})
        == "{{ inputs.secret }}"
    )
    assert resolve("a {{ inputs.evil }}", {"inputs": {"evil": "{{ 1 + 1 }}"}}) == "a {{ 1 + 1 }}"


@pytest.mark.parametrize(
    ("template", "code", "place"),
    [
        ("a {{ b", "template_syntax", (1, 3)),
        ("{{ }}", "template_syntax", (1, 1)),
        ("{{ 'x }}", "template_syntax", (1, 1)),
        ("line\nx {{ inputs.one + }}", "expression_syntax", (2, 18)),
        ("a\nb\n {{ inputs.nothing }}", "missing_key", (3, 5)),
    ],
)
def test_errors_of_templates_are_placed_in_the_whole_text(template, code, place):
    with pytest.raises(ExpressionError) as raised:
        resolve(template, SCOPE)
    assert (raised.value.code, (raised.value.line, raised.value.column)) == (code, place)


def test_late_settings_are_expressions_or_templates():
    assert evaluate_late("inputs.one + 1", SCOPE) == 2
    assert evaluate_late("{{ inputs.one }}", SCOPE) == 1
    assert evaluate_late("{{ inputs.one }}!", SCOPE) == "1!"


def test_messages_hold_no_addresses_or_paths():
    """Errors reach people: nothing of the machine may show in them."""
    for source in ("inputs.one + timestamp('2026-01-01T00:00:00Z')", "json(type(1))", "[type(1)].map(x, x)"):
        with pytest.raises(ExpressionError) as raised:
            evaluate(source, SCOPE)
        assert not re.search(r"0x[0-9a-f]{6}|<function|\.py", raised.value.message), raised.value.message
