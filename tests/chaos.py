"""Kill the engine's processes while runs go on, and count: `python -m tests.chaos --runs 10 --kills 15 --seed 7`.

Starts a portal of its own (`manage.py up`), starts the runs through the services, decides approvals as `approver`, and
meanwhile kills (-9) processes of the engine cluster chosen by the seed: workers most of the time, now and then the
pusher, the monitor, the sentinel or the main process. Prints one JSON line:

    completed, lost             of `runs`; lost are those that did not complete in time
    kills                       by kind of process
    in_flight                   steps at work in killed processes, read while each victim stood still
    repeated                    attempts begun again because their host had died, from the event log
    doubled_calls               calls the outside world got more than once (workflow `effects`), counted there
    outcomes_twice              node runs with two recorded outcomes: must be 0
    recovery_seconds            from a worker's death until all its runs were in other hands: median, maximum

Exit status 0 if nothing was lost or recorded twice, and no more was repeated than was in flight.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import statistics
import sys
import tempfile
import threading
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from tests import effects
from tests.portal_process import PortalProcess, wait_for

AT_WORK = """
    SELECT count(*) FROM orchestration_noderun AS node
    JOIN orchestration_run AS run ON run.id = node.run_id
    JOIN orchestration_enginehost AS host ON host.id = run.host_id
    WHERE node.status = 'running' AND node.type <> 'loop' AND host.pid = ANY(%s)
"""
IN_HAND = """
    SELECT run.id, run.lease_token FROM orchestration_run AS run
    JOIN orchestration_enginehost AS host ON host.id = run.host_id WHERE host.pid = %s
