"""Dates and times for expressions: read, written and counted in a time zone of the author's choice.

A moment is a moment everywhere; only days, months and clock times belong to a zone. A local time that the clocks skip
counts as if they had not been changed yet, one that comes twice is its first.
"""

from __future__ import annotations

import calendar
import re
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from orchestration.expressions.errors import ExpressionError
from orchestration.expressions.functions.function import function, method

_DIRECTIVES = re.compile(r"%(.?)", re.DOTALL)
_ALLOWED = frozenset("YmdHMSfjyIpaAbBzGVu%")
_MOST_DAYS = 4_000_000


def parse_date(text: str, second: str = "UTC", third: str = "") -> datetime:
    """(text), (text, zone): ISO 8601. (text, format, zone): as the format says, which begins to count at a `%`."""
    zone, pattern = (third or "UTC", second) if "%" in second else (second, third)
    try:
        found = datetime.strptime(text.strip(), _pattern(pattern)) if pattern else datetime.fromisoformat(text.strip())
    except ValueError:
        wanted = f"of the form {pattern}" if pattern else "such as 2026-03-01T09:00:00Z or 2026-03-01 09:00"
        raise ExpressionError(
            f"parse_date() cannot read {text[:40]!r}: no date {wanted}.", code="invalid_value"
        ) from None
    return _moment(found if found.tzinfo else found.replace(tzinfo=zone_of(zone)))


def format_date(moment: datetime, pattern: str, zone: str = "UTC") -> str:
    return local(moment, zone).strftime(_pattern(pattern))


def add_days(moment: datetime, days: int, zone: str = "UTC") -> datetime:
    """The same clock time so many days later, across a change of the clocks too."""
    if abs(days) > _MOST_DAYS:
        raise _too_far()
    there = local(moment, zone)
    try:
        return _moment((there.replace(tzinfo=None) + timedelta(days=int(days))).replace(tzinfo=there.tzinfo))
    except OverflowError:
        raise _too_far() from None


def add_months(moment: datetime, months: int, zone: str = "UTC") -> datetime:
    """The same day so many months later, or the month's last where it is shorter."""
    there = local(moment, zone)
    year, month = divmod(there.year * 12 + there.month - 1 + int(months), 12)
    if not 1 <= year <= 9999:
        raise _too_far()
    day = min(there.day, calendar.monthrange(year, month + 1)[1])
    return _moment(there.replace(year=year, month=month + 1, day=day, fold=0))


def days_between(first: datetime, second: datetime, zone: str = "UTC") -> int:
    """Midnights between two moments."""
    return (local(second, zone).date() - local(first, zone).date()).days


def start_of_day(moment: datetime, zone: str = "UTC") -> datetime:
    return _moment(local(moment, zone).replace(hour=0, minute=0, second=0, microsecond=0, fold=0))


def weekday(moment: datetime, zone: str = "UTC") -> int:
    """1 is Monday, 7 Sunday (ISO 8601)."""
    return local(moment, zone).isoweekday()


def local(moment: datetime, zone: str) -> datetime:
    return moment.astimezone(zone_of(zone))


@lru_cache(maxsize=512)
def zone_of(name: str) -> ZoneInfo:
    """Raises ExpressionError."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        message = f"There is no time zone {name[:40]!r}; write one such as Europe/Berlin."
        raise ExpressionError(message, code="invalid_value") from None


def _pattern(pattern: str) -> str:
    wrong = next((letter for letter in _DIRECTIVES.findall(pattern) if letter not in _ALLOWED or not letter), None)
    if wrong is not None or len(pattern) > 100:
        known = " ".join(f"%{letter}" for letter in "YmdHMS")
        message = f"The format {pattern[:40]!r} is not understood; write it with {known} and the like."
        raise ExpressionError(message, code="invalid_value")
    return pattern


def _moment(found: datetime) -> datetime:
    try:
        moment = found.astimezone(UTC)
    except OverflowError:
        raise _too_far() from None
    return moment.astimezone(timezone.utc)  # noqa: UP017  the runtime takes this one only


def _too_far() -> ExpressionError:
    return ExpressionError("The date lies outside of the years 1 to 9999.", code="arithmetic")


FUNCTIONS = (
    function("parse_date", "s>t ss>t sss>t", parse_date, "parse_date('2026-03-01 09:00', 'Europe/Berlin') = \"2026-03-01T08:00:00Z\"", "A moment; also by a format and a zone."),
    method("format_date", "ts tss", format_date, "timestamp('2026-03-01T08:00:00Z').format_date('%d.%m.%Y %H:%M', 'Europe/Berlin') = \"01.03.2026 09:00\"", "A moment as text."),
    method("add_days", "ti>t tis>t", add_days, "timestamp('2026-03-28T08:00:00Z').add_days(1, 'Europe/Berlin') = \"2026-03-29T07:00:00Z\"", "The same time some days later."),
    method("add_months", "ti>t tis>t", add_months, "timestamp('2026-01-31T08:00:00Z').add_months(1) = \"2026-02-28T08:00:00Z\"", "The same day some months later."),
    method("start_of_day", "t>t ts>t", start_of_day, "timestamp('2026-03-01T08:30:00Z').start_of_day() = \"2026-03-01T00:00:00Z\"", "Midnight before it."),
    method("weekday", "t ts", weekday, "timestamp('2026-03-01T08:00:00Z').weekday() = 7", "1 is Monday, 7 Sunday."),
    function("days_between", "tt tts", days_between, "days_between(timestamp('2026-03-01T23:00:00Z'), timestamp('2026-03-02T01:00:00Z')) = 1", "Midnights between two moments."),
)  # fmt: skip
