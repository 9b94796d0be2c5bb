"""Stored values on a host: written before the events that name them, loaded when a node that reads them begins.

One connection of its own, opened at the first large value: moving 100 MiB must not hold up claims or signals. What was
written or loaded lately stays in a cache that is bounded by bytes, so that a text handed from node to node is fetched
once; the state of a run holds references only.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Coroutine, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, TypeVar
from uuid import UUID

import psycopg
import structlog
from django.conf import settings

from orchestration.store.connecting import connect_async
from orchestration.values import statements
from orchestration.values.encoding import Value, chunks, decoded, unpacked
from orchestration.values.references import references_in
from orchestration.values.splitting import missing, whole

log = structlog.get_logger(__name__)

JSON = Any
Answer = TypeVar("Answer")
CACHE_BYTES = 64 * 1024 * 1024
QUICK_BYTES = 256 * 1024
"""Of JSON that is gone through on the host's loop; more is in a thread."""


class ValueGone(Exception):
    """A reference without its value. It cannot happen to a run that names it; the node fails and says so."""

    code = "value_gone"

    def __init__(self, digest: str) -> None:
        super().__init__(f"The stored value {digest[:12]}… is not there any more.")


class TooMuchAtOnce(Exception):
    code = "too_large"

    def __init__(self) -> None:
        super().__init__(
            f"What this refers to has more than {settings.ENGINE_READ_MIB} MiB together, which is the most that is "
            "loaded at once. Refer to the parts that are needed, or work through a list in a loop; or raise "
            "ENGINE_READ_MIB, if the hosts have ten times as much memory."
        )


def check_at_once(size: int) -> None:
    """Of what one node reads, in bytes: it is whole in memory while the node works. Raises TooMuchAtOnce."""
    if size > settings.ENGINE_READ_MIB * 1024 * 1024:
        raise TooMuchAtOnce


@dataclass(frozen=True, slots=True)
class Body:
    """A stored value in memory. One that is not `plain` has references or escapes in it."""

    value: JSON = field(repr=False)
    plain: bool
    bytes: int
    reference: dict[str, JSON]


class Cache:
    """The bodies used last, at most `most` bytes of them. Also knows a body by the very object it handed out."""

    def __init__(self, most: int = CACHE_BYTES) -> None:
        self.most, self.bytes = most, 0
        self._bodies: OrderedDict[tuple[int, str], Body] = OrderedDict()
        self._by_object: dict[int, tuple[int, Body]] = {}

    def get(self, organisation: int, digest: str) -> Body | None:
        body = self._bodies.get((organisation, digest))
        if body is not None:
            self._bodies.move_to_end((organisation, digest))
        return body

    def put(self, organisation: int, digest: str, body: Body) -> None:
        if body.bytes > self.most or (organisation, digest) in self._bodies:
            return
        self._bodies[organisation, digest] = body
        if body.plain:
            self._by_object[id(body.value)] = (organisation, body)
        self.bytes += body.bytes
        while self.bytes > self.most:
            _, oldest = self._bodies.popitem(last=False)
            self._by_object.pop(id(oldest.value), None)
            self.bytes -= oldest.bytes

    def reference_of(self, organisation: int, value: JSON) -> dict[str, JSON] | None:
        """The reference of a value that came out of here unchanged: it need not be read through again."""
        known = self._by_object.get(id(value))
        if known is None or known[0] != organisation or known[1].value is not value:
            return None
        return known[1].reference

    def __bool__(self) -> bool:
        return bool(self._by_object)


