"""JSON in pieces: whatever the size of a piece, the same value comes of it."""

import json
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from orchestration.values import pieces

JSON = Any
leaves = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(max_size=12)
    | st.text('"\\[]{},: é\ud800', max_size=12)
)
data = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=8) | st.dictionaries(st.text('ab",{', max_size=4), inner, max_size=8),
    max_leaves=60,
)


@settings(max_examples=600)
@given(data, st.integers(1, 80), st.sampled_from([None, 1]), st.booleans())
def test_a_value_read_in_pieces_is_the_value(value: JSON, size: int, indent: int | None, ascii_only: bool) -> None:
    raw = json.dumps(value, indent=indent, ensure_ascii=ascii_only).encode(errors="surrogatepass")
    assert pieces.loads(raw, piece_bytes=size) == json.loads(raw)


@settings(max_examples=600)
@given(data, st.integers(1, 30), st.integers(0, 200), st.sampled_from(list('"[]{},: x0\\')))
@example([1, 2], 3, 5, ",")
@example({"a": [1, 2]}, 4, 6, "]")
def test_what_is_no_json_is_refused_as_it_is_whole(value: JSON, size: int, place: int, put: str) -> None:
    text = json.dumps(value)
    broken = (text[: place % (len(text) + 1)] + put + text[place % (len(text) + 1) + 1 :]).encode()
    try:
        wanted = json.loads(broken)
    except ValueError:
        with pytest.raises(ValueError):
            pieces.loads(broken, piece_bytes=size)
    else:
        assert pieces.loads(broken, piece_bytes=size) == wanted


def test_no_call_is_given_more_than_a_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    real = json.loads
    rows = [{"id": i, "tags": [{"n": i}, {"m": "],{"}], "of": {"id": i}} for i in range(2000)]
    documents = [
        rows,
        {"page": 1, "data": {"rows": rows, "more": rows}},
        {f"k{i}": row for i, row in enumerate(rows)},
        [[row, row] for row in rows],
        list(range(9000)),
        [f"text, {i}" for i in range(9000)],
    ]
    raws = [json.dumps(document).encode() for document in documents]

    def watched(text: Any, **more: Any) -> Any:
        sizes.append(len(text))
        return real(text, **more)

    monkeypatch.setattr(json, "loads", watched)
    for document, raw in zip(documents, raws, strict=True):
        assert pieces.loads(raw, piece_bytes=4000) == document
    assert max(sizes) <= 4002
    assert sum(sizes) < 2 * sum(map(len, raws)), "hardly anything is read twice"


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
def test_other_encodings_are_read_as_well(encoding: str) -> None:
    value = [{"a": "é"}] * 50
    assert pieces.loads(json.dumps(value, ensure_ascii=False).encode(encoding), piece_bytes=100) == value


def test_too_deep_is_an_error_and_no_crash() -> None:
    with pytest.raises(ValueError, match="deep"):
        pieces.loads(b"[" * 100_000 + b"]" * 100_000, piece_bytes=100)
