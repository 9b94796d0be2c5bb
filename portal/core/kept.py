"""What is worked out from objects that never change, kept beside them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from threading import Lock
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class KeptFor(Generic[K, V]):
    """Of the `most` objects that came last. They need no hash: an object is known by being the same one, and is kept
    along, so that no other can get its id."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._kept: OrderedDict[int, tuple[K, V]] = OrderedDict()
        self._lock = Lock()

    def get(self, key: K, make: Callable[[], V]) -> V:
        """What `make` made of it when it came first. What `make` raises is not kept."""
        found = self._kept.get(id(key))
        if found is None or found[0] is not key:
            found = (key, make())
            with self._lock:
                self._kept[id(key)] = found
                if len(self._kept) > self._most:
                    self._kept.popitem(last=False)
        return found[1]

    def clear(self) -> None:
        with self._lock:
            self._kept.clear()