class Keeper:
    """Of one host: stores large values and loads them, each once however many ask at the same time."""

    def __init__(self, cache: Cache | None = None) -> None:
        self.cache = Cache() if cache is None else cache
        self.loads = 0
        self._connection: psycopg.AsyncConnection[Any] | None = None
        self._lock = asyncio.Lock()
        self._loading: dict[tuple[int, str], asyncio.Task[Body]] = {}

    async def close(self) -> None:
        for task in self._loading.values():
            task.cancel()
        if self._connection is not None:
            await self._connection.close()

    # -- writing -----------------------------------------------------------------------------------------------------

    async def put(self, run: UUID, organisation: int, values: Iterable[Value]) -> None:
        """Store what is not there yet, and note that the run names all of them. Waits until the database is there."""
        wanted = sorted(values, key=lambda value: value.digest)  # the same order everywhere, so nobody deadlocks
        if wanted:
            await self._patiently(lambda: self._put(run, organisation, wanted))
        for value in wanted:
            if value.is_read:
                self.cache.put(organisation, value.digest, _body_of(value))

    async def _put(self, run: UUID, organisation: int, wanted: list[Value]) -> None:
        connection = await self._connected()
        digests = [value.digest for value in wanted]
        cursor = await connection.execute(statements.KNOWN, {"organisation": organisation, "digests": digests})
        known = {digest for (digest,) in await cursor.fetchall()}
        packed = {
            value.digest: await asyncio.to_thread(lambda raw=value.raw: list(chunks(raw)))  # type: ignore[misc]
            for value in wanted
            if value.digest not in known
        }
        async with connection.transaction():
            for value in wanted:
                cursor = await connection.execute(statements.NAME, row_of(organisation, value))
                found = await cursor.fetchone()
                id, made = found or (0, False)
                if made:
                    pieces = packed.get(value.digest) or list(chunks(value.raw))  # collected a moment ago
                    for number, piece in enumerate(pieces):
                        await connection.execute(statements.ADD_CHUNK, (id, number, piece))
                await connection.execute(statements.USE, (run, id))

    async def adopt(self, run: UUID, organisation: int, digests: list[str]) -> None:
        """The run names values that another run of the organisation has stored."""
        if digests:
            arguments = {"run": run, "organisation": organisation, "digests": digests}
            await self._patiently(lambda: self._execute(statements.ADOPT, arguments))

    # -- reading -----------------------------------------------------------------------------------------------------

    async def whole(self, organisation: int, value: JSON, unwritten: Mapping[str, Value]) -> JSON:
        """`value` as its author knows it. `unwritten`: what is not stored yet. Raises ValueGone, TooMuchAtOnce."""
        bodies: dict[str, Body] = {}
        loaded = to_walk = 0
        check_at_once(sum({one["$value"]: one["bytes"] for one in references_in(value)}.values()))
        while lacking := await _worked_out(lambda: list(dict.fromkeys(missing(value, bodies))), to_walk):
            for digest in lacking:
                body = bodies[digest] = await self.body(organisation, digest, unwritten)
                loaded += body.bytes
                to_walk += 0 if body.plain else body.bytes
                check_at_once(loaded)
        return await _worked_out(lambda: whole(value, bodies), to_walk)

    async def body(self, organisation: int, digest: str, unwritten: Mapping[str, Value]) -> Body:
        """Raises ValueGone."""
        made = unwritten.get(digest)
        if made is None:
            return await self.load(organisation, digest)
        if made.is_read:
            return _body_of(made)
        return await asyncio.to_thread(_body_of, made)

    async def load(self, organisation: int, digest: str) -> Body:
        """Several who want the same at once wait for one load. Raises ValueGone."""
        body = self.cache.get(organisation, digest)
        if body is not None:
            return body
        key = (organisation, digest)
        if key not in self._loading:
            task = asyncio.get_running_loop().create_task(self._load(organisation, digest))
            self._loading[key] = task
            task.add_done_callback(lambda done: self._loading.pop(key, None))
        return await asyncio.shield(self._loading[key])

    async def _load(self, organisation: int, digest: str) -> Body:
        arguments = {"organisation": organisation, "digest": digest}
        rows = await self._patiently(lambda: self._execute(statements.LOAD, arguments))
        if not rows:
            raise ValueGone(digest)
        self.loads += 1
        body = await asyncio.to_thread(_body, digest, rows)
        self.cache.put(organisation, digest, body)
        return body

    # -- the connection ----------------------------------------------------------------------------------------------

    async def _execute(self, statement: str, arguments: Mapping[str, JSON]) -> list[Any]:
        connection = await self._connected()
        cursor = await connection.execute(statement, arguments, binary=True)
        return await cursor.fetchall() if cursor.description else []

    async def _connected(self) -> psycopg.AsyncConnection[Any]:
        if self._connection is None or self._connection.closed:
            self._connection = await connect_async("values")
        return self._connection

    async def _patiently(self, work: Callable[[], Coroutine[Any, Any, Answer]]) -> Answer:
        """One piece of work at a time; a broken connection is made anew until it works."""
        async with self._lock:
            while True:
                try:
                    return await work()
                except (psycopg.OperationalError, OSError) as error:
                    lost = self._connection is None or self._connection.closed
                    if not lost and not isinstance(error, psycopg.errors.DeadlockDetected):
                        raise
                    log.info("a run waits for the database with a large value", error=str(error).strip())
                    with suppress(psycopg.Error):
                        if self._connection is not None:
                            await self._connection.close()
                await asyncio.sleep(0.2)


def whole_on(connection: psycopg.Connection[Any], organisation: int, value: JSON) -> JSON:
    """`value` as its author knows it, for whoever writes rows in the commit that keeps it. Raises ValueGone."""
    bodies: dict[str, Body] = {}
    while lacking := list(dict.fromkeys(missing(value, bodies))):
        for digest in lacking:
            rows = connection.execute(statements.LOAD, {"organisation": organisation, "digest": digest}).fetchall()
            if not rows:
                raise ValueGone(digest)
            bodies[digest] = _body(digest, rows)
    return whole(value, bodies)


def row_of(organisation: int, value: Value) -> dict[str, JSON]:
    """Of `statements.NAME`."""
    return {
        "organisation": organisation,
        "digest": value.digest,
        "kind": value.kind,
        "bytes": len(value.raw),
        "plain": value.plain,
        "names": list(value.names),
    }


async def _worked_out(work: Callable[[], Answer], size: int) -> Answer:
    """In a thread, if it walks through so many bytes of JSON that the host's other runs should not wait for it."""
    return await asyncio.to_thread(work) if size > QUICK_BYTES else work()


def _body_of(value: Value) -> Body:
    return Body(value.value, value.plain, len(value.raw), value.reference)


def _body(digest: str, rows: list[tuple[str, bool, bytes]]) -> Body:
    kind, plain, _ = rows[0]
    raw = b"".join(unpacked(chunk) for *_, chunk in rows)
    reference = {"$value": digest, "bytes": len(raw), "type": kind}
    return Body(decoded(kind, raw), plain, len(raw), reference)
