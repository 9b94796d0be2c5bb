"""The one clock of the portal's own decisions (expiry, deadlines). Leases and timers of runs use the database's."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime

from django.utils import timezone

_fixed: ContextVar[datetime | None] = ContextVar("fixed_clock", default=None)


def now() -> datetime:
    """An aware datetime, in UTC."""
    return _fixed.get() or datetime.now(UTC)


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
