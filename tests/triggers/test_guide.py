"""The guide's commands run as they stand, one after the other, against the real portal."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import psycopg
import pytest

from tests.engine_host import wait_until
from tests.portal_process import PortalProcess

pytestmark = pytest.mark.processes

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "guides" / "triggers-and-events.md"


def commands() -> list[str]:
    """The shell blocks, less the first, whose values are the reader's own."""
    return re.findall(r"```sh\n(.*?)```", GUIDE.read_text(), re.DOTALL)[1:]


def test_the_guide_works(portal_process: PortalProcess, tmp_path: Path) -> None:
    token = portal_process.manage("token", "--user", "admin", "--org", "demo").stdout.split()[-1]
    script = "set -euo pipefail\n" + "\necho\necho ---\n".join(commands())
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=tmp_path,
        env={**os.environ, "BASE": portal_process.address, "TOKEN": token},
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    answers = [block.strip() for block in done.stdout.split("---")]
    assert all('"status": 4' not in answer and '"status": 5' not in answer for answer in answers), done.stdout
    called = json.loads(answers[2])
    with psycopg.connect(portal_process.database_url, autocommit=True) as connection:

        def status() -> str:
            row = connection.execute("SELECT status FROM orchestration_run WHERE id = %s", [called["run"]]).fetchone()
            return str(row[0]) if row else ""

        wait_until(lambda: status() == "completed", 30, lambda: f"the run, which is {status()}")
        started = connection.execute("SELECT inputs FROM orchestration_run WHERE source = 'event'").fetchall()
        assert ({"order": "43", "amount": 99},) in started
