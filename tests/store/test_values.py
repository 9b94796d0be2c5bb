"""What may be stored reads back as it was."""

import json
from datetime import UTC, datetime
from enum import Enum
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.store import values
from orchestration.store.values import NotStorable, for_statement, storable

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(JSON_VALUES)
def test_everything_that_is_json_can_be_stored_and_stays_as_it_is(value: Any) -> None:
    kept = storable(value)
    text = json.dumps(kept, ensure_ascii=False)
    assert "\\u0000" not in text.replace("\\\\", "")
    text.encode()  # no half characters
    assert storable(kept) == kept
    if "\0" not in json.dumps(value, ensure_ascii=False):
        assert kept == value or "\\u0000" in json.dumps(value)


ODD_VALUES = st.recursive(
    st.none() | st.integers() | st.floats() | st.text() | st.sampled_from(["\x7f", "K", "null", "a\0b", "\ud83d"]),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner) | st.tuples(inner),
    max_leaves=20,
)


@given(ODD_VALUES)
def test_the_quick_way_writes_what_the_slow_way_does(value: Any) -> None:
    quick = values._quickly(value)
    try:
        slow = json.dumps(value, allow_nan=False)
    except ValueError:
        assert quick is None, "what is no number was taken for one"
        return
    if quick is not None:
        assert json.loads(quick) == json.loads(slow) and quick.isascii()
    assert storable(value) == storable(json.loads(slow))


@given(st.floats(allow_nan=False, allow_infinity=False) | st.integers())
def test_numbers_stay_as_they_are_to_the_last_digit(value: float) -> None:
    kept = storable({"n": value})["n"]
    assert kept == value and type(kept) is type(value)


def test_what_nests_deeply_is_read_back_too() -> None:
    value: Any = "core"
    for _ in range(400):
        value = [value]
    assert storable(value) == value


def test_ids_and_enumerations_are_kept_as_their_text_and_value() -> None:
    id, colour = UUID(int=5), Enum("Colour", {"RED": "red"})
    kept = {"id": str(id), "colour": "red"}
    assert storable({"id": id, "colour": colour["RED"]}) == kept
    assert storable({"id": id, "colour": colour["RED"], "none": None}) == {**kept, "none": None}


def test_an_argument_of_a_statement_holds_ids_times_and_long_numbers() -> None:
    at = datetime(2026, 1, 2, 3, 4, 5, 6, UTC)
    for number in (5, 2**70):
        found = json.loads(for_statement([{"id": UUID(int=5), "at": at, "n": number}]))
        assert found == [{"id": str(UUID(int=5)), "at": found[0]["at"], "n": number}]
        assert datetime.fromisoformat(found[0]["at"]) == at


def test_what_a_node_returns_is_the_same_before_and_after_a_replay() -> None:
    assert storable({"a": (1, 2), 3: {"x": True}}) == {"a": [1, 2], "3": {"x": True}}


def test_half_characters_and_nul_are_replaced() -> None:
    assert storable(["a\0b", "\ud83d", "\ud83d\ude00 ok", {"k\0": "ok"}]) == [
        "a\ufffdb",
        "\ufffd",
        "😀 ok",
        {"k\ufffd": "ok"},
    ]


@pytest.mark.parametrize("value", [object(), float("nan"), float("inf"), {"a": {1, 2}}, b"bytes"])
def test_what_is_not_json_is_refused(value: object) -> None:
    with pytest.raises(NotStorable, match="not JSON"):
        storable(value)


def test_what_is_too_large_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(values, "LARGEST_BYTES", 10)
    with pytest.raises(NotStorable, match="MiB"):
        storable("x" * 100)
