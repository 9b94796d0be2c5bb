"""When a cron trigger is due. Pure: the time is given.

Daylight saving is that of Debian's cron, as the library `cronsim` has it: a job at a time that the clocks leave out
runs right after the gap, one at a time that comes twice runs once, and one that runs each so many minutes or hours
keeps its real distance.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from itertools import islice, takewhile
from zoneinfo import ZoneInfo, available_timezones

from cronsim import CronSim, CronSimError

GRACE = timedelta(seconds=60)
"""A fire that is later than this was missed: no engine was alive."""
MOST_CAUGHT_UP = 50
"""Missed fires that `all` makes up for, the latest ones."""
_MOST_COUNTED = 1000
_LARGEST_SHIFT = timedelta(hours=3)
"""More than any clock is set at once."""


class Missed(StrEnum):
    SKIP = "skip"
    ONCE = "once"
    ALL = "all"


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do about a trigger that is due: fire for each of `fire`, note `skipped`, look again at `next_at`."""

    fire: tuple[datetime, ...]
    skipped: int
    """How many missed fires are left out; counted up to 1,000."""
    first_skipped: datetime | None
    next_at: datetime | None


def fault(expression: str, zone: str) -> str:
    """What is wrong with a schedule, as a sentence; empty if nothing is."""
    if zone not in available_timezones():
        return f"{zone!r} is no time zone. Names are such as Europe/Berlin, America/New_York or UTC."
    if len(expression.split()) != 5:
        return (
            "A schedule has five parts: minute, hour, day of the month, month, day of the week. "
            "0 9 * * 1-5 is nine o'clock from Monday to Friday."
        )
    try:
        found = next(CronSim(expression, datetime(2026, 1, 1, tzinfo=UTC)), None)
    except CronSimError as error:
        return f"The schedule cannot be read: {error}."
    return "" if found else "The schedule never comes true."


def following(expression: str, zone: str, after: datetime, count: int) -> list[datetime]:
    """The next times after a moment, in the trigger's zone."""
    return list(islice(_times(expression, zone, after), count))


def plan(*, expression: str, zone: str, missed: Missed, due: datetime, now: datetime) -> Plan:
    """`due`: the time the trigger waits for, not after `now`."""
    late = [due.astimezone(UTC), *_until(expression, zone, due, now)]
    in_time = [moment for moment in late if now - moment <= GRACE]
    lost = late[: len(late) - len(in_time)]
    made_up: list[datetime] = []
    match missed:
        case Missed.ONCE if not in_time:
            made_up = lost[-1:]
        case Missed.ALL:
            made_up = lost[-MOST_CAUGHT_UP:]
    left_out = lost[: len(lost) - len(made_up)]
    return Plan(
        fire=(*made_up, *in_time),
        skipped=len(left_out),
        first_skipped=left_out[0] if left_out else None,
        next_at=next(_times(expression, zone, now), None),
    )


def _until(expression: str, zone: str, after: datetime, now: datetime) -> list[datetime]:
    """Times after one moment up to another, as UTC; the latest 1,000 of them."""
    times = takewhile(
        lambda moment: moment <= now, _times(expression, zone, _not_far_before(expression, zone, after, now))
    )
    return [moment.astimezone(UTC) for moment in times][-_MOST_COUNTED:]


def _not_far_before(expression: str, zone: str, after: datetime, now: datetime) -> datetime:
    """Where to begin, so that a year away costs no more than its latest times.

    Only as a place to begin: where clocks are set, going backwards finds other times than going forwards.
    """
    began = (now + timedelta(microseconds=1)).astimezone(ZoneInfo(zone))
    moment = after
    for moment in islice(CronSim(expression, began, reverse=True), _MOST_COUNTED):
        if moment <= after:
            return after
    return max(after, moment - _LARGEST_SHIFT)


def _times(expression: str, zone: str, after: datetime) -> Iterator[datetime]:
    """In the hour that comes twice the library may begin with the first of both, which is over."""
    after = after.astimezone(UTC)  # times of one zone are compared as they stand on the wall
    found = CronSim(expression, after.astimezone(ZoneInfo(zone)))
    return (moment for moment in found if moment > after)
