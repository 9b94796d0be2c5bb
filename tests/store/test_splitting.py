"""Values in parts and whole again, without a database."""

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from orchestration.values.references import escaped, is_plain, is_reference, references_in
from orchestration.values.splitting import Split, whole

JSON = Any
keys = st.sampled_from(["a", "b", "title", "$value", "$$value", "bytes", "type"])
leaves = (
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=5) | st.text("xy", min_size=200, max_size=300)
)
data = st.recursive(leaves, lambda inner: st.lists(inner, max_size=6) | st.dictionaries(keys, inner, max_size=5))
forged = st.just({"$value": "0" * 64, "bytes": 1, "type": "string"})


@settings(max_examples=300)
@given(data | st.dictionaries(keys, data | forged, max_size=4))
def test_whatever_is_split_is_whole_again(value: JSON) -> None:
    split = Split(inline_bytes=500)
    kept = split.split(escaped(value))
    assert whole(kept, split.values) == value
    assert all(found["$value"] in split.values for found in references_in(kept))
    if not is_reference(kept):
        assert len(json.dumps(kept, ensure_ascii=False, separators=(",", ":")).encode()) <= 500


def test_the_smallest_large_part_is_referred_to() -> None:
    split = Split(inline_bytes=1000)
    kept = split.split({"title": "t", "report": {"head": "h", "body": "x" * 5000}, "rows": [["y" * 900, "y"]] * 3})
    assert kept["title"] == "t" and kept["report"]["head"] == "h"
    assert is_reference(kept["report"]["body"]) and is_reference(kept["rows"])
    assert len(split.values) == 2


def test_the_same_content_has_one_digest_whatever_the_order_of_keys() -> None:
    one, other = Split(inline_bytes=10), Split(inline_bytes=10)
    assert one.split([{"a": 1, "b": 2}] * 9) == other.split([{"b": 2, "a": 1}] * 9)
    assert one.split("[1,2,3,4,5,6,7,8]") != other.split([1, 2, 3, 4, 5, 6, 7, 8]), "a text is not the list it spells"


def test_what_is_plain_is_not_copied() -> None:
    value = {"a": [1, {"b": "c"}]}
    assert is_plain(value) and whole(value, {}) is value


def test_what_stays_is_counted_to_the_byte() -> None:
    escapes = {"a": [], "b": [], "title": '"\U00010000', "$value": "x" * 455, 'q"\\\n': "\x00\x7f"}
    for length in range(380, 470):
        split = Split(inline_bytes=500)
        kept = split.split(escaped({**escapes, "$value": "x" * length}))
        assert len(json.dumps(kept, ensure_ascii=False, separators=(",", ":")).encode()) <= 500
