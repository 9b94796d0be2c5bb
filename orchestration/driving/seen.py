"""What a node reads of the run, with everything whole that is read; and what was fetched for that."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeVar

from orchestration.expressions.meter import over_much
from orchestration.values.keeper import QUICK_BYTES
from orchestration.values.references import is_reference, unescaped_key

JSON = Any
Answer = TypeVar("Answer")
Loaded = tuple[JSON, dict[str, JSON]]
"""A stored value in memory, as its author knows it, and its reference."""


class Overlay(Mapping[str, JSON]):
    """A scope with some of its names said anew: `roots`. `loaded` is what was fetched for that."""

    def __init__(self, scope: Mapping[str, JSON]) -> None:
        self._scope = scope
        self.roots: dict[str, JSON] = {}
        self.loaded: list[Loaded] = []

    def __getitem__(self, name: str) -> JSON:
        return self.roots[name] if name in self.roots else self._scope[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._scope)

    def __len__(self) -> int:
        return len(self._scope)

    def __contains__(self, name: object) -> bool:
        return name in self._scope


def loaded_in(kept: JSON, made: JSON) -> Iterator[Loaded]:
    """What stands in `made`, which is `kept` whole, for the references of that."""
    match kept:
        case dict() if is_reference(kept):
            yield made, kept
        case dict():
            for name, item in kept.items():
                yield from loaded_in(item, made[unescaped_key(name)])
        case list():
            for item, whole_item in zip(kept, made, strict=True):
                yield from loaded_in(item, whole_item)


def loaded_of(seen: Mapping[str, JSON]) -> list[Loaded]:
    return seen.loaded if isinstance(seen, Overlay) else []


def reads_much(seen: Mapping[str, JSON]) -> bool:
    """Whether what is read there is so much that working with it is for a thread."""
    return isinstance(seen, Overlay) and bytes_of(seen.loaded) > QUICK_BYTES


async def evaluated(
    work: Callable[[JSON, Mapping[str, JSON]], Answer], source: JSON, seen: Mapping[str, JSON]
) -> Answer:
    """`work(source, seen)`; over much data in a thread, for which the host's other runs do not wait."""
    if reads_much(seen):
        return await asyncio.to_thread(over_much, work, source, seen)
    return work(source, seen)


def bytes_of(loaded: Iterable[Loaded]) -> int:
    return sum({reference["$value"]: reference["bytes"] for _, reference in loaded}.values())
