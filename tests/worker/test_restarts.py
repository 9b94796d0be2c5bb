"""The real processes, hung and restarted in order while runs go on: a small dose of `python -m tests.faults`."""

import pytest

from tests.worker.doses import inflicted

pytestmark = [pytest.mark.processes, pytest.mark.timeout(600)]


def test_a_host_that_hangs_and_restarts_in_order_break_no_promise() -> None:
    report = inflicted("dose-slow", "--seed", "4")
    assert report["writes_refused"] >= 1 and report["requests_refused"] == []
