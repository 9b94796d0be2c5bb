"""When a schedule is due, with the clock in our hands: zones, daylight saving, missed fires."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from orchestration.triggers import schedule
from orchestration.triggers.schedule import Missed


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


# Clocks of Berlin go from 02:00 to 03:00 on 29 March 2026 and from 03:00 back to 02:00 on 25 October 2026.
@pytest.mark.parametrize(
    ("expression", "after", "expected"),
    [
        ("0 9 * * *", "2026-03-28T12:00", ["2026-03-29T09:00+02:00", "2026-03-30T09:00+02:00"]),
        ("0 9 * * *", "2026-10-24T12:00", ["2026-10-25T09:00+01:00", "2026-10-26T09:00+01:00"]),
        # the time that is left out runs right after the gap, once
        ("30 2 * * *", "2026-03-28T12:00", ["2026-03-29T03:00+02:00", "2026-03-30T02:30+02:00"]),
        # the time that comes twice runs once
        ("30 2 * * *", "2026-10-24T12:00", ["2026-10-25T02:30+02:00", "2026-10-26T02:30+01:00"]),
        # each half hour stays half an hour
        (
            "*/30 * * * *",
            "2026-03-29T00:29",
            ["2026-03-29T01:30+01:00", "2026-03-29T03:00+02:00", "2026-03-29T03:30+02:00"],
        ),
        (
            "*/30 * * * *",
            "2026-10-25T00:00",
            ["2026-10-25T02:30+02:00", "2026-10-25T02:00+01:00", "2026-10-25T02:30+01:00", "2026-10-25T03:00+01:00"],
        ),
        ("0 0 29 2 *", "2026-01-01T00:00", ["2028-02-29T00:00+01:00"]),
    ],
)
def test_berlin(expression: str, after: str, expected: list[str]) -> None:
    found = schedule.following(expression, "Europe/Berlin", utc(after), len(expected))
    assert [moment.isoformat(timespec="minutes") for moment in found] == expected


@pytest.mark.parametrize(
    ("expression", "zone", "words"),
    [
        ("0 9 * * *", "Berlin", "no time zone"),
        ("0 9 * *", "UTC", "five parts"),
        ("0 9 * * * *", "UTC", "five parts"),
        ("61 9 * * *", "UTC", "cannot be read"),
        ("0 0 31 2 *", "UTC", ""),
    ],
)
def test_what_is_wrong_is_said(expression: str, zone: str, words: str) -> None:
    found = schedule.fault(expression, zone)
    assert found and words in found
    assert schedule.fault("0 9 * * 1-5", "Europe/Berlin") == ""


HOURLY = {"expression": "0 * * * *", "zone": "UTC", "due": utc("2026-05-01T09:00")}


@pytest.mark.parametrize("missed", list(Missed))
def test_a_fire_in_time_fires(missed: Missed) -> None:
    for seconds in (0, 1, 60):
        now = HOURLY["due"] + timedelta(seconds=seconds)
        plan = schedule.plan(**HOURLY, missed=missed, now=now)
        assert (plan.fire, plan.skipped, plan.next_at) == ((HOURLY["due"],), 0, utc("2026-05-01T10:00"))


@pytest.mark.parametrize(
    ("missed", "fires", "skipped"),
    [
        (Missed.SKIP, [], 4),
        (Missed.ONCE, ["2026-05-01T12:00"], 3),
        (Missed.ALL, ["2026-05-01T09:00", "2026-05-01T10:00", "2026-05-01T11:00", "2026-05-01T12:00"], 0),
    ],
)
def test_missed_fires_are_made_up_for_as_the_trigger_says(missed: Missed, fires: list[str], skipped: int) -> None:
    plan = schedule.plan(**HOURLY, missed=missed, now=utc("2026-05-01T12:30"))
    assert (list(plan.fire), plan.skipped) == ([utc(text) for text in fires], skipped)
    assert plan.next_at == utc("2026-05-01T13:00")


@pytest.mark.parametrize(("missed", "fires", "skipped"), [("skip", 1, 3), ("once", 1, 3), ("all", 4, 0)])
def test_who_comes_back_just_in_time_for_the_last(missed: str, fires: int, skipped: int) -> None:
    plan = schedule.plan(**HOURLY, missed=Missed(missed), now=utc("2026-05-01T12:00:05"))
    assert (len(plan.fire), plan.skipped) == (fires, skipped)
    assert plan.fire[-1] == utc("2026-05-01T12:00")


def test_a_year_away_costs_little_and_starts_few() -> None:
    plan = schedule.plan(
        expression="* * * * *",
        zone="UTC",
        missed=Missed.ALL,
        due=utc("2025-05-01T09:00"),
        now=utc("2026-05-01T09:00:00"),
    )
    assert len(plan.fire) == schedule.MOST_CAUGHT_UP + 2  # the last two are in time
    assert plan.skipped > 900 and plan.fire[-1] == utc("2026-05-01T09:00")


# In the hour that comes twice nothing missed is lost, nothing is due again.
@pytest.mark.parametrize(
    ("zone", "change"),
    [
        ("Europe/London", "2026-10-25T01:00"),
        ("Europe/London", "2026-03-29T01:00"),
        ("America/Havana", "2026-11-01T05:00"),
        ("Australia/Lord_Howe", "2026-10-03T15:30"),
        ("America/Santiago", "2026-09-06T04:00"),
    ],
)
@pytest.mark.parametrize("expression", ["*/15 * * * *", "30 1,2,3 * * *", "0 */2 * * *", "*/7 2 * * *", "0 0 * * *"])
def test_a_night_with_a_change_of_clocks_without_an_engine(expression: str, zone: str, change: str) -> None:
    begin = utc(change) - timedelta(days=2)
    times = [moment.astimezone(UTC) for moment in schedule.following(expression, zone, begin, 400)]
    for minutes in range(-90, 200, 7):  # when the engine is back
        now = utc(change) + timedelta(minutes=minutes, seconds=13)
        due = [moment for moment in times if moment <= now]
        plan = schedule.plan(expression=expression, zone=zone, missed=Missed.ALL, due=times[0], now=now)
        assert (list(plan.fire), plan.skipped) == (due[-len(plan.fire) :], len(due) - len(plan.fire))
        assert plan.next_at is not None and plan.next_at.astimezone(UTC) == times[len(due)]
