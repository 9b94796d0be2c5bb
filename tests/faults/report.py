"""What is reported of a fault, and when a promise is broken."""

from __future__ import annotations

import statistics
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from tests.faults.scene import ONCE, Load, Scene, ask

_TWICE = """
    SELECT count(*) FROM (
        SELECT 1 FROM orchestration_runevent WHERE run_id = ANY(%s) AND type = 'NodeSucceeded'
        GROUP BY run_id, node, path HAVING count(*) > 1) AS twice
"""
_GAPS = """
    SELECT count(*) FROM (
        SELECT run_id FROM orchestration_runevent WHERE run_id = ANY(%s) GROUP BY run_id
        HAVING max(seq) <> count(*) OR min(seq) <> 1) AS gap
"""
_REPEATED = "SELECT count(*) FROM orchestration_runevent WHERE run_id = ANY(%s) AND type = 'AttemptAbandoned'"


_LAST = """
    SELECT event.type || ' ' || event.node || ' at ' || event.at::text || ', token ' || run.lease_token
           || ', host ' || coalesce(run.host_id::text, 'none') || ', due ' || coalesce(run.due_at::text, 'never')
    FROM orchestration_run AS run JOIN orchestration_runevent AS event ON event.run_id = run.id
    WHERE run.id = %s ORDER BY event.seq DESC LIMIT 2
"""


def _last(run: object) -> str:
    """What it did last, for whoever looks for the reason."""
    return "; ".join(row[0] for row in ask(_LAST, run))


@dataclass
class Report:
    """`in_flight` are the steps that were at work when something was broken: as many may be repeated, and no more."""

    fault: str
    seed: int = 0
    started: int = 0
    completed: int = 0
    lost: list[str] = field(default_factory=list)
    """Accepted runs that did not complete, with what became of them."""
    kills: Counter[str] = field(default_factory=Counter)
    in_flight: int = 0
    repeated: int = 0
    """Attempts begun again because their host was gone, by the event log."""
    doubled: int = 0
    """Calls of at-least-once steps that the outside world got more than once."""
    doubled_once: int = 0
    """The same of at-most-once steps: must be 0."""
    outcomes_twice: int = 0
    gaps: int = 0
    go_on: list[float] = field(default_factory=list)
    """Seconds from the fault (or its end, where nothing can be done before) until work went on."""
    go_on_alone: list[float] = field(default_factory=list)
    """The same where no other host was alive, and one had to begin first."""
    go_on_suspects: list[float] = field(default_factory=list)
    """The same where some run has now lost three hosts in a row before anything in it ended: those are taken one at a
    time, so that a run which kills its hosts is told from one that was only there."""
    seconds: float = 0.0
    skipped: str = ""
    broken: list[str] = field(default_factory=list)
    more: dict[str, Any] = field(default_factory=dict)

    def count(self, scene: Scene, load: Load) -> None:
        """Fill in what the database and the sink say. Everything runs again, and the load has been stopped."""
        runs = list(load.accepted)
        self.started = len(runs)
        rows = ask("SELECT id, status, coalesce(error, incident)::text FROM orchestration_run WHERE id = ANY(%s)", runs)
        found = {run: (status, detail) for run, status, detail in rows}
        for run in runs:
            status, detail = found.get(run, ("is not there", None))
            if status == "completed":
                self.completed += 1
            else:
                self.lost.append(f"{run}: {status} {(detail or '')[:200]} {_last(run)}".strip())
        self.repeated = int(ask(_REPEATED, runs)[0][0])
        self.outcomes_twice = int(ask(_TWICE, runs)[0][0])
        self.gaps = int(ask(_GAPS, runs)[0][0])
        for key, times in scene.sink.begun().items():
            if key.split("/")[1].startswith(ONCE):
                self.doubled_once += times - 1
            else:
                self.doubled += times - 1

    def expect(self, holds: bool, promise: str) -> None:
        if not holds:
            self.broken.append(promise)

    def judge(self) -> None:
        self.expect(not self.lost, "no accepted run is lost")
        self.expect(not self.outcomes_twice, "no step has two outcomes")
        self.expect(not self.gaps, "events are numbered without a gap")
        self.expect(not self.doubled_once, "no at-most-once effect is doubled")
        self.expect(self.repeated <= self.in_flight, "only steps in flight are repeated")
        self.expect(self.doubled <= self.in_flight, "only effects in flight are doubled")

    def as_json(self) -> dict[str, Any]:
        if self.skipped:
            return {"fault": self.fault, "skipped": self.skipped}
        return {
            "fault": self.fault,
            "well": not self.broken,
            "seed": self.seed,
            **{name: getattr(self, name) for name in ("started", "completed", "lost", "in_flight", "repeated")},
            "effects_doubled": self.doubled,
            "at_most_once_doubled": self.doubled_once,
            "outcomes_twice": self.outcomes_twice,
            "seconds_to_go_on": _spread(self.go_on),
            **({"seconds_to_go_on_alone": _spread(self.go_on_alone)} if self.go_on_alone else {}),
            **({"seconds_to_go_on_suspects": _spread(self.go_on_suspects)} if self.go_on_suspects else {}),
            **({"kills": dict(self.kills)} if self.kills else {}),
            **self.more,
            "seconds": round(self.seconds, 1),
            **({"broken": self.broken} if self.broken else {}),
        }


def _spread(seconds: list[float]) -> dict[str, float] | None:
    found = sorted(seconds)
    return {"p50": round(statistics.median(found), 2), "max": round(found[-1], 2), "of": len(found)} if found else None
