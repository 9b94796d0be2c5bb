"""The attempts of a run that are at work in this process, and the waiting for what comes of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from functools import partial
from types import TracebackType
from typing import Any, Self

from orchestration.engine.events import NodeEvent
from orchestration.engine.ids import Key


class Running:
    """An async context: leaving it cancels what is still at work."""

    def __init__(self) -> None:
        self.ended: Callable[[Key], None] = lambda key: None
        """Told of each attempt that is not at work any more, however it went."""
        self._tasks: dict[Key, asyncio.Task[NodeEvent]] = {}
        self._ended: list[NodeEvent] = []
        self._wake = asyncio.Event()
        self._bug: BaseException | None = None
        self._fresh = False
        self.poked = False

    def __len__(self) -> int:
        """Attempts at work, and such that have ended and were not asked for yet."""
        return len(self._tasks) + len(self._ended)

    def start(self, key: Key, work: Coroutine[Any, Any, NodeEvent]) -> None:
        """An attempt; `work` ends with the event that says how it went."""
        task = asyncio.get_running_loop().create_task(work, name=key[0])
        self._tasks[key] = task
        self._fresh = True
        task.add_done_callback(partial(self._done, key))

    async def begin(self) -> bool:
        """Let what was just started make its first step, before the writer's thread wants the interpreter.

        Whether anything has ended by then: `next` would answer at once.
        """
        if self._fresh:
            self._fresh = False
            await asyncio.sleep(0)
            await asyncio.sleep(0)  # a task that ends says so in the loop's next round
        return bool(self._ended)

    def works(self, key: Key) -> bool:
        return key in self._tasks

    def stop(self, key: Key) -> None:
        """Cancel an attempt; whatever it still says is not listened to."""
        task = self._tasks.pop(key, None)
        if task is not None:
            task.cancel()
            self.ended(key)
        self._ended = [event for event in self._ended if event.key != key]

    def wake(self) -> None:
        """Let `next` return: a commit has ended."""
        self._wake.set()

    def poke(self) -> None:
        """Something outside wants the driver's attention: a signal, or the host that drains."""
        self.poked = True
        self._wake.set()

    async def next(self, seconds: float | None) -> list[NodeEvent]:
        """What has ended, as soon as anything has; empty after a poke, a wake, or when the time is up."""
        if not self._ended and not self.poked:
            if seconds is None:
                await self._wake.wait()
            else:
                with suppress(TimeoutError):
                    async with asyncio.timeout(seconds):
                        await self._wake.wait()
        self._wake.clear()
        if self._bug is not None:
            raise self._bug
        ended, self._ended = self._ended, []
        return ended

    def _done(self, key: Key, task: asyncio.Task[NodeEvent]) -> None:
        if self._tasks.get(key) is not task:
            return  # stopped
        del self._tasks[key]
        self.ended(key)
        if task.cancelled():  # by nobody known here: without its word the run would wait for ever
            self._bug = RuntimeError(f"The attempt of {key[0]} was cancelled from outside of the engine.")
        elif task.exception() is None:
            self._ended.append(task.result())
        else:  # what nodes do wrong is an event; this is the engine's own, and the driver's to raise
            self._bug = task.exception()
        self._wake.set()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        keys, tasks, self._tasks = list(self._tasks), list(self._tasks.values()), {}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for key in keys:
            self.ended(key)
