"""The shared context of a run, as an agent sees it: what it was granted to read, and a place to write what it may."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from agents.errors import AgentError

JSON = Any
_KEY = re.compile(r"[A-Za-z_][\w-]*(?:/[\w-]+)*")
LONGEST_KEY = 200


def key_fault(key: str, *, pattern: bool = False) -> str:
    """What is wrong with a key (`draft/2`), or a pattern of keys (`draft/*`, `*`); empty if nothing."""
    plain = re.sub(r"(?:^|(?<=/))\*$", "x", key) if pattern else key
    if len(key) <= LONGEST_KEY and _KEY.fullmatch(plain):
        return ""
    return f"{key!r} is no key: letters, digits, _ and -, in parts with / between them" + (
        "; * may stand for the last part and all behind it." if pattern else "."
    )


def granted(patterns: Iterable[str], key: str) -> bool:
    return any(key.startswith(one[:-1]) if one.endswith("*") else key == one for one in patterns)


class SharedContext(Mapping[str, JSON]):
    """Of one call: a mapping of what it may read. What it wrote counts when the call ends well."""

    def __init__(
        self, readable: Mapping[str, JSON] | None = None, may_write: Iterable[str] = (), who: str = ""
    ) -> None:
        self._readable, self._may_write, self._who = dict(readable or {}), tuple(may_write), who
        self.written: dict[str, JSON] = {}

    def __getitem__(self, key: str) -> JSON:
        return self._readable[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._readable)

    def __len__(self) -> int:
        return len(self._readable)

    def write(self, key: str, value: JSON) -> None:
        """Raises AgentError (`not_granted`) for a key that the node does not grant."""
        if fault := key_fault(key):
            raise AgentError(f"The shared context: {fault}", code="not_granted")
        if not granted(self._may_write, key):
            may = f"may write {', '.join(self._may_write)}" if self._may_write else "may write nothing"
            raise AgentError(
                f"“{self._who}” may not write {key} to the shared context: it {may}. Grant it by the node's setting "
                "context.may_write.",
                code="not_granted",
                detail={"key": key, "may_write": list(self._may_write)},
            )
        self.written[key] = value
