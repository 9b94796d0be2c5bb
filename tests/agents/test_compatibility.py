"""A new version's contract is compared with the old one, and what breaks is named."""

import pytest

from agents.compatibility import Contract, breaking_changes
from tests.agents.factories import schema

UNJUDGED = "input $.a has a changed pattern, which cannot be compared by rule: look at it"
TEXT, NUMBER, INTEGER = {"type": "string"}, {"type": "number"}, {"type": "integer"}


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (schema(a=TEXT), schema(("a",), a=TEXT), ["input $.a is now required"]),
        (schema(a=NUMBER), schema(a=INTEGER), ["input $.a no longer takes number"]),
        (schema(a=INTEGER), schema(a=NUMBER), []),
        (schema(a={"enum": [1, 2]}), schema(a={"enum": [1]}), ["input $.a no longer takes 2"]),
        (schema(a={"enum": [1]}), schema(a={"enum": [1, 2]}), []),
        (schema(a={"maxLength": 9}), schema(a={"maxLength": 5}), ["input $.a has a lower limit: maxLength 5"]),
        (schema(a={"minLength": 1}), schema(a={"minLength": 0}), []),
        (schema(a=TEXT), schema(a={**TEXT, "minLength": 1}), ["input $.a asks for more: minLength 1"]),
        (schema(a=TEXT), schema(), []),
        (
            {**schema(a=TEXT), "additionalProperties": False},
            {**schema(), "additionalProperties": False},
            ["input $.a is no longer known and would be refused"],
        ),
        (
            schema(a={"type": "array", "items": NUMBER}),
            schema(a={"type": "array", "items": TEXT}),
            ["input $.a[*] no longer takes integer or number"],
        ),
        (schema(a={"pattern": "a"}), schema(a={"pattern": "b"}), [UNJUDGED]),
    ],
)  # fmt: skip
def test_inputs_break_when_less_is_accepted(old: dict, new: dict, told: list[str]):
    assert [str(one) for one in breaking_changes(Contract(old, {}), Contract(new, {}))] == told


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (schema(a=TEXT, b=TEXT), schema(a=TEXT), ["output $.b is gone"]),
        (schema(a=TEXT), schema(a=TEXT, b=TEXT), []),
        (schema(("a",), a=TEXT), schema(a=TEXT), ["output $.a is no longer promised"]),
        (schema(a=INTEGER), schema(a=NUMBER), ["output $.a may now be number"]),
        (schema(a=NUMBER), schema(a=INTEGER), []),
        (schema(a={"enum": [1]}), schema(a={"enum": [1, 2]}), ["output $.a may now be 2"]),
        (schema(a={"enum": [1, 2]}), schema(a={"enum": [1]}), []),
    ],
)
def test_outputs_break_when_more_may_come(old: dict, new: dict, told: list[str]):
    assert [str(one) for one in breaking_changes(Contract({}, old), Contract({}, new))] == told


def test_nothing_changed_breaks_nothing():
    same = Contract(schema(("a",), a={"type": "array", "items": schema(b=TEXT)}), schema(a=TEXT))
    assert breaking_changes(same, same) == []
