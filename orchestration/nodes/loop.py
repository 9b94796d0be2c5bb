"""Repeat a part of the workflow for each item."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from typing import Literal as OneOf

from pydantic import Field

from orchestration.definition.fields import Expression, Late, NodeSettings
from orchestration.nodes.base import Context, NodeFailure, NodeType, OpenLoop, Result, register

JSON = Any
MOST_ITEMS = 10_000


class LoopSettings(NodeSettings):
    items: Expression = Field(
        title="Items", description="An expression that is a list; the nodes inside run once for each of its items."
    )
    mode: OneOf["sequential", "parallel"] = Field(
        "sequential", title="Order", description="One after the other, or several side by side."
    )
    limit: int = Field(5, title="Side by side", description="At most so many iterations at once.", ge=1, le=100)
    output: Late = Field(
        "",
        title="Result of an iteration",
        description="An expression over the nodes inside, such as {{ judge.outputs.verdict }}. Empty: nothing is kept.",
    )
    on_error: OneOf["stop", "gap", "leave_out"] = Field(
        "stop",
        title="When an iteration fails",
        description="stop: the loop fails. gap: its result is null. leave_out: it has no result. The errors are kept.",
    )


@register
class Loop(NodeType):
    """For each: the nodes whose `parent` this is run once an item.

    Inside, `loop.item` and `loop.index` are the item and its number from 0. Outputs: see `engine/loops.py`: {"items":
    [what the iterations yield], "count": int, "errors": [...]}.
    """

    kind, label, icon, category = "loop", "Loop", "repeat", "logic"
    description = "Runs the nodes inside once for each item of a list."
    Settings = LoopSettings
    inline = True
    container = True

    def output_schema(self, settings: Mapping[str, JSON]) -> dict[str, JSON]:
        properties = {"items": {"type": "array"}, "count": {"type": "integer"}, "errors": {"type": "array"}}
        return {"type": "object", "properties": properties, "additionalProperties": False}

    async def execute(self, ctx: Context) -> Result:
        settings: LoopSettings = ctx.settings
        items: JSON = settings.items
        if not isinstance(items, list | tuple):
            raise NodeFailure(f"The items of a loop must be a list, but are {_kind(items)}.", code="expression")
        if len(items) > MOST_ITEMS:
            raise NodeFailure(f"A loop takes at most {MOST_ITEMS} items; these are {len(items)}.", code="limit")
        return OpenLoop(items=list(items), limit=settings.limit if settings.mode == "parallel" else 1)


def _kind(value: JSON) -> str:
    return {type(None): "null", str: "text", bool: "true or false", dict: "an object"}.get(type(value), "a number")
