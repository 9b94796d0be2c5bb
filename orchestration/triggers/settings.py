"""Settings of a trigger, by its kind. Pure, but for the runtime of expressions."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from agents.contracts import Fault
from orchestration.bus import rules
from orchestration.triggers import schedule
from orchestration.triggers.schedule import Missed
from orchestration.triggers.signatures import Scheme

JSON = Any


class _Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class CronSettings(_Settings):
    """{"expression": "0 9 * * 1-5", "timezone": "Europe/Berlin", "missed": "once"}"""

    expression: str = Field(max_length=200)
    timezone: str = Field("UTC", max_length=64)
    missed: Missed = Missed.ONCE

    @model_validator(mode="after")
    def _comes_true(self) -> CronSettings:
        if found := schedule.fault(self.expression, self.timezone):
            raise ValueError(found)
        return self


class WebhookSettings(_Settings):
    """{"scheme": "ensemble", "window_seconds": 300, "per_minute": 60}"""

    scheme: Scheme = Scheme.ENSEMBLE
    window_seconds: int = Field(300, ge=30, le=3600)
    per_minute: int = Field(60, ge=1, le=6000)


class EventSettings(_Settings):
    """{"event": "order.paid", "key": "", "filter": "event.data.amount > 100"}"""

    event: str = Field(min_length=1, max_length=120)
    key: str = Field("", max_length=200)
    filter: str = Field("", max_length=2000)

    @model_validator(mode="after")
    def _can_match(self) -> EventSettings:
        if found := rules.fault(self.event, self.key, None) or rules.filter_fault(self.filter):
            raise ValueError(found)
        return self


Settings = CronSettings | WebhookSettings | EventSettings
KINDS: dict[str, type[CronSettings] | type[WebhookSettings] | type[EventSettings]] = {
    "cron": CronSettings,
    "webhook": WebhookSettings,
    "event": EventSettings,
}


class InvalidSettings(Exception):
    def __init__(self, faults: list[Fault]) -> None:
        super().__init__("; ".join(map(str, faults)))
        self.faults = faults


def read(kind: str, raw: JSON) -> Settings:
    """Raises InvalidSettings with every fault, its path below `settings`."""
    try:
        return KINDS[kind].model_validate(raw)
    except ValidationError as error:
        raise InvalidSettings([_fault(one) for one in error.errors(include_url=False)]) from None


def _fault(error: JSON) -> Fault:
    path = ".".join(map(str, ("$.settings", *error["loc"])))
    return Fault(path, str(error["msg"]).removeprefix("Value error, "))
