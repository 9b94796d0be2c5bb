"""Small doses of `python -m tests.faults`, as tests run them: the same command, the same judge."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

SECONDS = 580
"""For a machine that is busy with everything else; a quiet one needs a tenth."""


def inflicted(name: str, *arguments: str) -> dict[str, Any]:
    """What the fault reports. Fails when a promise is broken, skips where this machine does not permit the fault."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.faults", "--only", name, "--quick", "--patience", "150", *arguments],
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    assert lines, done.stdout + done.stderr
    report: dict[str, Any] = json.loads(lines[-1])
    if "skipped" in report:
        pytest.skip(report["skipped"])
    assert done.returncode == 0, (report, done.stderr[-2000:])
    assert report["completed"] == report["started"] >= 4 and report["lost"] == []
    assert report["outcomes_twice"] == report["at_most_once_doubled"] == 0
    return report
