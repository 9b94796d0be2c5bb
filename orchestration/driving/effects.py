"""Recording the outside calls of a run's attempts (`portal.core.effects`) under the lease of whoever drives it.

before the call    an entry of its own, committed and fenced; LeaseLost instead of a call for who has lost the run
after the call     kept until the step's commit takes it along (`take_ended`), or for FLUSH_SECONDS at most
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import count
from typing import TYPE_CHECKING, Any

from orchestration.driving.clock import DatabaseClock
from orchestration.driving.pen import Recorded
from orchestration.engine.events import (
    AttemptAbandoned,
    Event,
    NodeCancelled,
    NodeEvent,
    NodeOverridden,
    NodeSkipped,
)
from orchestration.engine.ids import path_text
from orchestration.engine.states import RunState
from orchestration.nodes.base import Context, RunFacts, known_type
from orchestration.nodes.commit_hooks import in_commit_of
from orchestration.store import Desk, Lease, Writer
from orchestration.store.effects import CUT_OFF, EffectBegun, EffectEnded, Entry
from orchestration.store.errors import StoreError
from orchestration.store.statements import LEASE_SECONDS
from orchestration.store.values import NotStorable, storable
from portal.core.effects import Effect, Outcome
from portal.core.redaction import redact

if TYPE_CHECKING:
    import psycopg

JSON = Any

FLUSH_SECONDS = 0.25
"""A step that goes on after its call: its end is then written by itself."""
_FRESH_SECONDS = LEASE_SECONDS / 3
"""An answer of the store that took longer (the process stood still) may be about a lease that has run out since."""
_LONGEST_TEXT = 300
_MOST_ITEMS = 20


class AttemptOver(StoreError):
    """The attempt has ended (timeout, cancel), but something of it still works and wants to make a call."""


class Ledger:
    """Of one run under one lease."""

    def __init__(self, lease: Lease, writer: Writer, clock: DatabaseClock) -> None:
        self.lease, self.writer, self.clock = lease, writer, clock
        self.loop = asyncio.get_running_loop()
        self.serials = count(1)
        self._ended: list[EffectEnded] = []
        self._timer: asyncio.TimerHandle | None = None

    def of(self, context: Context, recorded: Recorded | None = None) -> AttemptRecorder:
        """`recorded`: of an attempt that may begin before its beginning is on the disk; its calls wait for that."""
        return AttemptRecorder(self, context, recorded)

    def take_ended(self) -> list[EffectEnded]:
        """For the checkpoint that is being made."""
        ended, self._ended = self._ended, []
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        return ended

    def ended(self, ended: EffectEnded) -> None:
        """In the loop."""
        self._ended.append(ended)
        if self._timer is None:
            self._timer = self.loop.call_later(FLUSH_SECONDS, self._flush)

    def _flush(self) -> None:
        self._timer = None
        if ended := self.take_ended():
            # not waited for: without the lease the next holder has closed these calls as unknown
            self.writer.record(Entry(lease=self.lease, ended=ended)).add_done_callback(_heard)


class AttemptRecorder:
    """Of one attempt. `acted`: what is known of its calls; "" none took effect, "maybe", or "yes" (all did)."""

    def __init__(self, ledger: Ledger, context: Context, recorded: Recorded | None) -> None:
        self._ledger, self._recorded = ledger, recorded
        # not the context itself: what was begun meanwhile and goes on keeps this alive, and must not keep what was read
        self._node, self._path, self._attempt = context.node, context.path, context.attempt
        self._idempotency_key = context.idempotency_key
        self._numbers = count(1)
        self._calls: dict[tuple[str, str], int] = {}
        self._open: dict[int, int] = {}
        """id(effect): serial"""
        self._outcomes: set[Outcome] = set()
        self._over = False

    @property
    def acted(self) -> str:
        if self._outcomes & {Outcome.OPEN, Outcome.UNKNOWN}:
            return "maybe"
        return "yes" if Outcome.OK in self._outcomes else ""

    async def begin(self, effect: Effect) -> None:
        """Raises LeaseLost, AttemptOver."""
        if asyncio.get_running_loop() is not self._ledger.loop:
            await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(self.begin(effect), self._ledger.loop))
            return
        begun = self._begun(effect)
        try:
            await self._written(begun)
        except BaseException:
            self._close(begun.serial, Outcome.FAILED, {"error": "The call was not made."})
            raise
        if self._over:
            self._close(begun.serial, Outcome.FAILED, {"error": "The call was not made."})
            raise AttemptOver(f"The attempt of {self._node} is over.")
        self._open[id(effect)] = begun.serial

    def begin_in_thread(self, effect: Effect) -> None:
        asyncio.run_coroutine_threadsafe(self.begin(effect), self._ledger.loop).result()

    def end(self, effect: Effect) -> None:
        if _running_loop() is self._ledger.loop:
            self._end(effect)
        else:
            self._ledger.loop.call_soon_threadsafe(self._end, effect)

    def close(self) -> None:
        """The attempt is over. What still works in a thread can begin no call any more, and nobody hears its end."""
        self._over = True
        for serial in self._open.values():
            self._close(serial, Outcome.UNKNOWN, {})
        self._open.clear()

    def _begun(self, effect: Effect) -> EffectBegun:
        if self._over:
            raise AttemptOver(f"The attempt of {self._node} is over.")
        call = (effect.kind, effect.target)
        self._calls[call] = self._calls.get(call, 0) + 1
        if not effect.idempotency_key:
            nth = self._calls[call]
            effect.idempotency_key = self._idempotency_key + (f"#{nth}" if nth > 1 else "")
        return EffectBegun(
            serial=next(self._ledger.serials),
            node=self._node,
            path=path_text(self._path),
            attempt=self._attempt,
            number=next(self._numbers),
            kind=str(effect.kind),
            target=str(redact(effect.target)),
            idempotency_key=effect.idempotency_key,
            request=summary(effect.request),
        )

    async def _written(self, begun: EffectBegun) -> None:
        if self._recorded is not None:
            await self._recorded.wait()
        while True:
            asked = time.monotonic()
            await self._ledger.writer.record(Entry(lease=self._ledger.lease, begun=begun))
            if time.monotonic() - asked < _FRESH_SECONDS:
                return

    def _end(self, effect: Effect) -> None:
        serial = self._open.pop(id(effect), None)
        if serial is not None:
            self._close(serial, effect.ended, summary(effect.response), effect.cost_usd)

    def _close(self, serial: int, outcome: Outcome, response: JSON, cost_usd: float | None = None) -> None:
        self._outcomes.add(outcome)
        at = self._ledger.clock.now()
        self._ledger.ended(
            EffectEnded(serial=serial, outcome=str(outcome), response=response, cost_usd=cost_usd, ended_at=at)
        )


@in_commit_of(
    AttemptAbandoned,
    NodeCancelled,
    NodeOverridden,
    NodeSkipped,
    about=lambda event: not isinstance(event, NodeSkipped) or event.reason == "by_person",
)
def close_as_unknown(connection: psycopg.Connection[Any], run: RunFacts, events: Sequence[NodeEvent]) -> None:
    """An attempt that was cut off, by a death or by a person, leaves its open calls behind: nobody will know how they
    ended."""
    nodes = [{"node": event.node, "path": path_text(event.path)} for event in events]
    connection.execute(CUT_OFF, {"run": run.id, "nodes": json.dumps(nodes)})


async def untouched(state: RunState, lease: Lease, desk: Desk, cut_off: Sequence[Event]) -> list[Event]:
    """The same events; those of at-most-once nodes say whether anything was begun outside. A query if there are any.

    The claim of the run waited for the last entry of its former holder, so none can come later.
    """
    once = [event for event in cut_off if isinstance(event, AttemptAbandoned) and _must_be_known(state, event)]
    if not once:
        return list(cut_off)
    begun = await desk.began_outside(lease.run_id, [(event.node, event.path, event.attempt) for event in once])
    safe = {event.key for event in once} - begun
    return [
        replace(event, acted="") if isinstance(event, AttemptAbandoned) and event.key in safe else event
        for event in cut_off
    ]


def _must_be_known(state: RunState, event: AttemptAbandoned) -> bool:
    spec = state.graph.nodes[event.node]
    kind = known_type(spec.type)
    return spec.delivery == "at_most_once" and kind is not None and kind.calls_are_recorded


def summary(value: Mapping[str, JSON]) -> JSON:
    """As it is kept: without secrets, and small whatever the caller gave."""
    clean = redact(dict(list(value.items())[:_MOST_ITEMS]))
    try:
        return storable({str(key)[:_LONGEST_TEXT]: _short(item) for key, item in clean.items()})
    except NotStorable:
        return {}


def _short(value: JSON) -> JSON:
    if isinstance(value, str):
        return value if len(value) <= _LONGEST_TEXT else f"{value[: _LONGEST_TEXT - 1]}…"
    if isinstance(value, bool | int | float | None):
        return value
    return _short(str(value))


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def _heard(future: asyncio.Future[Any]) -> None:
    if not future.cancelled():
        future.exception()
