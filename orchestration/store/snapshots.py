"""Snapshots: the state of a long run as it was after one of its events, so that a takeover folds only what follows.

The events are the truth and a snapshot is an aid: it is used only where it is certain to say the same. Its `shape`
names everything that a fold depends on (structure of the state, the engine's code, the node types' flags), so after an
update the first takeover folds from the beginning. Its `definition` is the graph it was made with.

It is taken right after a commit, while the driver waits, so it holds events that are written and nothing else; encoding
happens in a thread beside the loop, and writing it is waited for by nobody. The row is written under the lease's token.
How often depends on its size, so that a run never writes more bytes of snapshots than a kilobyte an event.
"""

from __future__ import annotations

import asyncio
import hashlib
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import structlog

from orchestration import engine
from orchestration.engine.graph import Graph
from orchestration.engine.states import RunState
from orchestration.engine.statuses import RunStatus
from orchestration.nodes.base import node_types
from orchestration.store.codec import Codec
from orchestration.store.connecting import connect

if TYPE_CHECKING:
    from orchestration.store.leases import Lease

log = structlog.get_logger(__name__)

LONG = 1_000
"""Events from which a run is worth a snapshot when it is let go; folding fewer takes some milliseconds."""
EVERY = 5_000
"""Events between two snapshots of a run in hand, at least."""
BYTES_AN_EVENT = 1_000

TAKE = """
INSERT INTO orchestration_runsnapshot AS old (run_id, seq, shape, definition, body, taken_at)
SELECT run.id, %(seq)s, %(shape)s, %(definition)s, %(body)s, clock_timestamp() FROM orchestration_run AS run
WHERE run.id = %(run)s AND run.lease_token = %(token)s AND run.last_seq >= %(seq)s
ON CONFLICT (run_id) DO UPDATE SET seq = excluded.seq, shape = excluded.shape, definition = excluded.definition,
    body = excluded.body, taken_at = excluded.taken_at
"""
NEWEST = """
SELECT seq, body FROM orchestration_runsnapshot
WHERE run_id = %(run)s AND shape = %(shape)s AND definition = %(definition)s AND seq <= %(last)s
"""

_thread = ThreadPoolExecutor(1, thread_name_prefix="snapshots")
"""Not the loop's own threads: those may all be taken by agents that block."""


@cache
def codec() -> Codec[RunState]:
    return Codec(RunState, given=Graph)


@cache
def shape() -> str:
    """Of this code: what a state looks like, and what a fold makes of events."""
    found = hashlib.sha256(codec().fingerprint.encode())
    found.update(code_below(Path(engine.__path__[0])).encode())
    for kind, node_type in node_types().items():
        found.update(f"{kind} {node_type.inline} {node_type.container}".encode())
    return found.hexdigest()


def code_below(folder: Path) -> str:
    """Of all modules in a folder and in those inside of it."""
    files = sorted(folder.rglob("*.py"))
    found = [f"{file.relative_to(folder)} {hashlib.sha256(file.read_bytes()).hexdigest()}" for file in files]
    return hashlib.sha256("\n".join(found).encode()).hexdigest()


async def decoded(body: bytes, graph: Graph) -> RunState | None:
    """None if it cannot be read, which is told and costs nothing but time."""
    loop = asyncio.get_running_loop()
    try:
        return await loop.run_in_executor(_thread, codec().decode, body, graph)
    except Exception as error:  # noqa: BLE001  whatever is wrong with it: the events say the same
        log.warning("a snapshot cannot be read", error=f"{type(error).__name__}: {error}")
        return None


class Snapshots:
    """Of one run in hand. `seq` and `size`: of the last one that is known."""

    def __init__(self, lease: Lease, graph: Graph, *, seq: int = 0, size: int = 0) -> None:
        self._lease, self._graph = lease, graph
        self._seq, self._size = seq, size
        self._written: Future[None] | None = None

    def due(self, state: RunState) -> bool:
        """Whether it is time for one of a run in hand."""
        return state.seq - self._seq >= max(EVERY, self._size // BYTES_AN_EVENT) and self._may(state)

    async def after_commit(self, state: RunState, *, gone: bool) -> None:
        """Take one if it is time to. All of the state must have been written, and it must not change meanwhile."""
        least = LONG if gone else max(EVERY, self._size // BYTES_AN_EVENT)
        if state.seq - self._seq < least or not self._may(state):
            return
        self._seq = state.seq
        work = _thread.submit(codec().encode, state)
        if gone:  # nobody changes it any more
            work.add_done_callback(partial(self._encoded, state.seq))
            return
        await asyncio.wait([asyncio.wrap_future(work)])
        self._encoded(state.seq, work)

    def _may(self, state: RunState) -> bool:
        if state.status is RunStatus.COMPLETED or state.graph is not self._graph:  # nobody goes on from it; moved
            return False
        return self._written is None or self._written.done()

    def _encoded(self, seq: int, work: Future[bytes]) -> None:
        if work.cancelled():
            return
        error = work.exception()
        if error is not None:
            log.error("a state cannot be made a snapshot of", run=str(self._lease.run_id), error=str(error))
            return
        self._size = len(work.result())
        self._written = _thread.submit(_write, self._lease, seq, work.result())


def _write(lease: Lease, seq: int, body: bytes) -> None:
    """An error is told and left: the next one is written sooner or later."""
    arguments: dict[str, Any] = {
        "run": lease.run_id,
        "token": lease.token,
        "seq": seq,
        "shape": shape(),
        "definition": lease.definition,
        "body": body,
    }
    try:
        with connect("snapshots") as connection:
            connection.execute("SET synchronous_commit = off")  # one that a crash forgets is not missed
            connection.execute(TAKE, arguments)
    except psycopg.Error as error:
        log.warning("a snapshot was not written", run=str(lease.run_id), seq=seq, error=str(error).strip())
