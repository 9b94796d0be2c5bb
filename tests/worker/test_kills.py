"""The real processes, killed with -9 while runs go on: a small dose of `python -m tests.chaos`."""

import json
import subprocess
import sys
from typing import Any

import pytest

pytestmark = pytest.mark.processes


def chaos(*arguments: str, seconds: float = 280) -> dict[str, Any]:
    """The report of a chaos run in a portal of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.chaos", "--workflow", "effects", *arguments],
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    assert lines, done.stdout + done.stderr
    report: dict[str, Any] = json.loads(lines[-1])
    assert done.returncode == 0, report
    return report


def test_runs_survive_killed_workers_and_nothing_that_ended_is_repeated() -> None:
    report = chaos("--runs", "4", "--kills", "3", "--every", "2", "--seed", "4", "--workers-only", "--workers", "2")
    assert report["completed"] == 4 and report["outcomes_twice"] == 0
    assert report["kills"]["worker"] >= 1
    assert report["doubled_calls"] <= report["in_flight"] and report["repeated"] <= report["in_flight"]
    recovery = report["recovery_seconds"]
    assert recovery is None or recovery["median"] < 5, "another host takes over, or the worker's successor does"


def test_one_single_worker_is_enough_to_recover() -> None:
    report = chaos("--runs", "2", "--kills", "2", "--every", "2", "--seed", "8", "--workers-only", "--workers", "1")
    assert report["completed"] == 2 and report["repeated"] <= report["in_flight"]
