"""Settings that a person has put in the place of the resolved ones (a step tried again after it was escalated).

They are final values and no templates: what a person types is data. Where they show a mask (`[redacted]`) unchanged,
they mean what it hides, which is resolved anew; so a person can mend one value without having to know the secrets.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from orchestration.nodes.base import NodeFailure
from portal.core.redaction import HIDDEN, redact

JSON = Any


def with_secrets(edited: JSON, resolved: JSON | None, place: str = "") -> JSON:
    """`edited` with its masks replaced. `resolved`: the settings as the definition gives them now, None if it cannot.

    Raises NodeFailure for a mask of which it is not known what it hides.
    """
    match edited:
        case str() if HIDDEN in edited:
            if isinstance(resolved, str) and redact(resolved) == edited:
                return resolved
            message = f"{place or 'A setting'} is masked, and it is not known what it hides. Enter the value itself."
            raise NodeFailure(message, code="masked_value")
        case Mapping():
            known = resolved if isinstance(resolved, Mapping) else {}
            return {
                key: with_secrets(value, known.get(key), f"{place}.{key}" if place else key)
                for key, value in edited.items()
            }
        case list():
            listed = (
                resolved
                if isinstance(resolved, list | tuple) and len(resolved) == len(edited)
                else [None] * len(edited)
            )
            return [
                with_secrets(value, known, f"{place}[{index}]")
                for index, (value, known) in enumerate(zip(edited, listed, strict=True))
            ]
    return edited
