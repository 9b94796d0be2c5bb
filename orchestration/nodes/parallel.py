"""Several ways at once."""

from __future__ import annotations

from orchestration.definition.fields import NodeSettings
from orchestration.nodes.base import Context, Done, NodeType, Result, register


class ParallelSettings(NodeSettings):
    """Nothing to set: every edge that leaves the node is a way."""


@register
class Parallel(NodeType):
    """All edges come alive. Any node may have several edges; this one says in the drawing that it is meant."""

    kind, label, icon, category = "parallel", "Parallel", "arrows-right", "logic"
    description = "Begins all the ways that leave it at the same time."
    Settings = ParallelSettings
    inline = True

    async def execute(self, ctx: Context) -> Result:
        return Done(outputs={})
