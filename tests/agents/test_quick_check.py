"""What the quick check lets through, the slow one would not have faulted."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.contracts import data_faults
from agents.quick_check import surely_fits

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
)
TYPE = st.sampled_from(["null", "boolean", "integer", "number", "string", "array", "object"])
SCHEMAS = st.recursive(
    st.fixed_dictionaries({}, optional={"type": TYPE, "minimum": st.integers(-3, 3), "maxLength": st.integers(0, 3)})
    | st.fixed_dictionaries({"enum": st.lists(JSON, min_size=1, max_size=3)}),
    lambda inner: st.fixed_dictionaries(
        {},
        optional={
            "type": st.lists(TYPE, min_size=1, max_size=3, unique=True),
            "properties": st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
            "required": st.lists(st.sampled_from("abc"), max_size=2, unique=True),
            "additionalProperties": st.booleans() | inner,
            "items": inner,
            "anyOf": st.lists(inner, min_size=1, max_size=2),
            "not": inner,
            "uniqueItems": st.booleans(),
        },
    ),
    max_leaves=5,
)


@given(SCHEMAS, JSON)
def test_what_surely_fits_has_no_fault(schema: dict[str, Any], data: Any) -> None:
    assert surely_fits(schema, data) == (not data_faults(schema, data))


@pytest.mark.parametrize("word", [{"format": "date"}, {"pattern": "^a$"}, {"$ref": "#/$defs/a", "$defs": {"a": {}}}])
def test_formats_patterns_and_references_are_left_to_the_slow_check(word: dict[str, Any]) -> None:
    assert not surely_fits(word, "2026-01-31")


@pytest.mark.parametrize("data", [{1: 2}, object(), float("nan"), {"a": {1, 2}}])
def test_what_is_no_json_is_not_sure(data: Any) -> None:
    assert not surely_fits({"type": "object", "properties": {"a": {"type": "array"}}}, data)
