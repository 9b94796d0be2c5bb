"""The database's time, without asking for it."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timedelta

from portal.core import clock

_JUMP = timedelta(seconds=0.5)


class DatabaseClock:
    """Every answer of the store carries the database's time; in between this process' monotonic clock counts on.

    An answer is always a little old when it arrives, so the latest time any of them implies is the nearest to the
    truth; only a jump (the server's clock was set) is believed backwards too.
    """

    def __init__(self, at: datetime, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._zero = at - timedelta(seconds=monotonic())

    def heard(self, at: datetime) -> None:
        zero = at - timedelta(seconds=self._monotonic())
        if zero > self._zero or self._zero - zero > _JUMP:
            self._zero = zero

    def now(self) -> datetime:
        return self._zero + timedelta(seconds=self._monotonic())

    def seconds_until(self, moment: datetime) -> float:
        return (moment - self.now()).total_seconds()

    def by_own(self, moment: datetime) -> datetime:
        """The same moment by this machine's clock, which may be minutes off: for who compares it with that one."""
        return clock.now() + timedelta(seconds=self.seconds_until(moment))
