"""Server-sent events out of the run's event log: resumable at any number, without loss or repeat.

The log is the truth; a hint over the channel layer only says when to look. A lost hint costs `POLL_SECONDS`.
Comment lines keep proxies from closing a quiet stream.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any
from uuid import UUID

import structlog
from channels.layers import get_channel_layer
from django.http import StreamingHttpResponse
from redis.exceptions import RedisError

from orchestration.models import Run, RunEvent
from orchestration.monitoring import history
from portal.core.in_threads import in_database

log = structlog.get_logger(__name__)

POLL_SECONDS = 2.0
KEEP_ALIVE_SECONDS = 15.0
PAGE = 500

Frame = tuple[int | None, str, Any]
"""(id, event, data)"""


def response(frames: AsyncIterator[bytes]) -> StreamingHttpResponse:
    answer = StreamingHttpResponse(frames, content_type="text/event-stream")
    answer["Cache-Control"] = "no-store"
    answer["X-Accel-Buffering"] = "no"
    return answer


def run_events(run_id: UUID, *, after: int) -> AsyncIterator[bytes]:
    """The events of a run as they are stored, then `event: end`."""
    return follow(run_id, after=after, translate=_as_stored)


async def follow(
    run_id: UUID,
    *,
    after: int,
    translate: Callable[[RunEvent], list[Frame]],
    last: Callable[[Run], list[Frame]] | None = None,
) -> AsyncIterator[bytes]:
    """Read the log from `after`, translate each event into frames, and go on until the run has ended."""
    async with _hints(run_id) as hinted:
        spoke = time.monotonic()
        while True:
            rows, run = await in_database(_read, run_id, after)
            for row in rows:
                after = row.seq
                for frame in translate(row):
                    yield encode(*frame)
            if rows:
                spoke = time.monotonic()
                continue
            if run is None or run.ended:
                for frame in (
                    last(run) if last and run else [(None, "end", {"status": run.status if run else "deleted"})]
                ):
                    yield encode(*frame)
                return
            if time.monotonic() - spoke > KEEP_ALIVE_SECONDS:
                spoke = time.monotonic()
                yield b": still here\n\n"
            await hinted(POLL_SECONDS)


def encode(number: int | None, event: str, data: Any) -> bytes:
    head = f"id: {number}\n" if number is not None else ""
    named = f"event: {event}\n" if event else ""
    return f"{head}{named}data: {json.dumps(data, ensure_ascii=False, separators=(',', ':'))}\n\n".encode()


def _as_stored(row: RunEvent) -> list[Frame]:
    data = {
        "seq": row.seq,
        "type": row.type,
        "at": row.at.isoformat(),
        "node": row.node,
        "path": row.path,
        "data": row.data,
    }
    return [(row.seq, row.type, data)]


def _read(run_id: UUID, after: int) -> tuple[list[RunEvent], Run | None]:
    # The run first: were it read after the events, it could have ended in between and hide the last of them.
    run = Run.objects.only(*_READ).filter(pk=run_id).first()
    if run is None:
        return [], None
    rows = list(history.of(run).events(after=after, limit=PAGE))
    if not rows and after < run.last_seq and run.ended:  # archived between the two questions
        run.refresh_from_db(fields=["archived_at"])
        rows = list(history.of(run).events(after=after, limit=PAGE))
    return rows, run


_READ = ("status", "outputs", "error", "started_at", "ended_at", "archived_at", "last_seq")


@asynccontextmanager
async def _hints(run_id: UUID) -> AsyncIterator[Callable[[float], Awaitable[None]]]:
    """Gives `await hinted(seconds)`: returns at the next hint, or after that time. Without Redis it is a plain sleep.

    One receive at a time and never cancelled while waiting: cancelling it would drop the subscription of the layer.
    """
    layer = get_channel_layer()
    group, channel = f"run.{run_id.hex}", await layer.new_channel()
    receiving: asyncio.Future[Any] | None = None
    try:
        await layer.group_add(group, channel)
        receiving = asyncio.ensure_future(layer.receive(channel))
    except (RedisError, OSError) as error:
        log.warning("following a run without hints", run=str(run_id), error=str(error))

    async def hinted(seconds: float) -> None:
        nonlocal receiving
        if receiving is None:
            await asyncio.sleep(seconds)
            return
        done, _ = await asyncio.wait({receiving}, timeout=seconds)
        if not done:
            return
        if receiving.exception() is not None:
            log.warning("hints of a run have ended", run=str(run_id), error=str(receiving.exception()))
            receiving = None
        else:
            receiving = asyncio.ensure_future(layer.receive(channel))

    try:
        yield hinted
    finally:
        if receiving is not None:
            receiving.cancel()
            with suppress(asyncio.CancelledError, RedisError, OSError):
                await receiving
            with suppress(RedisError, OSError):
                await layer.group_discard(group, channel)
