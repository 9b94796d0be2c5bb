"""A full disk, and clocks that are off: small doses of `python -m tests.faults`."""

import pytest

from tests.worker.doses import inflicted

pytestmark = [pytest.mark.processes, pytest.mark.timeout(600)]


def test_a_full_disk_breaks_no_promise() -> None:
    assert inflicted("disk-full")["free_bytes_then"] < 1 << 20


def test_a_clock_that_is_off_breaks_no_promise() -> None:
    assert inflicted("clock-off")["timers_early"] == 0
