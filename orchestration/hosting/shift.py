"""One shift of a host, as the task of a django-q2 worker."""

from __future__ import annotations

import asyncio
import gc
import signal
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import structlog
import uvloop
from django.conf import settings
from django.db import connections

from agents.llm import library
from orchestration import tasks
from orchestration.host import Plan, work_on
from orchestration.hosting import cluster

log = structlog.get_logger(__name__)

THREADS = 32
"""For agents that block; the event loop's own default would be a handful on a small machine."""
COLLECT_AFTER = (10_000, 20, 20)
"""New objects until the young ones are looked through, and how often until the older ones are."""
SWITCH_SECONDS = 0.0005
"""How long a thread may keep the interpreter while the writer waits for it; by default 5 ms, at each step."""


def work() -> str:
    around = cluster.current()
    cluster.take_ring()
    if around is not None and around.stopping():
        return "not begun: the cluster is being stopped"
    _keep_spare(around)
    connections.close_all()
    sys.setswitchinterval(SWITCH_SECONDS)
    _calm_collector()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        driven = runner.run(_work(around))
    return f"drove {driven} runs"


def _calm_collector() -> None:
    """What is there by now stays for ever: looking through all of it for garbage takes a tenth of a second each time,
    in which no run goes on."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECT_AFTER)


async def _work(around: cluster.Cluster | None) -> int:
    loop = asyncio.get_running_loop()
    loop.set_default_executor(ThreadPoolExecutor(THREADS, thread_name_prefix="engine"))
    asked = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, asked.set)

    async def keep_spare() -> None:
        if around is not None and around.spares() < 1 and not around.stopping():
            await asyncio.to_thread(_keep_spare, around)

    plan = Plan(
        runs=settings.ENGINE_RUNS_PER_HOST,
        steps=settings.ENGINE_STEPS_PER_HOST,
        shift_seconds=settings.ENGINE_SHIFT_SECONDS,
        drain_seconds=settings.ENGINE_DRAIN_SECONDS,
        asked_to_stop=_asked_to_stop(asked, around),
        each_beat=keep_spare,
    )
    try:
        return await work_on(plan)
    finally:
        loop.remove_signal_handler(signal.SIGTERM)
        await library.close()


def _asked_to_stop(asked: asyncio.Event, around: cluster.Cluster | None) -> Callable[[], bool]:
    def answer() -> bool:
        return asked.is_set() or cluster.orphaned() or (around is not None and around.stopping())

    return answer


def _keep_spare(around: cluster.Cluster | None) -> None:
    """The next worker of this cluster must not wait: killing a worker that waits can freeze the cluster."""
    if around is None or around.spares() >= 1:
        return
    try:
        tasks.ring()
    finally:
        connections.close_all()
