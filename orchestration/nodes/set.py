"""Set variables of the run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from orchestration.definition.fields import NodeSettings
from orchestration.nodes.base import Context, Done, NodeType, Result, register

JSON = Any


class SetSettings(NodeSettings):
    variables: dict[str, JSON] = Field(
        title="Variables", description="New values by the names of the workflow's variables.", min_length=1
    )


@register
class Set(NodeType):
    """Give variables new values, for everything that starts later. Outputs: the values set."""

    kind, label, icon, category = "set", "Set variables", "variable", "data"
    description = "Gives variables of the workflow new values."
    Settings = SetSettings
    inline = True

    def output_schema(self, settings: Mapping[str, JSON]) -> dict[str, JSON] | None:
        return None

    async def execute(self, ctx: Context) -> Result:
        settings: SetSettings = ctx.settings
        return Done(outputs=dict(settings.variables), variables=dict(settings.variables))
