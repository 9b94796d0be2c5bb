"""Values at the ends of paths: read without the runtime, or picked out for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from orchestration.expressions.errors import ExpressionError
from orchestration.expressions.names import Reference, path_text, suggestion
from orchestration.expressions.values import kind_of

JSON = Any
_MISSING = object()


def read(scope: Mapping[str, JSON], reference: Reference, source: str) -> JSON:
    value: JSON = scope[reference.root]
    for depth, step in enumerate(reference.path):
        found = _step(value, step)
        if found is _MISSING:
            raise _missing(reference, depth, value, source)
        value = found
    return value


def members(scope: Mapping[str, JSON], reference: Reference) -> int | None:
    """How many the list or object there has; None if there is neither."""
    value: JSON = scope[reference.root]
    for step in reference.path:
        value = _step(value, step)
    return len(value) if isinstance(value, list | tuple | dict) else None


def _step(value: JSON, step: str | int) -> JSON:
    if isinstance(value, Mapping):
        return value.get(step, _MISSING)
    if isinstance(value, list | tuple) and isinstance(step, int) and 0 <= step < len(value):
        return value[step]
    return _MISSING


def _missing(reference: Reference, depth: int, value: JSON, source: str) -> ExpressionError:
    so_far, step = path_text(reference.root, reference.path[:depth]), reference.path[depth]
    if isinstance(value, Mapping):
        keys = [str(key) for key in value]
        there = f"It has {', '.join(keys[:12])}{' …' if len(keys) > 12 else ''}." if keys else "It is empty."
        message = f"There is no {step} in {so_far}.{suggestion(str(step), keys)} {there}"
    elif isinstance(value, list | tuple) and isinstance(step, int):
        message = f"There is no element {step} in {so_far}: the list has {len(value)} (counted from 0)."
    else:
        message = f"There is no {step} in {so_far}, which is {kind_of(value)}."
    return ExpressionError(message, code="missing_key", source=source, position=reference.position)


def needed(scope: Mapping[str, JSON], references: Sequence[Reference]) -> dict[str, JSON]:
    """Only what the expression reads, as the runtime copies all it is given. Missing ends are missing here too."""
    data: dict[str, JSON] = {}
    whole: set[tuple[str | int, ...]] = set()
    for reference in sorted(references, key=lambda r: len(r.path)):
        steps = (reference.root, *reference.path)
        if any(steps[:length] in whole for length in range(1, len(steps) + 1)):
            continue
        target, source, taken = data, scope, 0
        for taken, step in enumerate(steps):
            value = _step(source, step)
            if value is _MISSING:
                break
            last = taken == len(steps) - 1
            if last or not isinstance(value, Mapping) or not isinstance(steps[taken + 1], str):
                target[str(step)] = value
                whole.add(steps[: taken + 1])
                break
            target, source = target.setdefault(str(step), {}), value
    return data
