"""JSON read in pieces of bounded size.

`json.loads` is one call that no other thread interrupts: of 100 MiB it takes seconds, in which a host would show no
sign of life. Here no call is given more than about `PIECE_BYTES`, or one text or number. Used in a thread, so that
whoever waits has its turn between two pieces.

A list or object that is longer than a piece is cut at one of its own commas. Where one of these is need not be known
for sure: the part before is read as a list (object) of its own, which succeeds only if the cut was right, since at any
other comma a text or a bracket is left open. So a likely place is tried first (what comes after it looks like the
beginning of the first member), and the brackets are counted only if that was wrong.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

JSON = Any
PIECE_BYTES = 512 * 1024
_OPENS, _CLOSES = b"[{", b"]}"
_TOKEN = re.compile(rb'"(?:[^"\\]++|\\.)*+"?|[\[\]{},]', re.DOTALL)
_SPACE = re.compile(rb"[ \t\n\r]*")
_KEY = re.compile(rb'("(?:[^"\\]++|\\.)*+")[ \t\n\r]*:[ \t\n\r]*', re.DOTALL)
_SCALAR = re.compile(rb'"(?:[^"\\]++|\\.)*+"|[^\[\]{},\s"]++', re.DOTALL)
_LOOK_BYTES = 24
"""Of the first member, to know the beginning of others by."""
_MOST_WRONG = 3
"""Guesses that were wrong one after the other; then no more are made in this list."""


def loads(
    raw: bytes | bytearray, *, parse_constant: Callable[[str], Any] | None = None, piece_bytes: int | None = None
) -> JSON:
    """What `json.loads(raw)` answers. Raises ValueError, also for what is nested too deeply."""
    size = PIECE_BYTES if piece_bytes is None else piece_bytes
    try:
        if len(raw) <= size:
            return json.loads(raw, parse_constant=parse_constant)
        encoding = json.detect_encoding(bytes(raw[:4]))
        if encoding != "utf-8":
            raw = raw.decode(encoding, "surrogatepass").encode("utf-8", "surrogatepass")
        reader = _Reader(raw, size, parse_constant)
        value, end = reader.value(reader.space(0))
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if reader.space(end) < len(raw):
        raise reader.wrong(end)
    return value


class _Reader:
    def __init__(self, raw: bytes | bytearray, size: int, parse_constant: Callable[[str], Any] | None) -> None:
        self._raw, self._size, self._parse_constant = raw, size, parse_constant

    def wrong(self, position: int) -> ValueError:
        return ValueError(f"not JSON at byte {position}")

    def space(self, position: int) -> int:
        found = _SPACE.match(self._raw, position)
        return found.end() if found else position

    def value(self, start: int) -> tuple[JSON, int]:
        """The value that begins there, and where it ends."""
        opening = self._raw[start : start + 1]
        if opening == b"[":
            return self._members(start + 1, [], b"[", b"]")
        if opening == b"{":
            return self._members(start + 1, {}, b"{", b"}")
        found = _SCALAR.match(self._raw, start)
        if found is None:
            raise self.wrong(start)
        return self._loads(found[0]), found.end()

    def _loads(self, text: bytes | bytearray) -> JSON:
        return json.loads(text, parse_constant=self._parse_constant)

    def _members(self, start: int, made: Any, opens: bytes, closes: bytes) -> tuple[JSON, int]:
        """Of the list or object whose first member begins there."""
        add = made.extend if opens == b"[" else made.update
        at = self.space(start)
        if self._raw[at : at + 1] == closes:
            return made, at + 1
        look, wrong = self._look(at), 0
        while True:
            cut = self._likely(at, look) if wrong < _MOST_WRONG else at
            if cut > at and (some := self._guessed(at, cut, opens, closes)) is not None:
                add(some)
                wrong = 0
            else:
                wrong += 1
                cut = self._boundary(at)
                if cut > at:
                    add(self._loads(b"".join((opens, self._raw[at:cut], closes))))
                else:
                    cut = self._one(at, made)
            end = self.space(cut)
            if self._raw[end : end + 1] == closes:
                return made, end + 1
            if self._raw[end : end + 1] != b",":
                raise self.wrong(end)
            at = self.space(end + 1)
            if self._raw[at : at + 1] == closes:
                raise self.wrong(at)

    def _look(self, at: int) -> bytes:
        """How members begin, from the first of them: `{"id"`, a quotation mark, or nothing in particular."""
        first = bytes(self._raw[at : at + _LOOK_BYTES])
        return first[:1] if first[:1] == b'"' else b"" if first[:1] not in (b"{", b"[") else first.split(b":")[0]

    def _likely(self, start: int, look: bytes) -> int:
        """Where a member may end, some way on; `start` if nothing looks like it."""
        end = start + self._size
        if not look:
            return max(start, self._raw.rfind(b",", start, end))
        while (end := self._raw.rfind(look, start + 1, end)) > start:
            comma = self._raw.rfind(b",", start, end)
            if comma > start and self.space(comma + 1) == end:
                return comma
        return start

    def _guessed(self, start: int, cut: int, opens: bytes, closes: bytes) -> JSON:
        try:
            return self._loads(b"".join((opens, self._raw[start:cut], closes)))
        except ValueError:
            return None

    def _boundary(self, start: int) -> int:
        """The end of the last member that ends within a piece; `start` if none does."""
        depth, cut, end = 0, start, start + self._size
        for token in _TOKEN.finditer(self._raw, start, end):
            first = self._raw[token.start()]
            if first in _OPENS:
                depth += 1
            elif first in _CLOSES:
                depth -= 1
                if depth < 0:
                    return token.start()
            elif depth == 0 and first == _COMMA:
                cut = token.start()
        return cut

    def _one(self, start: int, made: Any) -> int:
        """Add one member that is longer than a piece. Answers with its end."""
        if isinstance(made, list):
            value, end = self.value(start)
            made.append(value)
            return end
        key = _KEY.match(self._raw, start)
        if key is None:
            raise self.wrong(start)
        made[self._loads(key[1])], end = self.value(key.end())
        return end


_COMMA = ord(",")
