"""Break the portal's processes while runs go on, and count what became of them.

    python -m tests.faults [--only NAME ...] [--kills 200] [--seed N] [--quick] [--log FILE]

Each fault has a portal of its own (`manage.py up` with PostgreSQL, Redis, web, engine, jobs), a load of runs that call
a counting sink in a process apart, and people who answer. Prints one JSON line a fault:

    started, completed, lost        accepted runs; lost are those that did not complete: must be none
    in_flight                       steps at work when something was broken
    repeated, effects_doubled       attempts begun again, and calls the sink got twice: at most those in flight
    at_most_once_doubled            the same of at-most-once steps: must be 0
    outcomes_twice                  node runs with two recorded outcomes: must be 0
    seconds_to_go_on                from the fault, or from the server's return, until work went on: p50, max
    seconds_to_go_on_alone          the same where no other host was alive and one had to begin first
    seconds_to_go_on_suspects       the same where runs that lost three hosts in a row are tried one at a time

Exit status 1 when a promise is broken; `broken` says which, or what was waited for in vain: each wait has its limit,
and each fault as a whole (--limit). A fault that this machine does not permit says so in `skipped`.
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from types import FrameType

from tests.faults import processes, servers
from tests.faults.report import Report
from tests.faults.scene import Load, Scene, scene
from tests.portal_process import wait_for

Fault = Callable[[Scene, Load, Report, random.Random], None]


def faults(options: argparse.Namespace) -> dict[str, Fault]:
    quick = options.quick
    rounds = 1 if quick else 3
    return {
        "takeover": partial(processes.takeover, rounds=3 if quick else 20),
        "workers": partial(processes.workers, count=4 if quick else 20, every=options.every),
        "kills": partial(processes.kills, count=10 if quick else options.kills, every=options.every),
        "all-killed": partial(processes.all_killed, rounds=rounds),
        "zombie": processes.zombie,
        "stolen": partial(processes.stolen, rounds=3 if quick else 10),
        "postgres-restarted": partial(servers.postgres_restarted, rounds=rounds),
        "postgres-killed": partial(servers.postgres_killed, rounds=1 if quick else 4),
        "postgres-hangs": partial(servers.postgres_hangs, seconds=8 if quick else 40),
        "connections-taken": partial(servers.connections_taken, seconds=8 if quick else 20),
        "connections-cut": partial(servers.connections_cut, seconds=5 if quick else 20),
        "redis-lost": partial(servers.redis_lost, rounds=rounds),
        "redis-away": partial(servers.redis_away, seconds=10 if quick else 60),
        "doorbells": partial(servers.doorbells, count=2 if quick else 10),
        "disk-full": partial(servers.disk_full, seconds=8 if quick else 20),
        "clock-off": partial(servers.clock_off, seconds=8 if quick else 40),
        "rolling": partial(processes.rolling, rounds=1 if quick else 2),
        "dose": dose,
        "dose-slow": slow_dose,
    }


def dose(made: Scene, load: Load, report: Report, chance: random.Random) -> None:
    """A little of everything quick, one after the other in one portal, for continuous integration."""
    processes.workers(made, load, report, chance, count=3, every=1.0)
    servers.redis_lost(made, load, report, chance, rounds=1)
    processes.stolen(made, load, report, chance, rounds=2)
    servers.postgres_killed(made, load, report, chance, rounds=1)
    processes.kills(made, load, report, chance, count=3, every=1.0)


def slow_dose(made: Scene, load: Load, report: Report, chance: random.Random) -> None:
    """Besides `dose`: a host that hangs past its lease, bells, and one round of restarts in order."""
    servers.doorbells(made, load, report, chance, count=2)
    servers.connections_cut(made, load, report, chance, seconds=3)
    processes.zombie(made, load, report, chance)
    processes.rolling(made, load, report, chance, rounds=1)


def inflict(name: str, fault: Fault, options: argparse.Namespace) -> Report:
    """In this process, which Django belongs to from now on. What goes wrong on the way is a promise broken as well."""
    report = Report(name, seed=options.seed)
    try:
        with ExitStack() as stack:
            data = None
            if name == "disk-full":
                data = stack.enter_context(servers.small_disk())
                if data is None:
                    report.skipped = "mounting a small disk is not permitted here"
                    return report
            _under_load(report, fault, options, stack.enter_context(scene(options.workers, data=data, log=options.log)))
    except Exception as error:  # whatever it is: the line is printed, and says so
        traceback.print_exc()
        report.expect(False, f"the fault can be inflicted, and its outcome counted: {type(error).__name__}: {error}")
    return report


def _under_load(report: Report, fault: Fault, options: argparse.Namespace, made: Scene) -> None:
    load = Load(made, width=options.width).start()
    begun = time.monotonic()
    try:
        with bounded(options.limit):
            if not wait_for(lambda: made.at_work() >= 2, 60):
                raise AssertionError("no two steps were at work within 60 s of the start")
            fault(made, load, report, random.Random(options.seed))
            load.stop_starting()
            wait_for(lambda: not load.unended(), options.patience)  # what has not ended by then is counted as lost
    except AssertionError as error:
        report.expect(False, str(error))
    finally:
        load.stop()
    report.seconds = time.monotonic() - begun
    if not report.skipped:
        report.count(made, load)
        report.judge()


@contextmanager
def bounded(seconds: float) -> Iterator[None]:
    """Raises AssertionError, with the place of the faults' code that was waited at, when it takes longer."""

    def over(number: int, frame: FrameType | None) -> None:
        places = []
        while frame is not None:
            if "/tests/" in frame.f_code.co_filename:
                places.append(f"{Path(frame.f_code.co_filename).name}:{frame.f_lineno} {frame.f_code.co_name}")
            frame = frame.f_back
        raise AssertionError(f"not over after {seconds:g} s; it waits at " + " < ".join(places[:6]))

    before = signal.signal(signal.SIGALRM, over)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def parse(arguments: list[str]) -> argparse.Namespace:
    options = argparse.ArgumentParser(
        prog="tests.faults", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    options.add_argument(
        "--only", nargs="+", metavar="NAME", help="; ".join(faults(argparse.Namespace(quick=True, every=1)))
    )
    options.add_argument("--kills", type=int, default=200)
    options.add_argument("--every", type=float, default=1.5, help="seconds between kills, on average")
    options.add_argument("--seed", type=int, default=random.randrange(10**6))
    options.add_argument("--quick", action="store_true", help="the smallest dose of each")
    options.add_argument("--width", type=int, default=6, help="runs under way")
    options.add_argument("--workers", type=int, default=2, help="hosts of the engine")
    options.add_argument("--patience", type=float, default=180.0, help="seconds for the rest after the fault")
    options.add_argument("--limit", type=float, default=3600.0, help="seconds a fault may take in all")
    options.add_argument("--log", type=Path, help="keep what the portal printed; with --only one fault")
    return options.parse_args(arguments)


def main(arguments: list[str]) -> int:
    options = parse(arguments)
    known = faults(options)
    wanted = options.only or [name for name in known if not name.startswith("dose")]
    if unknown := [name for name in wanted if name not in known]:
        print(f"There is no fault {unknown[0]!r}. There are: {', '.join(known)}.", file=sys.stderr)
        return 2
    if len(wanted) == 1:
        report = inflict(wanted[0], known[wanted[0]], options)
        print(json.dumps(report.as_json()), flush=True)
        return 1 if report.broken else 0
    # a process each: Django is set up for one portal's database
    given = _without_only(arguments)
    seed = [] if "--seed" in given else ["--seed", str(options.seed)]
    return max(_apart(name, [*given, *seed], options.limit) for name in wanted)


def _apart(name: str, arguments: list[str], limit: float) -> int:
    seconds = limit + 900  # for what is not the fault: starting the portal, the rest of the work, the account
    try:
        command = [sys.executable, "-m", "tests.faults", "--only", name, *arguments]
        return subprocess.run(command, check=False, timeout=seconds).returncode
    except subprocess.TimeoutExpired:
        report = Report(name)
        report.expect(False, f"the whole of it is over within {seconds:g} s")
        print(json.dumps(report.as_json()), flush=True)
        return 1


def _without_only(arguments: list[str]) -> list[str]:
    kept, inside = [], False
    for word in arguments:
        inside = word == "--only" or (inside and not word.startswith("--"))
        if not inside:
            kept.append(word)
    return kept


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
