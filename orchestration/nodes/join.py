"""Ways come together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from orchestration.definition.fields import NodeSettings
from orchestration.nodes.base import Context, Done, NodeType, Result, register

JSON = Any


class JoinSettings(NodeSettings):
    outputs: dict[str, JSON] = Field(
        default_factory=dict,
        title="Outputs",
        description="What to pass on, by name. Empty: what the join's combine makes of the branches.",
    )


@register
class Join(NodeType):
    """Wait by the node's join rule (`engine/rules.py`), then pass on what has come.

    Outputs: the settings' `outputs`, else the branches put together by the node's `join.combine`: {node id: its
    outputs}, [outputs], or what its expression gives. With the rule `all_settled` every branch is there, as
    {"status": "succeeded" | "failed" | "skipped", "outputs", "error"}.
    """

    kind, label, icon, category = "join", "Join", "arrows-join", "logic"
    description = "Waits until its branches have come, then goes on with what they brought."
    Settings = JoinSettings
    inline = True
    combines = True

    def output_schema(self, settings: Mapping[str, JSON]) -> dict[str, JSON] | None:
        return None

    async def execute(self, ctx: Context) -> Result:
        settings: JoinSettings = ctx.settings
        return Done(outputs=settings.outputs or ctx.combined)
