"""Reshape data by named steps or an expression."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import Field

from orchestration.definition.fields import Late, NodeSettings
from orchestration.nodes.base import Context, Done, NodeFailure, NodeType, Result, register
from orchestration.transforms import TransformError, run
from orchestration.transforms.steps import NAMES, AnyStep, Compute

JSON = Any


class TransformSettings(NodeSettings):
    input: JSON = Field(
        None, title="Input", description="What the first step is given, usually {{ node.outputs.rows }}."
    )
    given: dict[str, JSON] = Field(
        default_factory=dict,
        title="Given",
        description="Further values that the steps may use, as given.name: the run's own names are not known there.",
    )
    steps: tuple[AnyStep, ...] = Field(
        (), title="Steps", description="One after the other; each takes what the one before it gave.", max_length=50
    )
    output: Late = Field(
        "", title="Result", description="An expression over value and given, after the last step. Empty: value itself."
    )


@register
class Transform(NodeType):
    """Reshape data. Outputs: {"result": any, "count": rows of a result that is a list, else null}.

    Code `transform`, with `detail` {"step", "op", "row"}, which count from 1 (row 0: the step as a whole).
    """

    kind, label, icon, category = "transform", "Transform", "transform", "data"
    description = "Reshapes data by named steps: map, filter, sort, group, join, totals, text, JSON."
    Settings = TransformSettings
    late_names: ClassVar[frozenset[str] | None] = NAMES

    def output_schema(self, settings: Mapping[str, JSON]) -> dict[str, JSON]:
        properties = {"result": {}, "count": {"type": ["integer", "null"]}}
        return {"type": "object", "properties": properties, "additionalProperties": False}

    async def execute(self, ctx: Context) -> Result:
        settings: TransformSettings = ctx.settings
        steps = [*settings.steps, *([Compute(op="compute", to=settings.output)] if settings.output else [])]
        try:
            # in a thread: much data takes a while, and the host's other runs go on
            result = await asyncio.to_thread(run, settings.input, steps, settings.given)
        except TransformError as error:
            detail = {"step": error.step, "op": error.op, "row": error.row}
            raise NodeFailure(str(error), code="transform", detail=detail) from None
        return Done(outputs={"result": result, "count": len(result) if isinstance(result, list) else None})
