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

from orchestration.values.references import MAY_NEED_ESCAPE, digests_in, reference

JSON = Any
CHUNK_BYTES = 1024 * 1024
_KINDS: dict[type, str] = {str: "string", list: "array", dict: "object"}


@dataclass(frozen=True, slots=True)
class Value:
    """One that is to be stored. `value` is as it is kept: inner references stay references."""

    digest: str
    kind: str
    """string | array | object"""
    raw: bytes = field(repr=False)
    value: JSON = field(repr=False)
    names: tuple[str, ...] = ()
    """Digests of the stored values it refers to."""
    plain: bool = True
    """Nothing in it is a reference or escaped."""

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
    return Value(digest, kind, raw, value, () if plain else tuple(digests_in(value)), plain)


def decoded(kind: str, raw: bytes) -> JSON:
    text = raw.decode()
    return text if kind == "string" else json.loads(text)


def chunks(raw: bytes) -> Iterator[bytes]:
    """Compressed, the fast way: level 1 takes some 10 ms a chunk."""
    for start in range(0, len(raw), CHUNK_BYTES):
        yield zlib.compress(raw[start : start + CHUNK_BYTES], 1)


def unpacked(chunk: bytes | memoryview) -> bytes:
    return zlib.decompress(chunk)
