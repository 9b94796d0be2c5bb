"""What open pages hear of runs: hints after commits, and the text of models while it is being written.

Everything here may be lost: a hint only says how far the event log has come ({"run", "seq"}), pages ask for it by the
normal address, and a stored answer replaces its streamed text. So sending is coalesced, has a time limit, fails
quietly, and never makes a driver wait. Messages to `run.<hex>`: {"type": "hint", "run", "seq"?} and {"type": "tokens",
"run", "node", "path", "offset", "text"}; to `org.<id>`: {"type": "hint", "topic": "runs" | "inbox", "run"?}.
"""

from __future__ import annotations

import asyncio
import functools
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import redis
import redis.asyncio
import structlog
from django.conf import settings

from orchestration.engine.events import (
    AttemptAbandoned,
    AttemptFailed,
    NodeCancelled,
    NodeEvent,
    NodeOverridden,
    NodeResumed,
    NodeSkipped,
    NodeSucceeded,
    NodeWaiting,
)
from orchestration.engine.ids import path_text
from orchestration.store.checkpoints import Checkpoint
from portal.core import live
from portal.core.redaction import redact

log = structlog.get_logger(__name__)

HINT_SECONDS = 0.05
TOKENS_SECONDS = 0.08
SEND_SECONDS = 1.0
_SILENCE_SECONDS = 5.0
PARTIAL_SECONDS = 900
"""How long streamed text is kept for pages that come late."""
MOST_TEXT = 200_000
"""Characters of one attempt that are streamed; the rest is seen when the answer is there."""

_Place = tuple[UUID, str, str]
_ENDS = (NodeSucceeded, AttemptFailed, AttemptAbandoned, NodeCancelled, NodeOverridden, NodeSkipped)


def run_group(run_id: UUID) -> str:
    return f"run.{run_id.hex}"


def partial_text(run_id: UUID, node: str, path: str = "") -> str:
    """What has been streamed of the node's present attempt so far; empty if nothing, or if Redis is away."""
    try:
        found = _client().get(_key((run_id, node, path)))
    except (redis.RedisError, OSError):
        return ""
    return found.decode() if isinstance(found, bytes) else ""


@dataclass(slots=True)
class _Stream:
    attempt: int
    offset: int = 0
    """Of the pending text, in UTF-16 units: what browsers count in."""
    length: int = 0
    pending: list[str] = field(default_factory=list)


