"""A run's checkpoints on their way to the disk: one at a time, and the run goes on meanwhile.

While a commit is under way attempts end and what follows from them is worked out, so that the next commit carries all
of it. Nothing that was not written is shown to anybody, and an attempt with effects outside of the run begins only once
its beginning is on the disk (`Recorded`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal

from orchestration.store import Checkpoint, Writer, Written


class Recorded(asyncio.Event):
    """Set when the commit that holds an attempt's beginning is on the disk. If the lease is lost it never is."""

    wanted = False
    """An attempt waits for it."""

    async def wait(self) -> Literal[True]:
        self.wanted = True
        return await super().wait()


@dataclass(frozen=True, slots=True)
class _Writing:
    checkpoint: Checkpoint
    answer: asyncio.Future[Written]


class Pen:
    """`wake` is called when a commit has ended."""

    def __init__(self, writer: Writer, wake: Callable[[], None]) -> None:
        self._writer, self._wake = writer, wake
        self._writing: _Writing | None = None

    @property
    def free(self) -> bool:
        return self._writing is None

    @property
    def letting_go(self) -> bool:
        return self._writing is not None and self._writing.checkpoint.let_go is not None

    def write(self, checkpoint: Checkpoint, recorded: Recorded) -> None:
        """Hand it in. Only when the pen is free."""
        answer = self._writer.hand_in(checkpoint)
        self._writing = _Writing(checkpoint, answer)
        answer.add_done_callback(partial(self._done, recorded))

    async def wait(self) -> None:
        """Until the commit under way has ended."""
        if self._writing is not None:
            await asyncio.wait([self._writing.answer])

    def take(self) -> Written | None:
        """The answer to the commit that has ended; the pen is free again. Raises LeaseLost and what the store says."""
        if self._writing is None or not self._writing.answer.done():
            return None
        answer, self._writing = self._writing.answer, None
        return answer.result()

    def _done(self, recorded: Recorded, answer: asyncio.Future[Written]) -> None:
        """Perhaps after `take`: the driver may have been woken by something else in the same moment."""
        if not answer.cancelled() and answer.exception() is None:
            recorded.set()
        self._wake()
