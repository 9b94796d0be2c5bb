"""The clock of the portal's own decisions (expiry, deadlines), and the database's, by which runs and triggers go."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime

from django.db import connection
from django.utils import timezone

_fixed: ContextVar[datetime | None] = ContextVar("fixed_clock", default=None)


def now() -> datetime:
    """An aware datetime, in UTC."""
    return _fixed.get() or datetime.now(UTC)


def database_now() -> datetime:
    """One query. The same on all machines, whatever their own clocks say."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        (found,) = cursor.fetchone()
    moment: datetime = found
    return moment


@contextmanager
def fixed(moment: datetime) -> Iterator[None]:
    """For tests: `with clock.fixed(moment): ...`; `now()` answers `moment`, which must be aware."""
    if timezone.is_naive(moment):
        raise ValueError("clock.fixed() needs an aware datetime")
    token = _fixed.set(moment)
    try:
        yield
    finally:
        _fixed.reset(token)
