"""Which parts of a value become references, and values put together again. Pure.

The smallest part that is too large is what is referred to: of `{"title": ..., "text": <20 MiB>}` the text alone, so
that whoever reads the title loads no megabytes. Where many small parts are too large together, the largest of an
object's members go first, and a list goes as a whole.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from orchestration.values.encoding import Value, as_json, encoded
from orchestration.values.references import KEY, escaped, is_reference, unescaped_key

JSON = Any
INLINE_BYTES = 64 * 1024
LARGEST_BYTES = 100 * 1024 * 1024
_REFERENCE_BYTES = 256
"""What is smaller gains nothing by being referred to."""


class Split:
    """The stored values that parts of something have become: `Split().split(value)`, then `values`."""

    def __init__(self, *, inline_bytes: int | None = None) -> None:
        self.inline_bytes = INLINE_BYTES if inline_bytes is None else inline_bytes
        self.values: dict[str, Value] = {}

    def split(self, value: JSON) -> JSON:
        """`value` (JSON, escaped) with its large parts as references; at most `inline_bytes` in all are left."""
        return self._split(value, size_of(value))

    def members(self, value: dict[str, JSON]) -> dict[str, JSON]:
        """The same for an object that must stay one: each large member by itself."""
        return {name: self.split(item) for name, item in value.items()}

    def items(self, value: list[JSON], *, budget: int) -> list[JSON]:
        """The same for a list that must stay one: large items, and then the largest, until `budget` bytes are left."""
        kept = [self.split(item) for item in value]
        sizes = [size_of(item) for item in kept]
        self._refer_largest(kept, dict(enumerate(sizes)), sum(sizes), budget)
        return kept

    def _split(self, value: JSON, size: int) -> JSON:
        if size <= self.inline_bytes or is_reference(value):
            return value
        match value:
            case str():
                return self._refer(value)
            case dict():
                return self._split_object(value)
            case list():
                return self._split_list(value)
        return value

    def _split_object(self, value: dict[str, JSON]) -> JSON:
        sizes = {name: size_of(item) for name, item in value.items()}
        kept = {name: self._split(item, sizes[name]) for name, item in value.items()}
        sizes = {name: sizes[name] if kept[name] is value[name] else size_of(kept[name]) for name in kept}
        return self._assembled(kept, sizes)

    def assembled(self, kept: dict[str, JSON]) -> JSON:
        """An object whose members are split already."""
        return self._assembled(kept, {name: size_of(item) for name, item in kept.items()})

    def _assembled(self, kept: dict[str, JSON], sizes: Mapping[str, int]) -> JSON:
        total = 1 + sum(size_of(name) + 2 + size for name, size in sizes.items())
        total = self._refer_largest(kept, sizes, total, self.inline_bytes)
        return kept if total <= self.inline_bytes else self._refer(kept)

    def _split_list(self, value: list[JSON]) -> JSON:
        kept = [self._split(item, size_of(item)) for item in value]
        return kept if size_of(kept) <= self.inline_bytes else self._refer(kept)

    def _refer_largest(self, kept: Any, sizes: Mapping[Any, int], total: int, budget: int) -> int:
        """Of an object or a list, in place. Answers with the bytes that are left."""
        for place in sorted(sizes, key=lambda place: -sizes[place]):
            if total <= budget or sizes[place] <= _REFERENCE_BYTES:
                break
            if type(kept[place]) in (str, list, dict) and not is_reference(kept[place]):
                kept[place] = self._refer(kept[place])
                total += _REFERENCE_BYTES - sizes[place]
        return total

    def _refer(self, value: JSON) -> dict[str, JSON]:
        return self.refer_to(encoded(value))

    def refer_to(self, made: Value) -> dict[str, JSON]:
        self.values.setdefault(made.digest, made)
        return made.reference


def size_of(value: JSON) -> int:
    """Bytes as JSON."""
    if isinstance(value, str) and value.isascii() and value.isprintable():
        return len(value) + 2 + value.count('"') + value.count("\\")
    return len(as_json(value).encode())


# Putting together


class Body(Protocol):
    @property
    def value(self) -> JSON: ...
    @property
    def plain(self) -> bool: ...


class Missing(Exception):
    """A stored value that has to be loaded first: `digest`."""

    def __init__(self, digest: str) -> None:
        super().__init__(digest)
        self.digest = digest


def whole(value: JSON, bodies: Mapping[str, Body]) -> JSON:
    """An author's data again: references replaced, escapes undone. What needs neither is the same object.

    Raises Missing when a stored value is not among `bodies`.
    """
    match value:
        case dict() if KEY in value and is_reference(value):
            body = bodies.get(value[KEY])
            if body is None:
                raise Missing(value[KEY])
            return body.value if body.plain else whole(body.value, bodies)
        case dict():
            made = {unescaped_key(name): whole(item, bodies) for name, item in value.items()}
            same = all(item is made.get(name, made) for name, item in value.items())
            return value if same else made
        case list():
            items = [whole(item, bodies) for item in value]
            return value if all(a is b for a, b in zip(value, items, strict=True)) else items
    return value


def missing(value: JSON, bodies: Mapping[str, Body]) -> Iterator[str]:
    """Digests of the stored values that `whole(value, bodies)` still lacks, as far as can be seen yet."""
    seen: set[str] = set()
    waiting = [value]
    while waiting:
        found = waiting.pop()
        if isinstance(found, list):
            waiting.extend(found)
        elif isinstance(found, dict) and not is_reference(found):
            waiting.extend(found.values())
        elif isinstance(found, dict) and found[KEY] not in seen:
            seen.add(found[KEY])
            body = bodies.get(found[KEY])
            if body is None:
                yield found[KEY]
            elif not body.plain:
                waiting.append(body.value)


__all__ = ["INLINE_BYTES", "LARGEST_BYTES", "Missing", "Split", "escaped", "missing", "whole"]
