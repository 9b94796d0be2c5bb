"""Choose one of several ways."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, field_validator

from orchestration.definition.fields import Expression, Literal, NodeSettings
from orchestration.nodes.base import Context, Done, NodeType, Result, register
from orchestration.nodes.condition import not_a_truth_value

JSON = Any
DEFAULT = "default"


class Case(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    port: Literal = Field(title="Port", description="Name of this way out.", pattern=r"^[a-z][a-z0-9_]{0,62}$")
    when: Expression = Field(title="When", description="An expression that is true or false.")


class SwitchSettings(NodeSettings):
    cases: tuple[Case, ...] = Field(
        title="Cases", description="Looked at in order; the first that is true is taken.", min_length=1
    )

    @field_validator("cases")
    @classmethod
    def _distinct(cls, cases: tuple[Case, ...]) -> tuple[Case, ...]:
        ports = [case.port for case in cases]
        if len(set(ports)) < len(ports):
            raise ValueError("Two cases lead to the same port.")
        if taken := {DEFAULT, "error"} & set(ports):
            raise ValueError(f"The port {taken.pop()} is taken.")
        return cases


@register
class Switch(NodeType):
    """Go on by the port of the first case that is true, else by `default`. Outputs: {"port": str}."""

    kind, label, icon, category = "switch", "Switch", "route", "logic"
    description = "Goes the way of the first case that is true, and the default way if none is."
    Settings = SwitchSettings
    inline = True

    def ports(self, settings: Mapping[str, JSON]) -> tuple[str, ...]:
        cases = settings.get("cases")
        named = cases if isinstance(cases, list | tuple) else ()
        return (*(case["port"] for case in named if isinstance(case, Mapping) and "port" in case), DEFAULT)

    def output_schema(self, settings: Mapping[str, JSON]) -> dict[str, JSON]:
        return {"type": "object", "properties": {"port": {"type": "string"}}, "additionalProperties": False}

    async def execute(self, ctx: Context) -> Result:
        settings: SwitchSettings = ctx.settings
        for case in settings.cases:
            chosen: JSON = case.when
            if not isinstance(chosen, bool):
                raise not_a_truth_value(f"The case {case.port!r}", chosen)
            if chosen:
                return Done(outputs={"port": case.port}, port=case.port)
        return Done(outputs={"port": DEFAULT}, port=DEFAULT)
