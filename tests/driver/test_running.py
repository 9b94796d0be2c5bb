"""The mailbox of a run: whatever becomes of an attempt, the driver hears of it."""

import asyncio

import pytest

from orchestration.driving.running import Running
from orchestration.engine.events import NodeEvent


async def cancelled_by_somebody() -> NodeEvent:
    task = asyncio.current_task()
    assert task
    task.cancel()
    await asyncio.sleep(3600)
    raise AssertionError("not reached")


async def test_an_attempt_that_was_cancelled_from_outside_is_not_waited_for() -> None:
    async with Running() as running:
        running.start(("a", ()), cancelled_by_somebody())
        with pytest.raises(RuntimeError, match="attempt of a was cancelled"):
            await asyncio.wait_for(running.next(None), 60)


async def test_a_stopped_attempt_works_no_longer() -> None:
    stopped = asyncio.Event()

    async def works() -> NodeEvent:
        try:
            await asyncio.sleep(600)
        except asyncio.CancelledError:
            stopped.set()
            raise
        raise AssertionError("not reached")

    async with Running() as running:
        running.start(("a", ()), works())
        await running.begin()
        running.stop(("a", ()))
        await asyncio.wait_for(stopped.wait(), 5)


async def test_a_stopped_attempt_says_nothing_more() -> None:
    async with Running() as running:
        running.start(("a", ()), cancelled_by_somebody())
        running.stop(("a", ()))
        running.wake()
        assert await asyncio.wait_for(running.next(None), 60) == []
        assert not running
