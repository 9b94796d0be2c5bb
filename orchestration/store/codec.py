"""States as bytes and back, exactly, by the type hints of their dataclasses.

    codec = Codec(RunState, given=Graph)
    body = codec.encode(state)
    codec.decode(body, graph) == state

No field is named here: a field that is added to a state is carried as soon as its hint says what it is. Hints may be
dataclasses (all fields are arguments), enums, datetime, timedelta, str, int, float, bool, None, tuple, list, dict, set,
frozenset, deque, Counter, and unions of these; `Any` is JSON as it was read. On anything else making the codec raises
TypeError, which names the field.

A body is compressed lines of JSON. The first line is the value; a list longer than SLICE stands on lines of its own,
SLICE items each, and the first line has its number instead: so a thread that encodes or decodes never holds the
interpreter for long.
"""

from __future__ import annotations

import collections
import dataclasses
import hashlib
import json
import types
import zlib
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from enum import Enum
from typing import Any, Generic, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

T = TypeVar("T")
Raw = Any

SLICE = 500
_COMPRESSION = 1  # a state repeats itself: more effort gains little
_PLAIN: frozenset[Any] = frozenset({Any, str, int, float, bool, type(None)})
_dumps = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False, check_circular=False).encode


@dataclasses.dataclass(slots=True)
class Body:
    """What the coders of one value share: its long lists, and what `decode` was given."""

    long: list[list[Raw]] = dataclasses.field(default_factory=list)
    given: Any = None


Step = Callable[[Any, Body], Any]


@dataclasses.dataclass(frozen=True, slots=True)
class Coder:
    """How values of one hint are written and read. `write` None: they are JSON as they are, and read so."""

    shape: str
    """What the hint says, spelt out."""
    write: Step | None = None
    read: Step | None = None
    kinds: tuple[type, ...] = (object,)
    """Classes of its values; tell the members of a union apart."""


class Codec(Generic[T]):
    """Of one dataclass. Fields whose hint is `given` are left out, and handed to `decode`."""

    def __init__(self, root: type[T], *, given: type | None = None) -> None:
        self._given = given
        self._records: dict[type, tuple[Coder, _Record]] = {}
        self._root = self._record(root)
        shapes = sorted(f"{kind.__qualname__}: {record.shape}" for kind, (_, record) in self._records.items())
        self.fingerprint = hashlib.sha256("\n".join(shapes).encode()).hexdigest()
        """Of the structure: only a codec of the same fingerprint reads a body."""

    def encode(self, value: T) -> bytes:
        """Slow enough for a thread; the value must not change meanwhile."""
        body = Body()
        first = self._root.write(value, body) if self._root.write else value
        packer = zlib.compressobj(_COMPRESSION)
        pieces = [packer.compress(_dumps([first, [len(items) for items in body.long]]).encode())]
        for items in body.long:
            slices = (items[start : start + SLICE] for start in range(0, len(items), SLICE))
            pieces += [packer.compress(b"\n" + _dumps(found).encode()) for found in slices]
        return b"".join([*pieces, packer.flush()])

    def decode(self, packed: bytes, given: Any = None) -> T:
        """Of a body that a codec of the same fingerprint has made; another's raises whatever it leads to."""
        lines = iter(zlib.decompress(packed).split(b"\n"))
        first, lengths = json.loads(next(lines))
        body = Body(given=given)
        for length in lengths:
            items: list[Raw] = []
            while len(items) < length:
                items += json.loads(next(lines))
            body.long.append(items)
        found: T = self._root.read(first, body) if self._root.read else first
        return found

    # -- hints --------------------------------------------------------------------------------------------------------

    def _coder(self, hint: Any) -> Coder:
        hint = type(None) if hint is None else hint
        origin, arguments = get_origin(hint) or hint, get_args(hint)
        if hint in _PLAIN:
            name = "None" if hint is type(None) else "JSON" if hint is Any else hint.__name__
            return Coder(name, kinds=(object,) if hint is Any else (hint,))
        if origin is Literal:
            return Coder(repr(hint), kinds=tuple(type(value) for value in arguments))
        if origin in (Union, types.UnionType):
            return _union([self._coder(member) for member in arguments])
        if not isinstance(origin, type):
            raise TypeError(f"{hint!r} is no hint that can be stored")
        if dataclasses.is_dataclass(origin):
            return self._record(origin)
        if issubclass(origin, Enum):
            shape = f"{origin.__qualname__}({', '.join(repr(member.value) for member in origin)})"
            return Coder(shape, lambda value, body: value.value, lambda raw, body: origin(raw), (origin,))
        if origin is datetime:
            return _DATETIME
        if origin is timedelta:
            return _TIMEDELTA
        if origin is tuple and arguments[-1:] != (...,):
            return _fixed_tuple([self._coder(argument) for argument in arguments])
        if issubclass(origin, collections.Counter):
            return _mapping(origin, self._coder(arguments[0]), Coder("int"))
        if issubclass(origin, Mapping) and len(arguments) == 2:
            return _mapping(_MAKES.get(origin, origin), *map(self._coder, arguments))
        if origin in _SEQUENCES and arguments:
            return _sequence(origin, self._coder(arguments[0]))
        raise TypeError(f"{hint!r} is no hint that can be stored")

    def _record(self, kind: type) -> Coder:
        if kind not in self._records:
            record = _Record(kind, self._given)
            self._records[kind] = (Coder(kind.__qualname__, record.write, record.read, (kind,)), record)
            record.fill(self._coder)  # after it is known: a dataclass may hold itself
        return self._records[kind][0]


