"""Wait for a time."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from pydantic import Field

from orchestration.definition.fields import NodeSettings
from orchestration.nodes.base import Context, Done, NodeType, Result, Wait, register

JSON = Any


class DelaySettings(NodeSettings):
    seconds: float = Field(title="Seconds", description="How long to wait; at most 31 days.", ge=0, le=31 * 24 * 3600)


@register
class Delay(NodeType):
    """Hold the path for a time. No worker is held, a restart makes it no longer. Outputs: {"seconds": float}."""

    kind, label, icon, category = "delay", "Delay", "clock-pause", "time"
    description = "Waits for some time, then goes on."
    Settings = DelaySettings
    inline = True

    def output_schema(self, settings: Mapping[str, JSON]) -> dict[str, JSON]:
        return {"type": "object", "properties": {"seconds": {"type": "number"}}, "additionalProperties": False}

    async def execute(self, ctx: Context) -> Result:
        seconds = ctx.settings.seconds
        return Wait(reason="timer", until=ctx.started_at + timedelta(seconds=seconds), data={"seconds": seconds})

    async def resume(self, ctx: Context, signal: JSON | None) -> Result:
        return Done(outputs={"seconds": ctx.wait_data["seconds"]})
