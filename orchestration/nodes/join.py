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
        description="What to pass on, by name. Empty: the outputs of every branch that has come, by its node.",
    )


@register
class Join(NodeType):
    """Wait by the node's join rule (all, any). Outputs: the settings' `outputs`, else {node id: its outputs}."""

    kind, label, icon, category = "join", "Join", "arrows-join", "logic"
    description = "Waits until its branches have come, then goes on with what they brought."
    Settings = JoinSettings
    inline = True
    reads_incoming = True

    def output_schema(self, settings: Mapping[str, JSON]) -> dict[str, JSON] | None:
        return None

    async def execute(self, ctx: Context) -> Result:
        settings: JoinSettings = ctx.settings
        return Done(outputs=settings.outputs or dict(ctx.incoming))