class _Record:
    """A dataclass: the values of its fields in their order."""

    def __init__(self, kind: type, given: type | None) -> None:
        self._kind, self._given_type = kind, given
        self._names: list[str] = []
        self._given: list[str] = []
        self._writes: list[tuple[int, Step]] = []
        self._reads: list[tuple[int, Step]] = []
        self.shape = ""

    def fill(self, coder: Callable[[Any], Coder]) -> None:
        hints, shapes = get_type_hints(self._kind), []
        for field in dataclasses.fields(self._kind):
            hint = hints[field.name]
            if hint is self._given_type:
                self._given.append(field.name)
                continue
            try:
                found = coder(hint)
            except TypeError as error:
                raise TypeError(f"{self._kind.__qualname__}.{field.name}: {error}") from None
            if not field.init:
                raise TypeError(f"{self._kind.__qualname__}.{field.name} is no argument of it")
            if found.write and found.read:
                self._writes.append((len(self._names), found.write))
                self._reads.append((len(self._names), found.read))
            self._names.append(field.name)
            shapes.append(f"{field.name}={found.shape}")
        self.shape = ", ".join(shapes)

    def write(self, value: Any, body: Body) -> list[Raw]:
        values = [getattr(value, name) for name in self._names]
        for position, write in self._writes:
            values[position] = write(values[position], body)
        return values

    def read(self, raw: list[Raw], body: Body) -> Any:
        values = dict(zip(self._names, raw, strict=True))
        for position, read in self._reads:
            values[self._names[position]] = read(raw[position], body)
        for name in self._given:
            values[name] = body.given
        return self._kind(**values)


def _union(members: list[Coder]) -> Coder:
    shape = " | ".join(member.shape for member in members)
    kinds = tuple(kind for member in members for kind in member.kinds)
    coded = [member for member in members if member.write]
    if not coded:
        return Coder(shape, kinds=kinds)
    if len(members) == 2 and len(coded) == 1 and Coder("None", kinds=(type(None),)) in members:
        return _optional(shape, kinds, coded[0])

    def write(value: Any, body: Body) -> Raw:
        for number, member in enumerate(members):
            if type(value) in member.kinds or member.kinds == (object,):
                return [number, member.write(value, body) if member.write else value]
        raise TypeError(f"{type(value).__name__} is none of {shape}")

    def read(raw: Raw, body: Body) -> Any:
        number, inner = raw
        found = members[number].read
        return found(inner, body) if found else inner

    return Coder(shape, write, read, kinds)


def _optional(shape: str, kinds: tuple[type, ...], member: Coder) -> Coder:
    inner_write, inner_read = _required(member)
    return Coder(
        shape,
        lambda value, body: None if value is None else inner_write(value, body),
        lambda raw, body: None if raw is None else inner_read(raw, body),
        kinds,
    )


def _required(member: Coder) -> tuple[Step, Step]:
    """Its steps; of JSON those that change nothing."""
    return member.write or (lambda value, body: value), member.read or (lambda raw, body: raw)


def _fixed_tuple(members: list[Coder]) -> Coder:
    writes = [_required(member)[0] for member in members]
    reads = [_required(member)[1] for member in members]
    plain = not any(member.write for member in members)

    def write(value: tuple[Any, ...], body: Body) -> Raw:
        if plain:
            return value
        return [step(item, body) for step, item in zip(writes, value, strict=True)]

    def read(raw: list[Raw], body: Body) -> Any:
        return tuple(raw) if plain else tuple([step(item, body) for step, item in zip(reads, raw, strict=True)])

    return Coder(f"tuple[{', '.join(member.shape for member in members)}]", write, read, (tuple,))


def _sequence(kind: Any, member: Coder) -> Coder:
    def write(value: Any, body: Body) -> Raw:
        step = member.write
        items = sorted(value, key=repr) if kind in (set, frozenset) else value  # equal states, equal bodies
        return _listed([step(item, body) for item in items] if step else list(items), body)

    def read(raw: Raw, body: Body) -> Any:
        items, step = _list_of(raw, body), member.read
        return kind([step(item, body) for item in items] if step else items)

    return Coder(f"{kind.__qualname__}[{member.shape}]", write, read, (kind,))


def _mapping(kind: Any, key: Coder, member: Coder) -> Coder:
    """As a list of pairs, whatever the keys are: in their order, which plans depend on."""
    write_key, read_key = _required(key)
    write_value, read_value = _required(member)
    plain = not key.write and not member.write

    def write(value: Mapping[Any, Any], body: Body) -> Raw:
        if plain:
            return _listed(list(value.items()), body)
        return _listed([(write_key(name, body), write_value(item, body)) for name, item in value.items()], body)

    def read(raw: Raw, body: Body) -> Any:
        pairs = _list_of(raw, body)
        if plain:
            return kind(pairs) if kind is dict else kind(dict(pairs))
        found = {read_key(name, body): read_value(item, body) for name, item in pairs}
        return found if kind is dict else kind(found)

    return Coder(f"{kind.__qualname__}[{key.shape}, {member.shape}]", write, read, (kind,))


def _listed(items: list[Raw], body: Body) -> Raw:
    if len(items) <= SLICE:
        return items
    body.long.append(items)
    return len(body.long) - 1


def _list_of(raw: Raw, body: Body) -> list[Raw]:
    return body.long[raw] if type(raw) is int else raw


_SEQUENCES: frozenset[Any] = frozenset({list, tuple, set, frozenset, collections.deque})
_MAKES: dict[Any, Any] = {collections.abc.Mapping: dict, collections.abc.MutableMapping: dict}
_DATETIME = Coder(
    "datetime",
    lambda value, body: value.isoformat(),
    lambda raw, body: datetime.fromisoformat(raw),
    (datetime,),
)
_TIMEDELTA = Coder(
    "timedelta",
    lambda value, body: (value.days, value.seconds, value.microseconds),
    lambda raw, body: timedelta(*raw),
    (timedelta,),
)
