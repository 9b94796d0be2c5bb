"""Where failures go that nothing else has handled."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from typing import Literal as OneOf

from pydantic import Field

from orchestration.definition.fields import NodeSettings
from orchestration.nodes.base import Context, Done, NodeType, Result, register

JSON = Any


class ErrorHandlerSettings(NodeSettings):
    then: OneOf["fail", "complete"] = Field(
        "fail",
        title="When its path has ended",
        description="fail: the failure stands, the path was for cleaning up. complete: the run or iteration ends well.",
    )


@register
class ErrorHandler(NodeType):
    """Begins its path when something in the same body has failed and nothing else handles it (engine/handlers.py).

    `error` is known on its path: {"code", "message", "detail", "node", "path"}. Outputs: {}.
    """

    kind, label, icon, category = "error_handler", "Error handler", "shield", "errors"
    description = "Its path runs when something has failed that nothing else handles."
    Settings = ErrorHandlerSettings
    inline = True

    def output_schema(self, settings: Mapping[str, JSON]) -> dict[str, JSON]:
        return {"type": "object", "properties": {}, "additionalProperties": False}

    async def execute(self, ctx: Context) -> Result:
        return Done(outputs={})
