"""The real processes, killed while runs go on: a small dose of `python -m tests.faults`."""

import pytest

from tests.worker.doses import inflicted

pytestmark = [pytest.mark.processes, pytest.mark.timeout(600)]


def test_processes_and_servers_killed_break_no_promise() -> None:
    report = inflicted("dose", "--seed", "4")
    assert report["kills"]["worker"] >= 1