"""


@dataclass
class Report:
    seed: int
    runs: int = 0
    completed: int = 0
    lost: list[str] = field(default_factory=list)
    kills: Counter[str] = field(default_factory=Counter)
    in_flight: int = 0
    repeated: int = 0
    doubled_calls: int | None = None
    outcomes_twice: int = 0
    recovery: list[float] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def well(self) -> bool:
        doubled = self.doubled_calls or 0
        return not self.lost and not self.outcomes_twice and max(self.repeated, doubled) <= self.in_flight

    def as_json(self) -> dict[str, Any]:
        recovery = [round(value, 2) for value in self.recovery]
        return {
            **{name: getattr(self, name) for name in ("seed", "runs", "completed", "lost", "in_flight", "repeated")},
            "kills": dict(self.kills),
            "doubled_calls": self.doubled_calls,
            "outcomes_twice": self.outcomes_twice,
            "recovery_seconds": {"median": statistics.median(recovery), "max": max(recovery)} if recovery else None,
            "seconds": round(self.seconds, 1),
            "well": self.well,
        }


class Killer:
    """Kills one process at a time. The victim is first stopped, so that what it has at work can be read exactly."""

    def __init__(
        self, portal: PortalProcess, chance: random.Random, report: Report, *, workers_only: bool = False
    ) -> None:
        self.portal, self.chance, self.report, self.workers_only = portal, chance, report, workers_only

    def strike(self) -> None:
        """Wait until somebody drives runs, so that each kill hits work, and kill."""
        wait_for(self._hosts, 30)
        with suppress(psutil.NoSuchProcess, IndexError, StopIteration):
            kind, victim = self._choose()
            self._kill(kind, victim)

    def _hosts(self) -> list[int]:
        with suppress(StopIteration, psutil.NoSuchProcess):  # `up` is starting the cluster again
            return self.portal.engine_hosts()
        return []

    def _choose(self) -> tuple[str, psutil.Process]:
        roles = self._roles()
        kinds = ["worker"] * 9 + ([] if self.workers_only else ["pusher", "monitor", "sentinel", "main"])
        kind = self.chance.choice([kind for kind in kinds if roles.get(kind)])
        return kind, self.chance.choice(roles[kind])

    def _roles(self) -> dict[str, list[psutil.Process]]:
        main = psutil.Process(self.portal.pid("engine"))
        found: dict[str, list[psutil.Process]] = {"main": [main], "sentinel": main.children()}
        hosts = set(self._hosts())
        for process in (child for sentinel in main.children() for child in sentinel.children()):
            title = " ".join(process.cmdline())
            kind = "worker" if process.pid in hosts else next((k for k in ("pusher", "monitor") if k in title), "")
            found.setdefault(kind, []).append(process)
        found.pop("", None)
        return found

    def _kill(self, kind: str, victim: psutil.Process) -> None:
        hosts = [victim.pid] if kind == "worker" else self._hosts()
        group = {"sentinel", "main"}  # with either of them `up` ends the whole session
        still = [psutil.Process(pid) for pid in hosts] if kind in group else [victim]
        for process in still:
            process.suspend()
        time.sleep(0.05)  # commits that were on their way
        if kind in {"worker", *group}:
            self.report.in_flight += _one(AT_WORK, hosts)
        in_hand = _all(IN_HAND, victim.pid) if kind == "worker" else []
        self.report.kills[kind] += 1
        began = time.monotonic()
        for process in [victim, *still]:
            with suppress(psutil.NoSuchProcess):
                process.send_signal(signal.SIGKILL)
        if in_hand:
            self._measure(in_hand, began)

    def _measure(self, in_hand: list[Any], began: float) -> None:
        runs = dict(in_hand)
        while time.monotonic() - began < 20:
            rows = _all("SELECT id, lease_token FROM orchestration_run WHERE id = ANY(%s)", list(runs))
            if all(token > runs[run] for run, token in rows):
                self.report.recovery.append(time.monotonic() - began)
                return
            time.sleep(0.01)


def _all(statement: str, *arguments: Any) -> list[Any]:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(statement, arguments)
        return cursor.fetchall()


def _one(statement: str, *arguments: Any) -> int:
    return int(_all(statement, *arguments)[0][0])


# -- the runs ---------------------------------------------------------------------------------------------------------


def start_runs(workflow: str, count: int, sink: effects.Sink) -> list[Any]:
    from portal.core.models import Organisation

    organisation = Organisation.objects.get(slug="demo")
    if workflow == "effects":
        effects.make_agent(organisation, sink.address)
        bodies = [effects.branches_loop_and_approval(), effects.chain(20, 0.15)]
        return [_start_bare(organisation, bodies[number % len(bodies)]) for number in range(count)]
    return [_start_sample(organisation, number) for number in range(count)]


def _start_bare(organisation: Any, body: dict[str, Any]) -> Any:
    from orchestration.services.runs import start_run
    from orchestration.services.workflows import kept
    from portal.core.actors import Actor

    return start_run(organisation=organisation, actor=Actor.command(), definition=kept(body), inputs={})


def _start_sample(organisation: Any, number: int) -> Any:
    from orchestration.models import Workflow
    from orchestration.samples import samples
    from orchestration.services.runs import start_run
    from portal.core.actors import Actor

    sample = samples()[number % len(samples())]
    workflow = Workflow.objects.select_related("published__definition").get(organisation=organisation, slug=sample.slug)
    return start_run(
        organisation=organisation, actor=Actor.command(), version=workflow.published, inputs=sample.example
    )


class Approver(threading.Thread):
    """Approves whatever is open, as the demo's approver would; also while everything is being killed."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.over = threading.Event()

    def run(self) -> None:
        from django.db import connection

        try:
            while not self.over.wait(0.3):
                self._decide_all()
        finally:
            connection.close()

    def _decide_all(self) -> None:
        from approvals.models import ApprovalRequest
        from approvals.services.decisions import AlreadyClosed, decide
        from portal.core.actors import Actor
        from portal.core.models import User

        approver = User.objects.get(username="approver")
        for request in ApprovalRequest.objects.filter(status="open").select_related("organisation"):
            values = _example(request.fields_schema) if request.fields_schema else None
            with suppress(AlreadyClosed):
                decide(
                    request=request,
                    user=approver,
                    actor=Actor.command(approver),
                    option=request.options[0]["port"],
                    comment="Fine.",
                    values=values,
                )


