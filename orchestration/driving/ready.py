"""A value on its way into events and rows: JSON without secrets, in a copy that nobody else changes."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from orchestration.nodes.base import NodeFailure
from orchestration.store.values import NotStorable, as_text, read_back
from orchestration.values.references import MAY_NEED_ESCAPE, escaped
from portal.core.kept import KeptFor
from portal.core.redaction import known_secrets, redact, surely_clean

JSON = Any
Place = tuple[str | int, ...]


@dataclass(slots=True)
class Plain:
    """A value as it is stored, its bytes as JSON, and whether a key of it was escaped."""

    value: JSON
    size: int
    escaped: bool = False


def ready(value: JSON) -> Plain:
    """As it is kept, but for its large parts. Raises NodeFailure."""
    try:
        text = _without_secrets(value)
    except NotStorable as error:
        raise NodeFailure(f"The node's answer cannot be kept. {error}", code=error.code) from error
    plain = read_back(text)
    if MAY_NEED_ESCAPE in text:
        return Plain(escaped(plain), len(text), escaped=True)
    return Plain(plain, len(text))


_once: KeptFor[object, Plain] = KeptFor(most=5000)
_once_under: object = None
"""The secrets that were known when these were worked out."""


def ready_once(source: object, read: Callable[[], JSON]) -> Plain:
    """`ready(read())` of a source that never changes, from memory. Not to be changed. Raises NodeFailure."""
    global _once_under
    known = known_secrets()
    if known is not _once_under:
        _once.clear()
        _once_under = known
    return _once.get(source, lambda: ready(read()))


def _without_secrets(value: JSON) -> str:
    """As JSON. Most values have none, and reading their text once tells so. Raises NotStorable."""
    with suppress(NotStorable):  # `redact` makes JSON of a little more
        text = as_text(value)
        if surely_clean(text):
            return text
    return as_text(redact(value))


def put_back(value: JSON, path: Place, reference: JSON) -> JSON:
    """Raises KeyError when a key on the way reads otherwise now; one that was escaped is found."""
    if not path:
        return reference
    around = value
    for step in path[:-1]:
        around = around[_key(around, step)]
    last = _key(around, path[-1])
    if isinstance(last, str) and last not in around:
        raise KeyError(last)
    around[last] = reference
    return value


def _key(around: JSON, step: str | int) -> str | int:
    if isinstance(around, dict) and step not in around:
        return f"${step}"
    return step
