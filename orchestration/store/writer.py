"""The writer of one host: a thread, a connection, and a commit for everything that was handed in meanwhile.

    loop:    hand in a checkpoint, await its answer          (any number of drivers, each one at a time)
             hand in that an outside call begins             (each attempt one at a time; `effects.py`)
    thread:  take all that was handed in; one statement; answer each

So the queue holds at most one item a driver and one an attempt: it is bounded by the host's limits, and who hands in
faster than the disk can take it waits.

Failures. A row that PostgreSQL refuses fails the whole statement, so the batch is then written one by one and only the
guilty waiter gets the error. A broken connection is made anew, with growing pauses, and the batch is written again: a
checkpoint that had gone through is recognised by the run's last event number. A row that somebody else holds for long
(lock timeout, deadlock) makes its own checkpoint wait and not the others: it is put aside and tried again and again.
"""

from __future__ import annotations

import asyncio
import queue
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg
import structlog

from orchestration.store import effects, statements
from orchestration.store.checkpoints import Checkpoint, Written
from orchestration.store.connecting import connect
from orchestration.store.errors import LeaseLost, StoreClosed
from orchestration.store.values import for_statement

log = structlog.get_logger(__name__)

LOCK_TIMEOUT_MS = 1000
_ASIDE_TIMEOUT_MS = 20
"""For what was put aside: meanwhile everybody else of the host waits."""
_ASIDE_SECONDS = 0.1
"""Between two tries."""
_BATCH_MOST = 500
_PAUSES = (0.05, 0.1, 0.2, 0.5, 1.0)
_TRANSIENT = (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected, psycopg.errors.SerializationFailure)


@dataclass(slots=True, eq=False)
class _Waiter:
    item: Checkpoint | effects.Entry
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[Any]
    answer: Written | datetime | BaseException | None = field(default=None)
    """What `item` comes to: Written for a checkpoint, the time of the commit for an entry, or why not."""
    was_aside: bool = False

    @property
    def alone(self) -> bool:
        """It locks rows of other runs; see `nodes.commit_hooks`."""
        return isinstance(self.item, Checkpoint) and self.item.alone

    @property
    def run(self) -> UUID:
        return self.item.lease.run_id


@dataclass(frozen=True, slots=True)
class _Beat:
    """Asks for a sign of life of these runs' leases."""

    runs: tuple[UUID, ...]


_Item = _Waiter | _Beat | None


