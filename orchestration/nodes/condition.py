"""Choose one of two ways."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from orchestration.definition.fields import Expression, NodeSettings
from orchestration.nodes.base import Context, Done, NodeFailure, NodeType, Result, register

JSON = Any


class ConditionSettings(NodeSettings):
    condition: Expression = Field(
        title="Condition", description="An expression that is true or false, such as: analyse.outputs.score > 0.5"
    )


@register
class Condition(NodeType):
    """Go on by the port `true` or `false`. Outputs: {"result": bool}."""

    kind, label, icon, category = "condition", "Condition", "arrows-split", "logic"
    description = "Goes one way if an expression is true, and the other if it is false."
    Settings = ConditionSettings
    inline = True

    def ports(self, settings: Mapping[str, JSON]) -> tuple[str, ...]:
        return ("true", "false")

    def output_schema(self, settings: Mapping[str, JSON]) -> dict[str, JSON]:
        return {"type": "object", "properties": {"result": {"type": "boolean"}}, "additionalProperties": False}

    async def execute(self, ctx: Context) -> Result:
        result: JSON = ctx.settings.condition
        if not isinstance(result, bool):
            raise not_a_truth_value("The condition", result)
        return Done(outputs={"result": result}, port="true" if result else "false")


def not_a_truth_value(what: str, value: JSON) -> NodeFailure:
    """Nothing is taken for true or false that is not: an error is an error, never a branch."""
    return NodeFailure(
        f"{what} must be true or false, but is {value!r}. Compare it with something, for example with ==.",
        code="expression",
        detail={"value": value},
    )
