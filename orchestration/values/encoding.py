"""A stored value as bytes. Texts are kept as they are in UTF-8, everything else as JSON with sorted keys.

So a text is downloaded without decoding anything, and the same content has the same digest whatever the order of its
keys. Chunks are compressed one by one: a download holds one of them in memory.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from orchestration.values import pieces
from orchestration.values.references import MAY_NEED_ESCAPE, digests_in, reference

JSON = Any
CHUNK_BYTES = 1024 * 1024
_KINDS: dict[type, str] = {str: "string", list: "array", dict: "object"}
_UNREAD: JSON = object()


@dataclass(frozen=True, slots=True)
class Value:
    """One that is to be stored."""

    digest: str
    kind: str
    """string | array | object"""
    raw: bytes | bytearray = field(repr=False)
    names: tuple[str, ...] = ()
    """Digests of the stored values it refers to."""
    plain: bool = True
    """Nothing in it is a reference or escaped."""
    _value: JSON = field(repr=False, default=_UNREAD)

    @property
    def is_read(self) -> bool:
        """`value` is at hand. Of what was encoded in pieces it is not: nobody may want it."""
        return self._value is not _UNREAD

    @property
    def value(self) -> JSON:
        """As it is kept: inner references stay references. Reading much takes a while."""
        return self._value if self.is_read else decoded(self.kind, self.raw)

    @property
    def reference(self) -> dict[str, JSON]:
        return reference(self.digest, len(self.raw), self.kind)


def as_json(value: JSON) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def encoded(value: JSON) -> Value:
    kind = _KINDS[type(value)]
    text = value if kind == "string" else as_json(value)
    raw = text.encode()
    digest = hashlib.sha256(kind.encode() + b"\n" + raw).hexdigest()
    plain = kind == "string" or MAY_NEED_ESCAPE not in text
    return Value(digest, kind, raw, () if plain else tuple(digests_in(value)), plain, value)


class Encoder:
    """A long list or object as a stored value, some of its members at a time: the same as `encoded` of all at once."""

    def __init__(self, kind: str) -> None:
        self._kind, self._raw, self._names, self._plain = kind, bytearray(), dict[str, None](), True
        self._digest = hashlib.sha256(kind.encode() + b"\n")

    def __len__(self) -> int:
        """Bytes so far, with the bracket that is to come."""
        return len(self._raw) + 1 if self._raw else 2

    def add(self, members: list[JSON] | dict[str, JSON]) -> None:
        """Some more of the list or object: those of an object in the order of all its keys."""
        text = as_json(members)
        if len(text) == 2:
            return
        if MAY_NEED_ESCAPE in text:
            self._plain = False
            self._names |= dict.fromkeys(digests_in(members))
        self._put(("," if self._raw else text[0]) + text[1:-1])

    def _put(self, text: str) -> None:
        more = text.encode()
        self._digest.update(more)
        self._raw += more

    def value(self) -> Value:
        opens, closes = "[]" if self._kind == "array" else "{}"
        self._put(closes if self._raw else opens + closes)
        return Value(self._digest.hexdigest(), self._kind, self._raw, tuple(self._names), self._plain)


def decoded(kind: str, raw: bytes | bytearray) -> JSON:
    return raw.decode() if kind == "string" else pieces.loads(raw)


def chunks(raw: bytes | bytearray) -> Iterator[bytes]:
    """Compressed, the fast way: level 1 takes some 10 ms a chunk."""
    for start in range(0, len(raw), CHUNK_BYTES):
        yield zlib.compress(raw[start : start + CHUNK_BYTES], 1)


def unpacked(chunk: bytes | memoryview) -> bytes:
    return zlib.decompress(chunk)
