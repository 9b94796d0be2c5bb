"""Telling fast that data fits its schema. What does not, or cannot be told, is for the slow checker with its sentences.

jsonschema-rs needs a hundredth of the time, and nearly all data fits. It is not asked about formats and regular
expressions, which it reads a little differently.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jsonschema_rs

from portal.core.kept import KeptFor

JSON = Any
_MOST_KEPT = 1000
_LEFT_TO_THE_SLOW = frozenset({"format", "pattern", "patternProperties", "$ref", "$dynamicRef"})

_validators: KeptFor[Mapping[str, JSON], jsonschema_rs.Draft202012Validator | None] = KeptFor(_MOST_KEPT)


def surely_fits(schema: Mapping[str, JSON], data: JSON) -> bool:
    """True: the data fits. False says nothing. A schema object must not be changed once it has been used here."""
    validator = _validators.get(schema, lambda: _made(schema))
    if validator is None:
        return False
    try:
        return bool(validator.is_valid(data))
    except (ValueError, TypeError):  # what is not JSON, or nested too deeply
        return False


def _made(schema: Mapping[str, JSON]) -> jsonschema_rs.Draft202012Validator | None:
    if _names_of(schema) & _LEFT_TO_THE_SLOW:
        return None
    try:
        return jsonschema_rs.Draft202012Validator(dict(schema), validate_formats=False)
    except (jsonschema_rs.ValidationError, ValueError):
        return None


def _names_of(schema: JSON) -> set[str]:
    """Every key at any depth; those of properties are among them, which errs on the slow side."""
    found: set[str] = set()
    waiting = [schema]
    while waiting:
        value = waiting.pop()
        if isinstance(value, Mapping):
            found.update(map(str, value))
            waiting.extend(value.values())
        elif isinstance(value, list | tuple):
            waiting.extend(value)
    return found
