"""The step of the benchmarks, as an agent of kind python; the portal's processes load it by AGENT_MODULES."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from agents.python_callables import CallFacts, callable_agent

SLUG = "benchmark-step"
TEXT = "x" * 1000


@callable_agent(
    "benchmark_step",
    label="Step of a benchmark",
    description="Waits, then answers 1 KB of JSON with the time at which it ran.",
    input_schema={"type": "object", "properties": {"seconds": {"type": "number"}}, "required": ["seconds"]},
    output_schema={"type": "object", "properties": {"text": {"type": "string"}, "at": {"type": "number"}}},
    effects=False,
)
async def benchmark_step(inputs: dict[str, Any], call: CallFacts) -> dict[str, Any]:
    """`at` is when its body began, in seconds of the machine's clock."""
    at = time.time()
    if inputs["seconds"]:
        await asyncio.sleep(inputs["seconds"])
    return {"text": TEXT, "at": at}
