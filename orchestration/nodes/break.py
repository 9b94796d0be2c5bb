"""End the loop around."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from orchestration.definition.fields import NodeSettings
from orchestration.nodes.base import Context, Done, NodeType, Result, register
from orchestration.nodes.loop import BREAK_RESULT

JSON = Any


class BreakSettings(NodeSettings):
    result: JSON = Field(
        None,
        title="Result",
        description="What this last iteration gives, such as {{ judge.outputs.verdict }}. Left out: nothing.",
    )


@register
class Break(NodeType):
    """The loop around it ends after this iteration, well; others under way are stopped.

    Outputs: {"result": ...} if the setting is there, and that is what the iteration yields; else {}: it yields nothing.
    """

    kind, label, icon, category = "break", "Break", "player-stop", "logic"
    description = "Ends the loop it stands in after this iteration."
    Settings = BreakSettings
    inline = True

    def ports(self, settings: Mapping[str, JSON]) -> tuple[str, ...]:
        return ()

    def output_schema(self, settings: Mapping[str, JSON]) -> dict[str, JSON]:
        return {"type": "object", "properties": {BREAK_RESULT: {}}, "additionalProperties": False}

    async def execute(self, ctx: Context) -> Result:
        settings: BreakSettings = ctx.settings
        return Done(outputs={BREAK_RESULT: settings.result} if "result" in settings.model_fields_set else {}, port="")
