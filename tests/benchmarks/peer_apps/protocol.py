"""How a peer's program is asked to do a work: a JSON line in, a JSON line out.

    {"work": "chain", "steps": 100, "delay": 0.0}                 → {"seconds": ...}
    {"work": "fan", "width": 50, "delay": 0.05}                   → {"seconds": ...}
    {"work": "many", "runs": 100, "steps": 10, "delay": 0.05}     → {"seconds": ...}
    {"work": "layers", "layers": 20, "width": 50}                 → {"seconds": ...}
    {"work": "latency", "starts": 20}                             → {"first": [ms, ...], "end": [ms, ...]}

Seconds count from the call that starts the work to its end. It prints {"ready": true} when it can be asked. Only the
standard library is used here: this file is imported in the peers' environments.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from typing import Any

TEXT = "x" * 1000
BEGAN: dict[str, float] = {}
"""By run: when the body of its first step began."""


async def step(run: str, delay: float) -> dict[str, Any]:
    """What a step is: wait, then answer 1 KB of JSON."""
    at = time.time()
    BEGAN.setdefault(run, at)
    if delay:
        await asyncio.sleep(delay)
    return {"text": TEXT, "at": at}


def sources(place: int, width: int) -> list[int]:
    """The three steps of the layer before that a step of `layers` waits for."""
    return sorted({(place + shift) % width for shift in (0, 1, 2)})


class Peer(ABC):
    """`start(work, run, args)` runs one run to its end; `began(run)` says when its first step did."""

    @abstractmethod
    async def start(self, work: str, run: str, args: dict[str, Any]) -> None: ...

    async def began(self, run: str) -> float:
        return BEGAN[run]


async def serve(peer: Peer) -> None:
    """Answer requests until the input ends."""
    works: dict[str, Callable[[Peer, dict[str, Any]], Awaitable[dict[str, Any]]]] = {"many": _many, "latency": _latency}
    _say({"ready": True})
    while line := await asyncio.to_thread(sys.stdin.readline):
        asked = json.loads(line)
        _say(await works.get(asked["work"], _one)(peer, asked))


async def _one(peer: Peer, asked: dict[str, Any]) -> dict[str, Any]:
    begun = time.perf_counter()
    await peer.start(asked["work"], _name(), asked)
    return {"seconds": time.perf_counter() - begun}


async def _many(peer: Peer, asked: dict[str, Any]) -> dict[str, Any]:
    begun = time.perf_counter()
    await asyncio.gather(*(peer.start("chain", _name(number), asked) for number in range(asked["runs"])))
    return {"seconds": time.perf_counter() - begun}


async def _latency(peer: Peer, asked: dict[str, Any]) -> dict[str, Any]:
    first, end = [], []
    for number in range(asked["starts"]):
        run, began = _name(number), time.time()
        await peer.start("chain", run, {"steps": 2, "delay": 0.0})
        end.append((time.time() - began) * 1000)
        first.append((await peer.began(run) - began) * 1000)
    return {"first": first, "end": end}


def _name(number: int = 0) -> str:
    return f"{time.time_ns()}-{number}"


def _say(answer: dict[str, Any]) -> None:
    print(json.dumps(answer), flush=True)
