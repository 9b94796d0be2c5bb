"""Repeat a part of the workflow: for each item of a list, or while a condition holds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from typing import Literal as OneOf

from pydantic import ConfigDict, Field

from orchestration.definition.fields import Expression, Late, NodeSettings
from orchestration.nodes.base import Context, NodeFailure, NodeType, OpenLoop, Result, register

JSON = Any
MOST_ITEMS = 10_000
BREAK_RESULT = "result"
"""Among the outputs of a `break`: what its iteration yields."""


class LoopSettings(NodeSettings):
    """Either `items` or `while`."""

    model_config = ConfigDict(validate_by_name=False, validate_by_alias=True, serialize_by_alias=True)

    items: Expression = Field(
        None, title="Items", description="For each: an expression that is a list; the nodes inside run once an item."
    )
    while_: Late = Field(
        "",
        alias="while",
        title="While",
        description="While: an expression that is true or false, evaluated before each iteration, such as "
        "vars.score < 0.8 or loop.previous != 'done'.",
    )
    max_iterations: int = Field(
        1_000, title="At most", description="While: so many iterations; then it fails.", ge=1, le=MOST_ITEMS
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
    """The nodes whose `parent` this is run once for each item, or as long as the condition holds.

    Inside, `loop.index` is the number of the iteration from 0, `loop.item` its item, `loop.previous` what the iteration
    before has given. Outputs: see `engine/loops.py`: {"items": [what the iterations yield], "count": int, "errors":
    [...], "ended_by": "items" | "condition" | "break"}.
    """

    kind, label, icon, category = "loop", "Loop", "repeat", "logic"
    description = "Runs the nodes inside once for each item of a list, or while a condition holds."
    Settings = LoopSettings
    inline = True
    container = True

    def output_schema(self, settings: Mapping[str, JSON]) -> dict[str, JSON]:
        properties = {
            "items": {"type": "array"},
            "count": {"type": "integer"},
            "errors": {"type": "array"},
            "ended_by": {"enum": ["items", "condition", "break"]},
        }
        return {"type": "object", "properties": properties, "additionalProperties": False}

    async def execute(self, ctx: Context) -> Result:
        settings: LoopSettings = ctx.settings
        if bool(settings.while_.strip()) is ("items" in settings.model_fields_set):
            raise NodeFailure("A loop has either items or while.", code="invalid_settings")
        if settings.while_.strip():
            return OpenLoop(most=settings.max_iterations)
        items: JSON = settings.items
        if not isinstance(items, list | tuple):
            raise NodeFailure(_no_list(items), code="expression")
        if len(items) > MOST_ITEMS:
            raise NodeFailure(f"A loop takes at most {MOST_ITEMS} items; these are {len(items)}.", code="limit")
        return OpenLoop(items=list(items), limit=settings.limit if settings.mode == "parallel" else 1)


def _no_list(value: JSON) -> str:
    if isinstance(value, Mapping):
        return "The items of a loop must be a list, but are an object: take its .values() or its .keys()."
    kind = {type(None): "null", str: "text", bool: "true or false"}.get(type(value), "a number")
    return f"The items of a loop must be a list, but are {kind}."
