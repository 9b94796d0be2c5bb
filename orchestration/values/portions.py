"""Much data made ready to be kept, a portion at a time.

What a node yields is written as JSON, freed of secrets, read back and cut into stored values. Of 100 MiB at once that
would be several copies, and calls of seconds that nothing interrupts. So the members of long lists and objects go
through it some at a time; a long list grows into the bytes of its stored value meanwhile. At hand are what the node
holds, that JSON, and one portion.

What comes of it is what `Split` makes of the whole, but for objects of more than `MOST_MEMBERS` members: each becomes
one stored value, however large its members are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Protocol, TypeVar

from orchestration.values.encoding import Encoder
from orchestration.values.splitting import INLINE_BYTES, Split, size_of

JSON = Any
Member = TypeVar("Member")
PORTION_BYTES = INLINE_BYTES
"""A text that can be a stored value of its own is a portion of its own."""
MOST_MEMBERS = 1000


class Ready(Protocol):
    """A portion as it is kept, but for its large parts. `size`: at least its bytes as JSON."""

    value: JSON
    size: int
    escaped: bool


class TooMuch(Exception):
    """It has more JSON than may be kept."""


class Portions:
    """`ready` makes a portion what is kept, `known` tells the reference of what is stored already, or None.

    Not `exact`: bytes are counted quickly and generously, with escapes and spaces that are not stored; then TooMuch may
    be wrong. Also raises whatever `ready` raises.
    """

    def __init__(
        self,
        ready: Callable[[JSON], Ready],
        known: Callable[[JSON], JSON],
        *,
        most_bytes: int,
        inline_bytes: int = INLINE_BYTES,
        exact: bool = False,
    ) -> None:
        self._ready, self._known, self._left, self._exact = ready, known, most_bytes, exact
        self._split = Split(inline_bytes=inline_bytes)
        self.values = self._split.values
        self.stored: list[tuple[JSON, dict[str, JSON]]] = []
        """Long lists and objects that became a stored value each, with its reference."""
        self.escaped = self.refers = False

    def kept(self, value: JSON) -> JSON:
        """With large parts as references."""
        reference = self._known(value)
        if reference is not None:
            self.refers = True
            return reference
        if is_long(value):
            match value:
                case dict() if len(value) > MOST_MEMBERS and all(isinstance(name, str) for name in value):
                    return self._long("object", value, _parted(sorted(value.items(), key=_name), _of_member))
                case dict():
                    return self._split.assembled(self.members(value))
                case list() | tuple():
                    return self._long("array", value, _parted(value, _itself))
        made = self._made(value)
        return self._split.split(made.value) if made.size > self._split.inline_bytes else made.value

    def members(self, value: dict[str, JSON]) -> dict[str, JSON]:
        """The same for an object that must stay one: each large member by itself."""
        kept: dict[str, JSON] = {}
        for some, alone in _parted(value.items(), _of_member):
            if alone and (self._known(some[0][1]) is not None or not isinstance(some[0][1], str)):
                kept |= dict.fromkeys(self._made({some[0][0]: None}).value, self.kept(some[0][1]))
            else:
                made = self._made(dict(some))
                kept |= self._split.members(made.value) if made.size > self._split.inline_bytes else made.value
        return kept

    def items(self, value: Iterable[JSON], *, budget: int) -> list[JSON]:
        """The same for a list that must stay one: large items, and then the largest, until `budget` bytes are left."""
        kept: list[JSON] = []
        for some, alone in _parted(value, _itself):
            kept += [self.kept(some[0])] if alone else self._made(some).value
        return self._split.items(kept, budget=budget)

    def _long(self, kind: str, value: JSON, parts: Iterator[tuple[list[Any], bool]]) -> JSON:
        """Of a list or an object of many members: by its bytes, or as it is if it has become short."""
        encoder = Encoder(kind)
        short: Any = [] if kind == "array" else {}
        for some, alone in parts:
            more = self._more(kind, some, alone)
            encoder.add(more)
            if short is not None:
                short = [*short, *more] if kind == "array" else {**short, **more}
                if len(encoder) > self._split.inline_bytes:
                    short = None
        if short is not None:
            return short
        reference = self._split.refer_to(encoder.value())
        self.stored.append((value, reference))
        return reference

    def _more(self, kind: str, some: list[Any], alone: bool) -> Any:
        if kind == "object":
            return self.members(dict(some))
        if alone:
            return [self.kept(some[0])]
        made = self._made(some)
        return [self._split.split(item) for item in made.value] if made.size > self._split.inline_bytes else made.value

    def _made(self, portion: JSON) -> Ready:
        made = self._ready(portion)
        self.escaped = self.escaped or made.escaped
        self._left -= size_of(made.value) if self._exact else made.size
        if self._left < 0:
            raise TooMuch
        return made


def written(value: JSON, dumps: Callable[[JSON], str]) -> Iterator[str]:
    """The text of `dumps(value)`, in pieces. It must write no spaces, and keys in their order."""
    if isinstance(value, str) or not is_long(value):
        yield dumps(value)
        return
    opens, closes = "{}" if isinstance(value, dict) else "[]"
    parts = _parted(value.items(), _of_member) if isinstance(value, dict) else _parted(value, _itself)
    before = opens
    for some, alone in parts:
        yield before
        if not alone:
            yield dumps(dict(some) if opens == "{" else some)[1:-1]
        elif opens == "{":
            yield dumps({some[0][0]: None})[1 : -len("null}")]
            yield from written(some[0][1], dumps)
        else:
            yield from written(some[0], dumps)
        before = ","
    yield closes


def is_long(value: JSON) -> bool:
    """Whether it has more JSON than a portion, roughly. Looks at no more of it than it takes to know."""
    return _weight(value) > PORTION_BYTES


def _parted(members: Iterable[Member], value_of: Callable[[Member], JSON]) -> Iterator[tuple[list[Member], bool]]:
    """In portions, in order. True: it is one member that is longer than a portion."""
    some: list[Member] = []
    left = PORTION_BYTES
    for member in members:
        weight = _weight(value_of(member))
        if weight > PORTION_BYTES:
            if some:
                yield some, False
            yield [member], True
            some, left = [], PORTION_BYTES
            continue
        some.append(member)
        left -= weight
        if left <= 0:
            yield some, False
            some, left = [], PORTION_BYTES
    if some:
        yield some, False


def _itself(member: JSON) -> JSON:
    return member


def _name(member: tuple[str, JSON]) -> str:
    return member[0]


def _of_member(member: tuple[str, JSON]) -> JSON:
    return member[1]


def _weight(value: JSON) -> int:
    """Of its JSON, roughly and hardly further than `PORTION_BYTES`."""
    weight, waiting = 4, [value]
    while waiting and weight <= PORTION_BYTES:
        found = waiting.pop()
        if isinstance(found, str):
            weight += len(found) + 4
        elif isinstance(found, dict):
            weight += sum(len(name) if isinstance(name, str) else 8 for name in found) + 6 * len(found)
            waiting.extend(found.values())
        elif isinstance(found, list | tuple):
            weight += 2 * len(found)
            waiting.extend(found)
        else:
            weight += 8
    return weight