class Live:
    """Of one host. `committed` and `stream` only note down; `run` sends."""

    def __init__(self) -> None:
        self._seqs: dict[UUID, int] = {}
        self._parents: set[UUID] = set()
        """Runs whose pages show how a run that they began gets on."""
        self._topics: dict[tuple[int, str], set[UUID]] = {}
        self._streams: dict[_Place, _Stream] = {}
        self._fresh: set[_Place] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._hints, self._tokens = asyncio.Event(), asyncio.Event()
        self._redis: redis.asyncio.Redis | None = None
        self._quiet_until = 0.0

    def committed(self, checkpoints: Sequence[Checkpoint]) -> None:
        """Called in the loop, after the commit."""
        for checkpoint in checkpoints:
            run, organisation = checkpoint.lease.run_id, checkpoint.lease.organisation_id
            if not checkpoint.events:
                continue
            self._seqs[run] = checkpoint.after
            if checkpoint.lease.parent_id is not None:
                self._parents.add(checkpoint.lease.parent_id)
            self._topics.setdefault((organisation, "runs"), set()).add(run)
            for event in checkpoint.events:
                if isinstance(event, NodeWaiting | NodeResumed | NodeCancelled):
                    self._topics.setdefault((organisation, "inbox"), set()).add(run)
                if isinstance(event, _ENDS):
                    self._forget(run, event)
        self._hints.set()

    def changed(self, run: UUID, organisation: int) -> None:
        """Something about the run that is no event: it was put into quarantine."""
        self._topics.setdefault((organisation, "runs"), set()).add(run)
        self._hints.set()

    def stream(self, run: UUID, node: str, path: str, attempt: int, text: str) -> None:
        """From the host's loop or from any thread."""
        try:
            running = asyncio.get_running_loop()
        except RuntimeError:
            running = None
        if running is self._loop:
            self._stream((run, node, path), attempt, text)
        elif self._loop is not None:
            with suppress(RuntimeError):  # the host has ended
                self._loop.call_soon_threadsafe(self._stream, (run, node, path), attempt, text)

    async def run(self) -> None:
        """Send until cancelled."""
        self._loop = asyncio.get_running_loop()
        self._redis = redis.asyncio.Redis.from_url(
            settings.REDIS_URL, socket_timeout=SEND_SECONDS, socket_connect_timeout=SEND_SECONDS, retry=None
        )
        try:
            await asyncio.gather(
                self._pump(self._hints, self._send_hints, HINT_SECONDS),
                self._pump(self._tokens, self._send_tokens, TOKENS_SECONDS),
            )
        finally:
            with suppress(Exception):
                await self._redis.aclose()

    async def _pump(self, wake: asyncio.Event, send: Any, rest: float) -> None:
        while True:
            await wake.wait()
            wake.clear()
            await self._quietly(send)
            await asyncio.sleep(rest)

    async def _quietly(self, send: Any) -> None:
        try:
            async with asyncio.timeout(SEND_SECONDS):
                await send()
        except (redis.RedisError, OSError, TimeoutError) as error:
            if time.monotonic() > self._quiet_until:
                self._quiet_until = time.monotonic() + _SILENCE_SECONDS
                log.warning("live messages not sent", error=repr(error))

    async def _send_hints(self) -> None:
        seqs, self._seqs = self._seqs, {}
        parents, self._parents = self._parents - seqs.keys(), set()
        topics, self._topics = self._topics, {}
        above = [(run_group(run), {"type": "hint", "run": str(run)}) for run in parents]
        await self._publish([*_run_hints(seqs), *above, *_topic_hints(topics)])

    async def _publish(self, messages: Sequence[tuple[str, dict[str, Any]]]) -> None:
        if not messages or self._redis is None:
            return
        async with self._redis.pipeline(transaction=False) as pipe:
            for group, message in messages:
                pipe.publish(*live.on_the_wire(group, message))
            await pipe.execute()

    def _stream(self, place: _Place, attempt: int, text: str) -> None:
        stream = self._streams.get(place)
        if stream is None or stream.attempt != attempt:
            stream = self._streams[place] = _Stream(attempt)
        if not text or stream.length >= MOST_TEXT:
            return
        stream.length += len(text)
        stream.pending.append(text)
        self._fresh.add(place)
        self._tokens.set()

    async def _send_tokens(self) -> None:
        fresh, self._fresh = self._fresh, set()
        chunks = [(place, self._streams[place]) for place in fresh if place in self._streams]
        messages = []
        if self._redis is None:
            return
        async with self._redis.pipeline(transaction=False) as pipe:
            for place, stream in chunks:
                run, node, path = place
                text: str = redact("".join(stream.pending)).encode("utf-8", "replace").decode()
                stream.pending.clear()
                (pipe.append if stream.offset else pipe.set)(_key(place), text)
                pipe.expire(_key(place), PARTIAL_SECONDS)
                told = {"run": str(run), "node": node, "path": path, "offset": stream.offset, "text": text}
                messages.append((run_group(run), {"type": "tokens", **told}))
                stream.offset += len(text.encode("utf-16-le")) // 2
            await pipe.execute()
        await self._publish(messages)

    def _forget(self, run: UUID, event: NodeEvent) -> None:
        self._streams.pop((run, event.node, path_text(event.path)), None)


def _run_hints(seqs: dict[UUID, int]) -> Iterator[tuple[str, dict[str, Any]]]:
    for run, seq in seqs.items():
        yield run_group(run), {"type": "hint", "run": str(run), "seq": seq}


def _topic_hints(topics: dict[tuple[int, str], set[UUID]]) -> Iterator[tuple[str, dict[str, Any]]]:
    """One a list; it names the run if it is about a single one."""
    for (organisation, topic), runs in topics.items():
        about = {"run": str(next(iter(runs)))} if len(runs) == 1 else {}
        yield live.organisation_group(organisation), {"type": "hint", "topic": topic, **about}


def _key(place: _Place) -> str:
    run, node, path = place
    return f"ensemble:partial:{run.hex}:{node}:{path}"


@functools.cache
def _client() -> redis.Redis:
    return redis.Redis.from_url(settings.REDIS_URL, socket_timeout=1, socket_connect_timeout=1, retry=None)
