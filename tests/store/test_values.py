"""What may be stored reads back as it was."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.store import values
from orchestration.store.values import NotStorable, storable

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
