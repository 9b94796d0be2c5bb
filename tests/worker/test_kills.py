"""The real processes, broken while runs go on: a small dose of `python -m tests.faults`."""

import json
import subprocess
import sys

import pytest

pytestmark = pytest.mark.processes


def test_a_small_dose_of_faults_breaks_no_promise() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.faults", "--only", "dose", "--seed", "4", "--patience", "100"],
        capture_output=True,
        text=True,
        timeout=290,
        check=False,
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    assert lines, done.stdout + done.stderr
    report = json.loads(lines[-1])
    assert done.returncode == 0, report
    assert report["completed"] == report["started"] >= 4 and report["lost"] == []
    assert report["outcomes_twice"] == report["at_most_once_doubled"] == 0
    assert report["kills"]["worker"] >= 1
