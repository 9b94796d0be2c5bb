"""Wait for a time."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, time, timedelta
from typing import Any
from typing import Literal as OneOf
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, model_validator

from orchestration.definition.fields import NodeSettings
from orchestration.nodes.base import Context, Done, NodeFailure, NodeType, Result, Wait, register

JSON = Any
Weekday = OneOf["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
LONGEST = timedelta(days=366)


class DelaySettings(NodeSettings):
    seconds: float | None = Field(
        None, title="Seconds", description="How long to wait; at most 31 days.", ge=0, le=31 * 24 * 3600
    )
    until: str = Field(
        "",
        title="Until",
        description="Instead: a moment (2026-03-01T09:00:00+01:00), a local time (2026-03-01 09:00), or the next time "
        "of day (09:00). What has passed is not waited for.",
    )
    time_zone: str = Field(
        "UTC", title="Time zone", description="Of a time without an offset, such as Europe/Berlin.", min_length=1
    )
    weekdays: tuple[Weekday, ...] = Field(
        (), title="On", description="With a time of day: only on these days of the week. Empty: any day."
    )

    @model_validator(mode="after")
    def _one_of_both(self) -> DelaySettings:
        if (self.seconds is None) == (not self.until.strip()):
            raise ValueError("A delay needs either seconds or until, and not both.")
        return self


@register
class Delay(NodeType):
    """Hold the path for a time. No worker is held, a restart makes it no longer.

    Outputs: {"seconds": float, "until": str}: how long it was to wait from the start of the attempt, and until when.
    """

    kind, label, icon, category = "delay", "Delay", "clock-pause", "time"
    description = "Waits for some time or until a moment, then goes on."
    Settings = DelaySettings
    inline = True

    def output_schema(self, settings: Mapping[str, JSON]) -> dict[str, JSON]:
        properties = {"seconds": {"type": "number"}, "until": {"type": "string"}}
        return {"type": "object", "properties": properties, "additionalProperties": False}

    async def execute(self, ctx: Context) -> Result:
        settings: DelaySettings = ctx.settings
        if settings.seconds is not None:
            until = ctx.started_at + timedelta(seconds=settings.seconds)
        else:
            until = moment(settings.until, settings.time_zone, settings.weekdays, after=ctx.started_at)
        seconds = max(0.0, (until - ctx.started_at).total_seconds())
        outputs = {"seconds": seconds, "until": until.isoformat()}
        return Wait(reason="timer", until=until, data=outputs) if until > ctx.started_at else Done(outputs=outputs)

    async def resume(self, ctx: Context, signal: JSON | None) -> Result:
        return Done(outputs=ctx.wait_data)


def moment(text: str, zone: str, weekdays: tuple[str, ...], *, after: datetime) -> datetime:
    """The moment a text names, in UTC. A time of day is the next one after `after`. Raises NodeFailure.

    A local time that the clocks skip is taken as if they had not been changed yet, one that comes twice is its first.
    """
    try:
        local = ZoneInfo(zone.strip())
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise _wrong(f"There is no time zone {zone!r}; write one such as Europe/Berlin.") from None
    try:
        day_time = time.fromisoformat(text.strip()) if _is_time_of_day(text) else None
        if day_time is not None:
            if day_time.tzinfo is not None:
                raise _wrong(f"{text!r}: a time of day takes its zone from time_zone.")
            return _next(day_time, local, weekdays, after)
        found = datetime.fromisoformat(text.strip())
    except ValueError:
        raise _wrong(
            f"{text!r} is no moment: write 2026-03-01T09:00:00Z, a local time such as 2026-03-01 09:00, or 09:00."
        ) from None
    if weekdays:
        raise _wrong("Days of the week go with a time of day, such as 09:00, and not with a date.")
    until = (found if found.tzinfo else found.replace(tzinfo=local)).astimezone(UTC)
    if until - after > LONGEST:
        raise _wrong(f"{text!r} is more than {LONGEST.days} days ahead.")
    return until


def _is_time_of_day(text: str) -> bool:
    return ":" in text[:3] and "-" not in text[:3]


def _next(at: time, zone: ZoneInfo, weekdays: tuple[str, ...], after: datetime) -> datetime:
    today = after.astimezone(zone).date()
    for days in range(9):
        day = today + timedelta(days=days)
        found = datetime.combine(day, at, zone).astimezone(UTC)
        if found > after and (not weekdays or WEEKDAYS[day.weekday()] in weekdays):
            return found
    raise AssertionError("Every day of the week comes within nine days.")


def _wrong(message: str) -> NodeFailure:
    return NodeFailure(message, code="invalid_settings")
