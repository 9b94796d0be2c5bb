"""Large values of one run in hand: what its steps keep becomes references, what they read becomes whole.

Most runs have none, and then nothing here costs more than a look at a length.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from orchestration.driving.ready import Place, Plain, put_back, ready, ready_once
from orchestration.driving.seen import Loaded, Overlay, bytes_of, loaded_in
from orchestration.engine.events import Event, RunStarted
from orchestration.engine.states import RunState
from orchestration.expressions.names import Reference
from orchestration.nodes.base import NodeFailure, RunFacts
from orchestration.values.encoding import Value
from orchestration.values.keeper import Body, Keeper, TooMuchAtOnce, ValueGone, check_at_once
from orchestration.values.references import (
    digests_in,
    is_escaped,
    is_plain,
    is_reference,
)
from orchestration.values.splitting import INLINE_BYTES, Split

if TYPE_CHECKING:
    from orchestration.driving.much import MuchValues

JSON = Any
Kept = TypeVar("Kept")
ITEMS_BYTES = 4 * 1024 * 1024
"""What the items, and about what the results, of one loop may hold inline."""
LEAST_INLINE_BYTES = 1024
MUCH_BYTES = 2 * 1024 * 1024
LONGEST_TEXT_BYTES = 1024 * 1024
"""Of a title or a message that a waiting or failing node shows: these stay texts."""


class RunValues:
    """`involved`: the run has references or escapes anywhere, so what is read must be looked at."""

    def __init__(self, keeper: Keeper, facts: RunFacts) -> None:
        self.involved = False
        self._facts = facts
        self._keeper, self._run, self._organisation = keeper, facts.id, facts.organisation_id
        self._unwritten: dict[str, Value] = {}

    async def keep(self, value: JSON, work: Callable[[RunValues], Kept], loaded: Iterable[Loaded] = ()) -> Kept:
        """`work(values)` keeps what is made of `value`. Of much in a thread, for which the host's other runs, and its
        signs of life, do not wait. Raises what `work` raises.
        """
        return await self.apart(work, loaded) if is_much(value) else work(self)

    async def apart(self, work: Callable[[MuchValues], Kept], loaded: Iterable[Loaded] = ()) -> Kept:
        """`work(values)` in a thread. `loaded`: objects that are stored already and are as they were loaded."""
        from orchestration.driving.much import MuchValues  # which builds upon this

        apart = MuchValues(self._keeper, self._facts, loaded)
        made = await asyncio.to_thread(work, apart)
        self._unwritten |= apart._unwritten
        self.involved = self.involved or apart.involved
        return made

    # -- keeping -----------------------------------------------------------------------------------------------------

    def kept(self, value: JSON, *, inline_bytes: int = INLINE_BYTES) -> JSON:
        """As events and rows carry it: JSON, without secrets, large parts as references. Raises NodeFailure."""
        if value is None:
            return None
        plain = self._plain_but_known(value) if self._keeper.cache else ready(value)
        self.involved = self.involved or plain.escaped
        return plain.value if plain.size <= inline_bytes else self.split(plain.value, inline_bytes)

    def kept_answer(self, value: JSON, usage: JSON) -> tuple[JSON, JSON]:
        """`kept(value)` and `kept_report(usage)`; as one, if they are small. Raises NodeFailure."""
        if value is not None and usage is not None and not self._keeper.cache:
            plain = ready([value, usage])
            if plain.size <= INLINE_BYTES:
                self.involved = self.involved or plain.escaped
                return plain.value[0], plain.value[1]
        return self.kept(value), self.kept_report(usage)

    def kept_once(self, source: object, read: Callable[[], dict[str, JSON]]) -> dict[str, JSON]:
        """`kept_members(read())` of a source that never changes; small ones from memory. Not to be changed.

        Raises NodeFailure.
        """
        plain = ready_once(source, read)
        if plain.size > INLINE_BYTES or plain.escaped:
            return self.kept_members(read())
        members: dict[str, JSON] = plain.value
        return members

    def kept_members(self, value: Mapping[str, JSON]) -> dict[str, JSON]:
        """The same for an object that must stay one: each large member by itself. Raises NodeFailure."""
        plain = self._plain_but_known(dict(value)) if self._keeper.cache else ready(dict(value))
        self.involved = self.involved or plain.escaped
        members: dict[str, JSON] = plain.value
        if plain.size <= INLINE_BYTES:
            return members
        return self._noted(lambda split: split.members(members), INLINE_BYTES)

    def kept_report(self, value: JSON) -> JSON:
        """Of an object whose texts are shown as they are (an error, what a person is asked): only its lists and objects
        become references. Raises NodeFailure."""
        if value is None:
            return None
        plain = ready(value)
        self.involved = self.involved or plain.escaped
        if plain.size <= INLINE_BYTES or not isinstance(plain.value, dict):
            return plain.value
        texts = sum(len(item) for item in plain.value.values() if isinstance(item, str))
        if texts > LONGEST_TEXT_BYTES:
            raise NodeFailure("Its texts have more than 1 MiB; show less, or in its context.", code="too_large")
        return {name: item if isinstance(item, str) else self.split(item) for name, item in plain.value.items()}

    def kept_items(self, value: list[JSON]) -> list[JSON]:
        """The same for a loop's items, which stay a list. Raises NodeFailure."""
        plain = self._plain_but_known(value) if self._keeper.cache else ready(value)
        self.involved = self.involved or plain.escaped
        items: list[JSON] = plain.value
        if plain.size <= INLINE_BYTES:
            return items
        return self._noted(lambda split: split.items(items, budget=ITEMS_BYTES), INLINE_BYTES)

    def split(self, value: JSON, inline_bytes: int = INLINE_BYTES) -> JSON:
        """Large parts of what is kept already become references."""
        return self._noted(lambda split: split.split(value), inline_bytes)

    def _noted(self, work: Callable[[Split], Kept], inline_bytes: int) -> Kept:
        split = Split(inline_bytes=inline_bytes)
        made = work(split)
        self.note(split.values)
        return made

    def note(self, values: Mapping[str, Value], *, involved: bool = False) -> None:
        """These are to be written. `involved`: as of the run."""
        if values:
            self._unwritten |= values
        self.involved = self.involved or involved or bool(values)

    def known(self, value: JSON) -> JSON:
        """The reference of a text that came out of the cache unchanged; None of anything else."""
        if isinstance(value, str) and len(value) > INLINE_BYTES:
            return self._keeper.cache.reference_of(self._organisation, value)
        return None

    def _plain_but_known(self, value: JSON) -> Plain:
        """Texts that came out of the cache unchanged are stored already, and not read through again."""
        known: dict[Place, JSON] = {}
        rest = self._take_out(value, known, ())
        if not known:
            return ready(value)
        self.involved = True
        plain = ready(rest)
        try:
            for place, reference in known.items():
                plain.value = put_back(plain.value, place, reference)
        except KeyError:  # a key on the way held a secret and reads otherwise now
            return ready(value)
        return plain

    def _take_out(self, value: JSON, known: dict[Place, JSON], path: Place) -> JSON:
        match value:
            case str():
                if len(value) <= INLINE_BYTES:
                    return value  # results of long loops are kept apart sooner; elsewhere such a text stands as it is
                reference = self.known(value)
                if reference is None:
                    return value
                known[path] = reference
                return None
            case dict():
                return {name: self._take_out(item, known, (*path, str(name))) for name, item in value.items()}
            case list() | tuple():
                return [self._take_out(item, known, (*path, index)) for index, item in enumerate(value)]
        return value

    async def write(self) -> None:
        """Before the events are that name them."""
        if self._unwritten:
            values, self._unwritten = list(self._unwritten.values()), {}
            await self._keeper.put(self._run, self._organisation, values)

    # -- taking over -------------------------------------------------------------------------------------------------

    async def begin(self, state: RunState, events: Iterable[Event]) -> None:
        """Look through what the run has already. A run that begins names what it was given: another run made it."""
        self.involved = not all(map(is_plain, _data_of(state)))
        for event in events:
            if isinstance(event, RunStarted) and self.involved:
                await self._keeper.adopt(self._run, self._organisation, digests_in(list(_data_of(state))))

    async def take_in(self, data: JSON) -> None:
        """What comes from outside with a signal may name values of another run."""
        if not is_plain(data):
            self.involved = True
            await self._keeper.adopt(self._run, self._organisation, digests_in(data))

    # -- reading -----------------------------------------------------------------------------------------------------

    async def whole(self, value: JSON) -> JSON:
        """Raises NodeFailure."""
        if not self.involved or is_plain(value):
            return value
        try:
            return await self._keeper.whole(self._organisation, value, self._unwritten)
        except (ValueGone, TooMuchAtOnce) as error:
            raise NodeFailure(str(error), code=error.code) from error

    async def seen(self, scope: Mapping[str, JSON], read: Callable[[], Iterable[Reference]]) -> Mapping[str, JSON]:
        """`scope` with everything whole that is read, and nothing else loaded. Raises NodeFailure."""
        if not self.involved:
            return scope
        seen = Overlay(scope)
        for reference in read():
            if reference.root in scope:
                seen.roots[reference.root] = await self._along(seen[reference.root], reference.path, seen.loaded)
        try:
            check_at_once(bytes_of(seen.loaded))
        except TooMuchAtOnce as error:
            raise NodeFailure(str(error), code=error.code) from error
        return seen

    async def _along(self, value: JSON, path: Place, loaded: list[Loaded]) -> JSON:
        """`value` with what lies at the end of the path whole."""
        kept = value
        if path and is_reference(value):
            body = await self._body(value["$value"])
            if body.plain:
                loaded.append((body.value, value))
                return body.value
            value = body.value
        if not path or (isinstance(value, dict) and any(map(is_escaped, value))):
            made = await self.whole(kept)
            loaded.extend(loaded_in(kept, made))
            return made
        step, rest = path[0], path[1:]
        try:
            found: JSON = value[step] if isinstance(value, dict | list) else None  # type: ignore[index]
        except (KeyError, IndexError, TypeError):
            return value  # the evaluation says what is missing
        if found is None:
            return value
        made = await self._along(found, rest, loaded)
        if made is found:
            return value
        copy = value.copy()
        copy[step] = made
        return copy

    async def _body(self, digest: str) -> Body:
        try:
            return await self._keeper.body(self._organisation, digest, self._unwritten)
        except ValueGone as error:
            raise NodeFailure(str(error), code=error.code) from error