class Writer:
    """`committed` is called in the loop with the checkpoints of each commit, before their waiters go on."""

    def __init__(self, host_id: int, *, committed: Callable[[Sequence[Checkpoint]], None] = lambda done: None) -> None:
        self.host_id = host_id
        self._committed = committed
        self._queue: queue.SimpleQueue[_Item] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="store-writer", daemon=True)
        self._connection: psycopg.Connection[Any] | None = None
        self._closed = False
        self._aside: list[_Waiter] = []
        """Those whose row somebody else holds, and what came of the same runs behind them, in order."""
        self._aside_until = 0.0
        self.commits = 0
        self.checkpoints = 0

    def start(self) -> None:
        self._thread.start()

    async def write(self, checkpoint: Checkpoint) -> Written:
        """Raises LeaseLost when the run is not the host's any more, and whatever PostgreSQL says of a wrong row."""
        return await self.hand_in(checkpoint)

    def hand_in(self, checkpoint: Checkpoint) -> asyncio.Future[Written]:
        return self._hand_in(checkpoint)

    def record(self, entry: effects.Entry) -> asyncio.Future[datetime]:
        """Write down that an outside call begins or has ended. LeaseLost: it must not be made."""
        return self._hand_in(entry)

    def _hand_in(self, item: Checkpoint | effects.Entry) -> asyncio.Future[Any]:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Any] = loop.create_future()
        if self._closed:
            future.set_exception(StoreClosed("The writer has ended."))
        else:
            self._queue.put(_Waiter(item, loop, future))
        return future

    def beat(self, runs: Iterable[UUID]) -> None:
        """Extend the leases of quiet runs. Called by the host's loop: a loop that hangs lets its leases expire."""
        self._queue.put(_Beat(tuple(runs)))

    def close(self, seconds: float = 5.0) -> None:
        """Write what is handed in, then end. Blocks; call from outside of the loop or at its very end."""
        self._closed = True
        self._queue.put(None)
        self._thread.join(seconds)

    # -- the thread ---------------------------------------------------------------------------------------------------

    def _work(self) -> None:
        try:
            while (batch := self._next_batch()) is not None:
                waiters = [item for item in batch if isinstance(item, _Waiter)]
                ready = [waiter for waiter in waiters if not self._put_behind(waiter)]
                together = [waiter for waiter in ready if not waiter.alone]
                alone = [[waiter] for waiter in ready if waiter.alone]
                for group in ([together] if together else []) + alone:
                    self._write(group)
                    self._answer(group)
                for beat in (item for item in batch if isinstance(item, _Beat)):
                    self._extend(beat)
                self._try_again()
            while self._aside:
                time.sleep(_ASIDE_SECONDS)
                self._try_again()
        finally:
            if self._connection is not None:
                self._connection.close()

    def _next_batch(self) -> list[_Waiter | _Beat] | None:
        """All that was handed in, at least one unless something is aside; None when the writer is to end."""
        batch: list[_Waiter | _Beat] = []
        try:
            item = self._queue.get(timeout=_ASIDE_SECONDS if self._aside else None)
        except queue.Empty:
            return batch
        while item is not None:
            batch.append(item)
            if len(batch) >= _BATCH_MOST:
                return batch
            try:
                item = self._queue.get_nowait()
            except queue.Empty:
                return batch
        if batch:
            self._queue.put(None)  # end after this one
            return batch
        return None

    def _write(self, waiters: Sequence[_Waiter]) -> None:
        """Fill in every waiter's answer, however long it takes; but who has to wait for a row is put aside."""
        try:
            self._through(waiters)
        except _TRANSIENT as error:
            if len(waiters) > 1:
                self._one_by_one(waiters)
                return
            if not waiters[0].was_aside:
                log.info("a checkpoint waits for a lock", run=str(waiters[0].run), error=str(error).strip())
            waiters[0].was_aside = True
            self._aside.append(waiters[0])
        except (psycopg.Error, TypeError, ValueError) as error:
            if len(waiters) == 1:
                waiters[0].answer = error
                return
            log.warning("a checkpoint spoils its batch", error=str(error), batch=len(waiters))
            for waiter in waiters:
                self._write([waiter])
        except Exception as error:  # noqa: BLE001  a hook's bug must reach its own waiter, and leave the thread alive
            if len(waiters) == 1:
                waiters[0].answer = error
                return
            for waiter in waiters:
                self._write([waiter])

    def _through(self, waiters: Sequence[_Waiter]) -> None:
        attempt = 0
        while True:
            try:
                self._commit(waiters)
                return
            except psycopg.OperationalError as error:
                if isinstance(error, _TRANSIENT):
                    raise
                if self._connection is not None and not self._connection.broken and not _went_away(error):
                    raise
                log.warning("the store has lost its database", error=str(error).strip(), attempt=attempt)
                self._disconnect()
            time.sleep(_PAUSES[min(attempt, len(_PAUSES) - 1)])
            attempt += 1

    def _put_behind(self, waiter: _Waiter) -> bool:
        """If something of the same run is aside, so is this, behind it. Says whether."""
        behind = any(other.run == waiter.run for other in self._aside)
        if behind:
            self._aside.append(waiter)
        return behind

    def _one_by_one(self, waiters: Sequence[_Waiter]) -> None:
        """With little patience: it is known that somebody holds the row of one of them."""
        self._wait_for_locks(_ASIDE_TIMEOUT_MS)
        for waiter in waiters:
            if not self._put_behind(waiter):
                self._write([waiter])
        self._wait_for_locks(LOCK_TIMEOUT_MS)

    def _try_again(self) -> None:
        """What is aside, in its order."""
        if not self._aside or time.monotonic() < self._aside_until:
            return
        aside, self._aside = self._aside, []
        self._one_by_one(aside)
        self._answer(aside)
        self._aside_until = time.monotonic() + _ASIDE_SECONDS

    def _wait_for_locks(self, milliseconds: int) -> None:
        with suppress(psycopg.Error):  # a connection that is broken is made anew, with the longer time
            self._connected().execute(f"SET lock_timeout = {milliseconds}")

    def _commit(self, waiters: Sequence[_Waiter]) -> None:
        """Entries go first: what they tell of is older than the checkpoints that came with them."""
        connection = self._connected()
        steps = [(waiter, waiter.item) for waiter in waiters if isinstance(waiter.item, Checkpoint)]
        entries = [(waiter, waiter.item) for waiter in waiters if isinstance(waiter.item, effects.Entry)]
        checkpoints = [checkpoint for _, checkpoint in steps]
        together = any(checkpoint.hooks or checkpoint.effects_ended for checkpoint in checkpoints)
        with connection.transaction() if together or (entries and steps) else nullcontext():
            held = self._record(connection, [entry for _, entry in entries]) if entries else {}
            written = self._execute(connection, checkpoints) if steps else {}
            if together:
                self._write_along(connection, [one for one in checkpoints if one.lease.run_id in written])
        self.commits += 1
        self.checkpoints += len(checkpoints)
        missing = [checkpoint for checkpoint in checkpoints if checkpoint.lease.run_id not in written]
        standing = self._standing(connection, missing) if missing else {}
        for waiter, checkpoint in steps:
            run = checkpoint.lease.run_id
            waiter.answer = written.get(run) or standing.get(run) or _lost(run)
        for waiter, entry in entries:
            waiter.answer = held.get((entry.lease.run_id, entry.lease.token)) or _lost(entry.lease.run_id)

    def _record(
        self, connection: psycopg.Connection[Any], entries: Sequence[effects.Entry]
    ) -> dict[tuple[UUID, int], datetime]:
        rows = connection.execute(effects.RECORD, effects.record_arguments(entries, self.host_id)).fetchall()
        return {(run, token): at for run, token, at in rows}

    def _execute(self, connection: psycopg.Connection[Any], checkpoints: Sequence[Checkpoint]) -> dict[UUID, Written]:
        rows = connection.execute(statements.COMMIT, _arguments(checkpoints, self.host_id)).fetchall()
        return {run: Written(signals_posted=posted, gone=gone, at=at) for run, posted, gone, at in rows}

    def _write_along(self, connection: psycopg.Connection[Any], checkpoints: Sequence[Checkpoint]) -> None:
        """What becomes true in the same transaction, of the runs that were still the host's."""
        ended = [
            record
            for checkpoint in checkpoints
            for record in effects.ended_records(checkpoint.lease, checkpoint.effects_ended)
        ]
        if ended:
            connection.execute(effects.ENDED, {"ended": for_statement(ended)})
        for checkpoint in checkpoints:
            for hooked in checkpoint.hooks:
                hooked(connection)

    def _standing(self, connection: psycopg.Connection[Any], missing: Sequence[Checkpoint]) -> dict[UUID, Written]:
        """Those that were not matched because an earlier try, whose answer got lost, had written them."""
        wanted = {checkpoint.lease.run_id: checkpoint for checkpoint in missing}
        found: dict[UUID, Written] = {}
        for run, last_seq, token, host, posted, at in connection.execute(statements.STANDING, [list(wanted)]):
            checkpoint = wanted[run]
            held = host == self.host_id or (host is None and checkpoint.let_go is not None)
            if held and token == checkpoint.lease.token and last_seq == checkpoint.after:
                found[run] = Written(signals_posted=posted, gone=host is None, at=at)
        return found

    def _extend(self, beat: _Beat) -> None:
        arguments = {
            "host": self.host_id,
            "lease": statements.LEASE_SECONDS,
            "innocent": statements.INNOCENT_SECONDS,
            "runs": list(beat.runs),
        }
        try:
            self._connected().execute(statements.EXTEND, arguments)
        except psycopg.Error as error:  # the next beat tries again, long before a lease ends
            log.warning("leases not extended", error=str(error).strip())
            if self._connection is not None and self._connection.broken:
                self._disconnect()

    def _answer(self, waiters: Sequence[_Waiter]) -> None:
        """One call into each loop for the whole batch: waking a loop is what costs."""
        answered = [waiter for waiter in waiters if waiter.answer is not None]
        for loop in {waiter.loop for waiter in answered}:
            mine = [waiter for waiter in answered if waiter.loop is loop]
            with suppress(RuntimeError):  # the loop has ended; nobody waits any more
                loop.call_soon_threadsafe(self._resolve, mine)

    def _resolve(self, waiters: Sequence[_Waiter]) -> None:
        steps = [
            waiter.item
            for waiter in waiters
            if isinstance(waiter.item, Checkpoint) and isinstance(waiter.answer, Written)
        ]
        if steps:
            self._committed(steps)
        for waiter in waiters:
            if waiter.future.done():
                continue
            if waiter.answer is None or isinstance(waiter.answer, BaseException):
                waiter.future.set_exception(waiter.answer or StoreClosed("The writer has ended."))
            else:
                waiter.future.set_result(waiter.answer)

    def _connected(self) -> psycopg.Connection[Any]:
        if self._connection is None or self._connection.closed:
            self._connection = connect("writer")
            self._connection.execute(f"SET lock_timeout = {LOCK_TIMEOUT_MS}")
            # the plan does not depend on the arguments, and making it takes longer than carrying it out
            self._connection.execute("SET plan_cache_mode = force_generic_plan")
        return self._connection

    def _disconnect(self) -> None:
        if self._connection is not None:
            with suppress(psycopg.Error):
                self._connection.close()
        self._connection = None


