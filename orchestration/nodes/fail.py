"""Fail on purpose."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from orchestration.definition.fields import NodeSettings
from orchestration.nodes.base import Context, NodeFailure, NodeType, Result, register

JSON = Any


class FailSettings(NodeSettings):
    message: str = Field(title="Message", description="What went wrong, for whoever reads the run.", min_length=1)
    code: str = Field(
        "failed", title="Code", description="A short word for rules and reports.", pattern=r"^[a-z][a-z0-9_]{0,62}$"
    )


@register
class Fail(NodeType):
    """Fail with a message: the run fails, unless the loop around it collects errors."""

    kind, label, icon, category = "fail", "Fail", "circle-x", "errors"
    description = "Ends the path with an error."
    Settings = FailSettings
    inline = True

    def ports(self, settings: Mapping[str, JSON]) -> tuple[str, ...]:
        return ()

    async def execute(self, ctx: Context) -> Result:
        settings: FailSettings = ctx.settings
        raise NodeFailure(settings.message, code=settings.code)
