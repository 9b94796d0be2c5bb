"""Much data kept a portion at a time: the same comes of it as of all at once."""

import json
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestration.values import encoding, portions
from orchestration.values.portions import Portions, TooMuch
from orchestration.values.references import MAY_NEED_ESCAPE, escaped, is_plain, is_reference, references_in
from orchestration.values.splitting import Split, whole

JSON = Any
keys = st.sampled_from(["a", "b", "title", "$value", "$$value", "bytes", "type"]) | st.text("xyz", max_size=6)
leaves = st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=5) | st.text("xé", min_size=60, max_size=300)
data = st.recursive(leaves, lambda inner: st.lists(inner, max_size=9) | st.dictionaries(keys, inner, max_size=9))
forged = st.just({"$value": "0" * 64, "bytes": 1, "type": "string"})


@dataclass
class Plain:
    value: JSON
    size: int
    escaped: bool


def ready(value: JSON) -> Plain:
    text = json.dumps(value)
    found = MAY_NEED_ESCAPE in text
    return Plain(escaped(json.loads(text)) if found else json.loads(text), len(text), found)


@pytest.fixture(autouse=True)
def _short_portions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(portions, "PORTION_BYTES", 200)


def kept(value: JSON, *, most_bytes: int = 10**9, **more: Any) -> tuple[JSON, Portions]:
    made = Portions(ready, lambda text: None, most_bytes=most_bytes, inline_bytes=400, **more)
    return made.kept(value), made


@settings(max_examples=400)
@given(data | st.dictionaries(keys, data | forged, max_size=4), st.sampled_from([1, 1000]))
def test_what_is_kept_in_portions_is_whole_again(value: JSON, most_members: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(portions, "MOST_MEMBERS", most_members)
        found, made = kept(value)
    assert whole(found, made.values) == value
    assert all(one["$value"] in made.values for one in references_in(found))
    assert is_reference(found) or len(json.dumps(found, ensure_ascii=False, separators=(",", ":")).encode()) <= 400
    assert made.escaped or is_plain(found) or made.values


@settings(max_examples=300)
@given(data)
def test_the_stored_values_are_those_of_the_whole(value: JSON) -> None:
    split = Split(inline_bytes=400)
    at_once = split.split(escaped(value))
    found, made = kept(value)
    assert found == at_once and set(made.values) == set(split.values)
    for digest, one in made.values.items():
        other = split.values[digest]
        assert (bytes(one.raw), one.kind, one.names, one.plain) == (other.raw, other.kind, other.names, other.plain)


def dumps(value: JSON) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


@settings(max_examples=300)
@given(data)
def test_what_is_written_in_pieces_is_the_whole_text(value: JSON) -> None:
    texts: list[str] = []

    def short(value: JSON) -> str:
        texts.append(dumps(value))
        return texts[-1]

    assert "".join(portions.written(value, short)) == dumps(value)
    assert max(map(len, texts)) < 1000


def test_no_step_is_given_more_than_a_portion(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []

    def watched(value: JSON) -> Plain:
        made = ready(value)
        sizes.append(made.size)
        return made

    as_json = encoding.as_json

    def counted(value: JSON) -> str:
        text = as_json(value)
        sizes.append(len(text))
        return text

    monkeypatch.setattr(encoding, "as_json", counted)
    rows = [{"id": i, "tags": ["a", {"b": i}], "of": {"id": i}} for i in range(500)]
    documents = [
        rows,
        {"page": 1, "data": {"rows": rows, "more": rows}},
        {f"k{i}": row for i, row in enumerate(rows * 3)},
        [rows, rows],
        list(range(3000)),
    ]
    for document in documents:
        made = Portions(watched, lambda text: None, most_bytes=10**9, inline_bytes=400)
        assert whole(made.kept(document), made.values) == document
    assert max(sizes) < 1000


def test_too_much_is_refused_before_it_is_all_gone_through() -> None:
    made = 0

    def counted(value: JSON) -> Plain:
        nonlocal made
        made += 1
        return ready(value)

    with pytest.raises(TooMuch):
        Portions(counted, lambda text: None, most_bytes=3000).kept(["x" * 50] * 10_000)
    assert made < 20


def test_bytes_are_counted_as_they_are_stored() -> None:
    texts = ["é" * 50] * 40
    most = len(json.dumps(texts, ensure_ascii=False, separators=(",", ":")).encode()) + 40
    with pytest.raises(TooMuch):
        kept(texts, most_bytes=most)
    kept(texts, most_bytes=most, exact=True)


def test_what_is_stored_already_is_not_gone_through() -> None:
    text = "x" * 1000
    reference = {"$value": "1" * 64, "bytes": 1000, "type": "string"}
    made = Portions(ready, lambda one: reference if one is text else None,
                    most_bytes=10**9, inline_bytes=400)  # fmt: skip
    found = made.kept({"title": "t", "text": text, "list": [text, {"text": text}]})
    assert found == {"title": "t", "text": reference, "list": [reference, {"text": reference}]}
    assert made.refers and not made.values