def inline_bytes_of_results(iterations: int) -> int:
    """The more iterations, the less each result may hold inline."""
    return max(LEAST_INLINE_BYTES, min(INLINE_BYTES, ITEMS_BYTES // max(1, iterations)))


def is_much(value: JSON) -> bool:
    """More than some MiB of JSON, roughly. Looks at no more of it than it takes to know."""
    left, waiting = MUCH_BYTES, [value]
    while waiting and left > 0:
        match waiting.pop():
            case str() as text:
                left -= len(text)
            case dict() as members:
                left -= 16 * len(members)
                waiting.extend(members.values())
            case list() | tuple() as items:
                left -= 8 * len(items)
                waiting.extend(items)
    return left <= 0


def _data_of(state: RunState) -> Iterator[JSON]:
    yield state.inputs
    yield state.variables
    for layer in state.shared.values():
        yield [entry.value for entry in layer.values()]
    for undoable in state.undoable.values():
        yield undoable.inputs
        yield undoable.outputs
        yield undoable.loop
    for node_run in state.nodes.values():
        yield node_run.outputs
        yield node_run.error
        yield node_run.wait_data
        yield node_run.signal
        yield node_run.edited
        yield node_run.handles
        if node_run.loop is not None:
            yield node_run.loop.items
            yield list(node_run.loop.results.values())
            yield list(node_run.loop.errors.values())
