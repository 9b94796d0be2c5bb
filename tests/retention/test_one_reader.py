"""Rows of runs that may be archived are read in one place. Who reads them elsewhere stands here with the reason."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
READS = re.compile(r"\b(RunEvent|NodeRun|RunSignal|Effect)\.objects\b")
MAY = {
    "orchestration/monitoring/rows.py": "this is where they are read",
    "orchestration/monitoring/control.py": "of runs that have not ended",
    "orchestration/monitoring/queries.py": "of runs that have not ended",
    "orchestration/agent_usage.py": "over all runs; of archived ones the figures are kept apart",
    "orchestration/services/ending.py": "of runs that have not ended",
    "orchestration/services/runs.py": "signals of a run that is locked, and unpacked if it was archived",
    "orchestration/services/steering": "of runs that have not ended, and signals nobody has taken in",
}


def test_nobody_else_reads_them() -> None:
    paths = [path for app in ("orchestration", "approvals", "agents", "portal") for path in (ROOT / app).rglob("*.py")]
    found = {str(path.relative_to(ROOT)) for path in paths if READS.search(path.read_text())}
    others = {path for path in found if not path.startswith(tuple(MAY))}
    assert not others, "read them through orchestration.monitoring.history: they may be archived"
    assert all(any(path.startswith(known) for path in found) for known in MAY), "one of these reads them no more"