def commit_on(connection: psycopg.Connection[Any], checkpoint: Checkpoint, host_id: int) -> bool:
    """Write one checkpoint in the caller's transaction, as the writer of `host_id` would. False: not the host's."""
    written = connection.execute(statements.COMMIT, _arguments([checkpoint], host_id)).fetchall()
    for hooked in checkpoint.hooks if written else ():
        hooked(connection)
    return bool(written)


def _arguments(checkpoints: Sequence[Checkpoint], host_id: int) -> dict[str, Any]:
    return {
        "host": host_id,
        "lease": statements.LEASE_SECONDS,
        "runs": for_statement([checkpoint.run_record() for checkpoint in checkpoints]),
        "events": for_statement([record for checkpoint in checkpoints for record in checkpoint.event_records()]),
        "node_runs": for_statement([record for checkpoint in checkpoints for record in checkpoint.node_run_records()]),
        "signals": for_statement([record for checkpoint in checkpoints for record in checkpoint.signal_records()]),
    }


def _lost(run: UUID) -> LeaseLost:
    return LeaseLost(f"Run {run} is in other hands.")


def _went_away(error: psycopg.OperationalError) -> bool:
    """Connection failures carry no SQLSTATE, or one of class 08 or 57 (the server is going down or not up yet)."""
    return error.sqlstate is None or error.sqlstate[:2] in {"08", "57", "53"}
