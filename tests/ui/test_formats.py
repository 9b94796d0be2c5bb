"""Numbers and times are short, exact enough, and never break on nothing."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from portal.core.ui import formats


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (None, "–"),
        (0, "0 ms"),
        (0.0421, "42 ms"),
        (1.24, "1.2 s"),
        (9.96, "10 s"),
        (59.4, "59 s"),
        (59.6, "1 min"),
        (200, "3 min 20 s"),
        (7_500, "2 h 5 min"),
        (93_600, "1 d 2 h"),
        (timedelta(hours=3), "3 h"),
        (-61, "−1 min 1 s"),
    ],
)
def test_duration(seconds: float | None, words: str) -> None:
    assert formats.duration(seconds) == words


@pytest.mark.parametrize(
    ("usd", "words"),
    [
        (None, "–"),
        (0, "$0"),
        (Decimal("1204.5"), "$1,204.50"),
        (0.1234, "$0.12"),
        (Decimal("0.0034"), "$0.0034"),
        (0.00005, "$0.00005"),
        (1e-9, "<$0.000001"),
        (-2, "−$2.00"),
    ],
)
def test_money(usd: float | None, words: str) -> None:
    assert formats.money(usd) == words


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (None, "–"),
        (0, "0"),
        (950, "950"),
        (999.9, "1k"),
        (1_000, "1k"),
        (1_240, "1.2k"),
        (38_211, "38k"),
        (4_100_000, "4.1M"),
    ],
)
def test_compact(number: float | None, words: str) -> None:
    assert formats.compact(number) == words


NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("before", "words"),
    [
        (timedelta(seconds=3), "just now"),
        (timedelta(seconds=42), "42 s ago"),
        (timedelta(minutes=5, seconds=50), "5 min ago"),
        (timedelta(hours=30), "1 d ago"),
        (-timedelta(hours=2), "in 2 h"),
        (timedelta(days=30), "22 Oct"),
        (timedelta(days=400), "17 Oct 2025"),
    ],
)
def test_ago(before: timedelta, words: str) -> None:
    assert formats.ago(NOW - before, NOW) == words


@pytest.mark.parametrize(
    ("name", "letters"), [("Ada Lovelace", "AL"), ("approver", "A"), ("rfp-analyst", "R"), ("", "?"), ("…", "?")]
)
def test_initials(name: str, letters: str) -> None:
    assert formats.initials(name) == letters