def _example(schema: dict[str, Any]) -> dict[str, Any]:
    """Something that fits a simple form."""
    makes = {"boolean": True, "integer": 1, "number": 1, "array": []}
    fields = schema.get("properties", {})
    return {
        name: field.get("default") or (field.get("enum") or [makes.get(field.get("type"), "Fine.")])[0]
        for name, field in fields.items()
    }


# -- the whole --------------------------------------------------------------------------------------------------------


def unleash(portal: PortalProcess, sink: effects.Sink, options: argparse.Namespace) -> Report:
    """The portal is up and Django is set up on its database."""
    chance, report = random.Random(options.seed), Report(options.seed)
    begun = time.monotonic()
    runs = start_runs(options.workflow, options.runs, sink)
    report.runs = len(runs)
    approver = Approver()
    approver.start()
    killer = Killer(portal, chance, report, workers_only=options.workers_only)
    for _ in range(options.kills):
        time.sleep(chance.uniform(0.3, 1.7) * options.every)
        if _all_ended(runs):
            break
        killer.strike()
    end = time.monotonic() + options.patience
    while not _all_ended(runs) and time.monotonic() < end:
        time.sleep(0.2)
    approver.over.set()
    approver.join()
    report.seconds = time.monotonic() - begun
    _count(report, runs, sink, options.workflow)
    return report


def _all_ended(runs: list[Any]) -> bool:
    from orchestration.models import Run

    return not Run.objects.filter(pk__in=[run.pk for run in runs], ended_at=None).exists()


def _count(report: Report, runs: list[Any], sink: effects.Sink, workflow: str) -> None:
    from django.db.models import Count

    from orchestration.models import Run, RunEvent

    ids = [run.pk for run in runs]
    for run in Run.objects.filter(pk__in=ids):
        if run.status == "completed":
            report.completed += 1
        else:
            report.lost.append(f"{run.pk} {run.name}: {run.status} {run.error or run.incident or ''}")
    events = RunEvent.objects.filter(run__in=ids)
    report.repeated = events.filter(type="AttemptAbandoned").count()
    report.outcomes_twice = (
        events.filter(type="NodeSucceeded")
        .values("run", "node", "path")
        .annotate(n=Count("seq"))
        .filter(n__gt=1)
        .count()
    )
    if workflow == "effects":
        report.doubled_calls = sum(sink.repeated().values())


def parse(arguments: list[str]) -> argparse.Namespace:
    options = argparse.ArgumentParser(
        prog="tests.chaos", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    options.add_argument("--runs", type=int, default=10)
    options.add_argument("--kills", type=int, default=15)
    options.add_argument("--every", type=float, default=2.0, help="seconds between kills, on average")
    options.add_argument("--seed", type=int, default=random.randrange(10**6))
    options.add_argument("--workers", type=int, default=2)
    options.add_argument("--workers-only", action="store_true", help="kill nothing but workers")
    options.add_argument("--workflow", choices=("effects", "samples"), default="samples")
    options.add_argument("--patience", type=float, default=120.0, help="seconds for the rest after the last kill")
    options.add_argument("--log", type=Path, help="keep what the portal prints")
    return options.parse_args(arguments)


def main(arguments: list[str]) -> int:
    options = parse(arguments)
    sink = effects.Sink()
    environment = {"OUTGOING_ALLOW": f"127.0.0.1:{sink.port}", "ENGINE_WORKERS": str(options.workers)}
    with tempfile.TemporaryDirectory(prefix="ensemble-chaos-", ignore_cleanup_errors=True) as folder:
        portal = PortalProcess(Path(folder), environment=environment)
        try:
            portal.start()
            os.environ |= {"DATABASE_URL": portal.database_url, "REDIS_URL": portal.redis_url, "PORTAL_DATA": folder}
            os.environ |= {"DJANGO_SETTINGS_MODULE": "portal.settings", **environment}
            import django

            django.setup()
            report = unleash(portal, sink, options)
        finally:
            portal.close()
            sink.close()
            if options.log:
                options.log.write_text("\n".join(portal.lines), encoding="utf-8")
    print(json.dumps(report.as_json()))
    return 0 if report.well else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
