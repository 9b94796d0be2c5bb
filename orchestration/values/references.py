"""References to stored values in JSON, and the escape that keeps an author's own data from being taken for one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

JSON = Any
KEY = "$value"
_DIGEST = re.compile(r"[0-9a-f]{64}")
_ESCAPED = re.compile(r"\$+value")
MAY_NEED_ESCAPE = '$value"'
"""JSON text without this holds neither a reference nor anything escaped."""


def reference(digest: str, size: int, kind: str) -> dict[str, JSON]:
    return {KEY: digest, "bytes": size, "type": kind}


def is_reference(value: JSON) -> bool:
    """Of data as it is kept. The whole form is asked for: events older than references were not escaped."""
    return (
        isinstance(value, dict)
        and len(value) == 3
        and isinstance(value.get(KEY), str)
        and "bytes" in value
        and _DIGEST.fullmatch(value[KEY]) is not None
    )


def references_in(value: JSON) -> Iterator[dict[str, JSON]]:
    """Every reference in data as it is kept, in its order; those inside of stored values are not seen."""
    waiting = [value]
    while waiting:
        found = waiting.pop()
        if isinstance(found, dict):
            if is_reference(found):
                yield found
            else:
                waiting.extend(reversed(found.values()))
        elif isinstance(found, list):
            waiting.extend(reversed(found))


def digests_in(value: JSON) -> list[str]:
    return list(dict.fromkeys(found[KEY] for found in references_in(value)))


def escaped(value: JSON) -> JSON:
    """A copy in which no key of an author is `$value`."""
    match value:
        case dict():
            return {f"${key}" if _ESCAPED.fullmatch(key) else key: escaped(item) for key, item in value.items()}
        case list():
            return [escaped(item) for item in value]
    return value


def is_escaped(key: str) -> bool:
    """`$$value` and longer."""
    return len(key) > len(KEY) and _ESCAPED.fullmatch(key) is not None


def unescaped_key(key: str) -> str:
    return key[1:] if is_escaped(key) else key


def is_plain(value: JSON) -> bool:
    """Whether it is whole as it is: no reference, nothing escaped."""
    waiting = [value]
    while waiting:
        found = waiting.pop()
        if isinstance(found, dict):
            if KEY in found and is_reference(found):
                return False
            for key, item in found.items():
                if key.startswith("$") and is_escaped(key):
                    return False
                if isinstance(item, dict | list):
                    waiting.append(item)
        elif isinstance(found, list):
            waiting.extend(item for item in found if isinstance(item, dict | list))
    return True
