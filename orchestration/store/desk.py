"""What a host asks of the database besides writing: runs to take, what is known of them, what is due next.

One connection in the host's loop, used by one coroutine at a time. Claims are committed without waiting for the disk:
one that a crash forgets was never followed by a write (a later commit would have carried it to the disk), and writes
name the host besides the token.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import Any
from uuid import UUID

import psycopg
import structlog

from orchestration.engine.apply import apply_all, begin
from orchestration.engine.events import Event, RunMoved
from orchestration.engine.events.rows import Row, UnknownEvent, from_row
from orchestration.engine.graph import Graph
from orchestration.engine.ids import Key, Path, path_of, path_text
from orchestration.engine.moving import first_definition
from orchestration.engine.signals import Signal, SignalKind
from orchestration.engine.states import RunState
from orchestration.store import claims, effects, snapshots, statements, vocabulary
from orchestration.store.connecting import connect_async
from orchestration.store.errors import TooNew
from orchestration.store.graphs import graph_of
from orchestration.store.leases import Lease, Loaded, Signals
from orchestration.store.snapshots import Snapshots
from orchestration.wakeups import CHANNEL

log = structlog.get_logger(__name__)

JSON = Any
_SIGNALS = frozenset(SignalKind)
_GRAPHS_KEPT = 256
_FOLDED_AT_ONCE = 500
"""Events; then other runs have their turn."""


class Desk:
    """Open with `await Desk.open(host_id)`.

    What drivers ask (load, signals) waits until the database is there. Everything else raises psycopg.Error when it is
    not; `reopen` then mends the connection.
    """

    def __init__(self, host_id: int, connection: psycopg.AsyncConnection[Any]) -> None:
        self.host_id = host_id
        self._connection = connection
        self._lock = asyncio.Lock()
        self._counts_runs_in_hand = True
        self._graphs: dict[str, Graph] = {}

    @classmethod
    async def open(cls, host_id: int) -> Desk:
        return cls(host_id, await _connect())

    async def reopen(self) -> None:
        """Does nothing when the connection works (somebody else was first)."""
        async with self._lock:
            if self.broken:
                self._connection = await _connect()

    @property
    def broken(self) -> bool:
        return self._connection.closed

    async def close(self) -> None:
        await self._connection.close()

    async def claim(self, limit: int, *, suspect: bool = False) -> list[Lease]:
        """Take due runs, as `claims` says whose turn it is; other hosts' claims at the same moment take others."""
        statement = claims.CLAIM_SUSPECT if suspect else claims.CLAIM
        arguments: dict[str, JSON] = {"host": self.host_id, "limit": limit, "lease": statements.LEASE_SECONDS}
        arguments["version"] = vocabulary.version()
        if not self._counts_runs_in_hand:
            return [Lease(*row) for row in await self._fetch(statement, arguments)]
        async with self.transaction() as connection:
            await connection.execute(claims.ONE_AT_A_TIME, [claims.LOCK_CLASS])
            rows = await (await connection.execute(statement, arguments)).fetchall()
        return [Lease(*row) for row in rows]

    async def claim_named(self, runs: Sequence[UUID]) -> list[Lease]:
        """Take those of these runs that are due, whoever's turn it is; none where organisations' runs are limited."""
        if self._counts_runs_in_hand:
            return []
        arguments = {"host": self.host_id, "runs": list(runs), "limit": len(runs), "lease": statements.LEASE_SECONDS}
        rows = await self._fetch(claims.CLAIM_NAMED, arguments | {"version": vocabulary.version()})
        return [Lease(*row) for row in rows]

    async def read_limits(self) -> None:
        """Whether claims must count runs in hand exactly. Asked now and then, since limits seldom change."""
        self._counts_runs_in_hand = bool((await self._fetch(claims.ARE_LIMITED))[0][0])

    async def load(self, lease: Lease) -> Loaded:
        """Fold the run's events, from its snapshot on if it has one. Raises TooNew.

        A run that has no events yet and no signals costs no query once its definition is known.
        """
        graph = await self._graph(lease.definition)
        state, size = await self._newest_snapshot(lease, graph)
        taken = state.seq
        if lease.last_seq > taken:
            rows = await self._patiently(statements.EVENTS, [lease.run_id, taken])
            if not taken:
                state = begin(await self._graph(first_definition(rows, lease.definition)), str(lease.run_id))
            for start in range(0, len(rows), _FOLDED_AT_ONCE):
                found = _events(rows[start : start + _FOLDED_AT_ONCE])
                apply_all(state, [await self._with_graph(event) for event in found])
                await asyncio.sleep(0)
        signals = await self.signals(lease) if lease.signals_posted else Signals(0)
        return Loaded(state, signals, Snapshots(lease, state.graph, seq=taken, size=size))

    async def _newest_snapshot(self, lease: Lease, graph: Graph) -> tuple[RunState, int]:
        """With its size in bytes. Without a usable one the run before its first event, and 0."""
        if lease.last_seq >= snapshots.LONG:
            arguments = {"run": lease.run_id, "shape": snapshots.shape(), "last": lease.last_seq}
            rows = await self._patiently(snapshots.NEWEST, arguments | {"definition": lease.definition})
            for seq, body in rows:
                state = await snapshots.decoded(bytes(body), graph)
                if state is not None and state.seq == seq:
                    return state, len(body)
        return begin(graph, str(lease.run_id)), 0

    async def _with_graph(self, event: Event) -> Event:
        return replace(event, graph=await self._graph(event.definition)) if isinstance(event, RunMoved) else event

    async def with_graph(self, signal: Signal) -> Signal:
        """A signal to move a run, with the graph to move to; without one if it names none that exists."""
        with suppress(LookupError, TypeError):
            return replace(signal, graph=await self._graph(signal.data["definition"]))
        return signal

    async def signals(self, lease: Lease) -> Signals:
        rows = await self._patiently(statements.SIGNALS, [lease.run_id])
        found: list[Signal] = []
        for _, id, kind, posted_at, by, reason, node, path, data in rows:
            if id is None:
                continue
            if kind not in _SIGNALS:
                return Signals(rows[0][0], tuple(found), TooNew(f"a signal of the kind {kind}"))
            place = {"node": node, "path": path_of(path)}
            found.append(Signal(id, SignalKind(kind), posted_at, by=by, reason=reason, data=data, **place))
        return Signals(rows[0][0] if rows else 0, tuple(found))

    async def began_outside(self, run_id: UUID, attempts: Sequence[tuple[str, Path, int]]) -> set[Key]:
        """Which of these attempts (node, path, number) had begun a call to the outside."""
        wanted = [{"node": node, "path": path_text(path), "attempt": number} for node, path, number in attempts]
        rows = await self._patiently(effects.BEGUN_IN, {"run": run_id, "attempts": json.dumps(wanted)})
        return {(node, path_of(path)) for node, path in rows}

    async def signals_posted(self) -> dict[UUID, int]:
        """Of all runs in hand that ever had a signal: for finding one whose notification got lost."""
        return dict(await self._fetch(statements.SIGNALS_POSTED, [self.host_id]))

    async def seconds_to_next(self) -> float | None:
        """Until the next run is due that nobody has in hand; negative if one is."""
        rows = await self._fetch(statements.NEXT_DUE, [vocabulary.version()])
        return rows[0][0]

    async def set_aside(self, lease: Lease, error: JSON) -> bool:
        """The driver failed. Says whether the run is now in quarantine."""
        arguments = {
            "run": lease.run_id,
            "host": self.host_id,
            "token": lease.token,
            "incident": json.dumps(error),
            "most": statements.MOST_CLAIMS,
        }
        rows = await self._fetch(statements.SET_ASIDE, arguments)
        return bool(rows and rows[0][0])

    async def leave(self, lease: Lease, what: str) -> None:
        """Give a run that holds `what` to hosts of a newer version."""
        arguments = {"run": lease.run_id, "host": self.host_id, "token": lease.token, "what": what}
        await self._fetch(statements.LEAVE, arguments | {"version": vocabulary.version(), "channel": CHANNEL})

    async def give_back(self, runs: Sequence[UUID] | None = None) -> list[UUID]:
        """Let others have these runs, or all, at once."""
        rows = await self._fetch(statements.GIVE_BACK, {"host": self.host_id, "runs": list(runs) if runs else None})
        return [row[0] for row in rows]

    async def quarantine(self) -> list[tuple[UUID, int]]:
        """Runs that have cost too many hosts their life: [(run, organisation)]."""
        return await self._fetch(claims.QUARANTINE)

    async def execute(self, statement: str, arguments: Any = None) -> list[Any]:
        return await self._fetch(statement, arguments)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[psycopg.AsyncConnection[Any]]:
        async with self._lock, self._connection.transaction():
            yield self._connection

    async def _graph(self, digest: str) -> Graph:
        if digest not in self._graphs:
            rows = await self._patiently(statements.DEFINITION, [digest])
            if len(self._graphs) >= _GRAPHS_KEPT:
                del self._graphs[next(iter(self._graphs))]
            self._graphs[digest] = graph_of(rows[0][0])
        return self._graphs[digest]

    async def _patiently(self, statement: str, arguments: Any) -> list[Any]:
        while True:
            try:
                return await self._fetch(statement, arguments)
            except psycopg.OperationalError as error:
                await self.patience(error)

    async def patience(self, error: psycopg.OperationalError) -> None:
        """A moment, and a new connection if it can be had. Raises the error if that is not what is wrong."""
        if not self.broken:
            raise error
        log.info("a driver waits for the database", error=str(error).strip())
        await asyncio.sleep(0.2)
        with suppress(psycopg.Error, OSError):
            await self.reopen()

    async def _fetch(self, statement: str, arguments: Any = None) -> list[Any]:
        async with self._lock:
            cursor = await self._connection.execute(statement, arguments)
            return await cursor.fetchall() if cursor.description else []


def _events(rows: Sequence[Any]) -> list[Event]:
    try:
        return [from_row(Row(*row)) for row in rows]
    except UnknownEvent as error:
        raise TooNew(str(error)) from None


async def _connect() -> psycopg.AsyncConnection[Any]:
    connection = await connect_async("desk")
    await connection.execute("SET synchronous_commit = off")
    # all its statements go by indexes, whatever statistics (which lag behind a table that changes so much) may suggest
    await connection.execute("SET enable_seqscan = off")
    await connection.execute("SET plan_cache_mode = force_generic_plan")
    return connection
