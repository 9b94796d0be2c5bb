"""PostgreSQL, Redis, the doorbell, the disk and a clock go wrong."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from unittest.mock import patch

import psutil
import redis

from portal.runtime.leftovers import members
from tests.faults.report import Report
from tests.faults.scene import Load, Scene, ask
from tests.portal_process import MANAGE, wait_for


def _break_postgres(scene: Scene, report: Report, how: signal.Signals, *, all_of_it: bool = False) -> None:
    pid = scene.portal.pid("postgres")
    with scene.standing_still(scene.hosts()):
        # a connection that breaks makes no host give up its attempts, unless the others bury it meanwhile
        report.in_flight += scene.at_work()
    victims = members(pid) if all_of_it else [psutil.Process(pid)]
    for process in victims:
        with suppress(psutil.NoSuchProcess):
            process.send_signal(how)
    report.kills[f"postgres ({how.name})"] += 1
    report.expect(scene.wait_for_another("postgres", pid), "PostgreSQL is started again")
    began = time.monotonic()
    report.go_on.append(scene.seconds_to_go_on(began))


def postgres_restarted(scene: Scene, load: Load, report: Report, chance: random.Random, *, rounds: int = 3) -> None:
    """PostgreSQL stopped in order (fast) and started again, under load."""
    for _ in range(rounds):
        _break_postgres(scene, report, signal.SIGINT)
        time.sleep(chance.uniform(1.0, 3.0))


def postgres_killed(scene: Scene, load: Load, report: Report, chance: random.Random, *, rounds: int = 3) -> None:
    """PostgreSQL stopped without order (immediate), and all of it killed (-9): it recovers from its log."""
    for turn in range(rounds):
        _break_postgres(scene, report, signal.SIGQUIT if turn % 2 else signal.SIGKILL, all_of_it=not turn % 2)
        time.sleep(chance.uniform(1.0, 3.0))


def connections_cut(scene: Scene, load: Load, report: Report, chance: random.Random, *, seconds: float = 20) -> None:
    """Every connection of the engine is ended by the server, once a second."""
    with scene.standing_still(scene.hosts()):
        report.in_flight += scene.at_work()
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        report.in_flight += scene.at_work()  # a host whose lock was free for a moment may be buried
        ask(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE application_name LIKE 'ensemble engine%%' AND datname = current_database()"
        )
        time.sleep(1.0)
    report.go_on.append(scene.seconds_to_go_on(time.monotonic()))


def postgres_hangs(scene: Scene, load: Load, report: Report, chance: random.Random, *, seconds: float = 40) -> None:
    """PostgreSQL stands still past the leases and refuses nothing: whoever asks it waits. Then it goes on."""
    with scene.standing_still(scene.hosts()):
        report.in_flight += scene.at_work()
        still = members(scene.portal.pid("postgres"))
        for process in still:
            process.suspend()
    try:
        time.sleep(seconds)
    finally:
        for process in reversed(still):  # the server last, so that it finds its children at work
            with suppress(psutil.NoSuchProcess):
                process.resume()
    report.go_on.append(scene.seconds_to_go_on(time.monotonic()))


def connections_taken(scene: Scene, load: Load, report: Report, chance: random.Random, *, seconds: float = 20) -> None:
    """Strangers take every connection that PostgreSQL gives. Steps that need one more wait, as when it is away."""
    import psycopg

    ask("SELECT 1")  # our own, before there is none
    before, taken = _ended(load), []
    end = time.monotonic() + seconds
    try:
        while time.monotonic() < end:
            try:
                taken.append(psycopg.connect(scene.portal.database_url, connect_timeout=5))
            except psycopg.OperationalError:
                time.sleep(0.2)
        report.more |= {"connections_taken": len(taken), "completed_meanwhile": _ended(load) - before}
    finally:
        for connection in taken:
            connection.close()
    report.go_on.append(scene.seconds_to_go_on(time.monotonic()))


def redis_lost(scene: Scene, load: Load, report: Report, chance: random.Random, *, rounds: int = 3) -> None:
    """Redis flushed, and killed, under load. It holds nothing that the engine needs."""
    for _ in range(rounds):
        with redis.Redis.from_url(scene.portal.redis_url) as client:
            client.flushall()
        report.kills["redis (FLUSHALL)"] += 1
        report.go_on.append(scene.seconds_to_go_on(time.monotonic()))
        psutil.Process(scene.portal.pid("redis")).kill()
        report.kills["redis (SIGKILL)"] += 1
        report.go_on.append(scene.seconds_to_go_on(time.monotonic()))
        time.sleep(chance.uniform(1.0, 3.0))


def redis_away(scene: Scene, load: Load, report: Report, chance: random.Random, *, seconds: float = 60) -> None:
    """Redis does not answer for a minute (stopped, which is worse than refused). Runs complete meanwhile."""
    process = psutil.Process(scene.portal.pid("redis"))
    process.suspend()
    try:
        report.go_on.append(scene.seconds_to_go_on(time.monotonic()))
        before = _ended(load)
        time.sleep(seconds)
        meanwhile = _ended(load) - before
    finally:
        process.resume()
    report.more["completed_meanwhile"] = meanwhile
    report.expect(meanwhile > 0 or seconds < 30, "runs complete while Redis is away")


def _ended(load: Load) -> int:
    return len(load.accepted) - len(load.unended())


def doorbells(scene: Scene, load: Load, report: Report, chance: random.Random, *, count: int = 10) -> None:
    """Bells that ring for nothing, a thousand times, and twice; and runs for which none rings, or late."""
    from django_q.models import OrmQ

    from orchestration import tasks, wakeups

    runs = [row[0] for row in ask("SELECT id FROM orchestration_run ORDER BY created_at DESC LIMIT 20")]
    for _ in range(50):
        for run in runs:
            ask("SELECT pg_notify('ensemble_runs', %s)", str(run))
    for _ in range(20):
        tasks.ring()
    report.more["rings_left"] = OrmQ.objects.filter(key=tasks.QUEUE).count()
    quiet = Load(scene, width=count, by_api=False)
    with patch.object(wakeups, "ring", lambda run: None), patch.object(tasks, "ring_if_nobody_listens", lambda: None):
        for _ in range(count):  # nobody is told of these
            began = time.monotonic()
            quiet._start_runs()
            run = quiet.accepted[-1]
            if wait_for(lambda run=run: _begun(run), 60):  # type: ignore[misc]
                report.go_on.append(time.monotonic() - began)
            quiet.width += 1
    load.accepted += quiet.accepted
    report.expect(len(report.go_on) == count, "a run whose bell was lost begins all the same")


def _begun(run: Any) -> bool:
    return bool(ask("SELECT last_seq FROM orchestration_run WHERE id = %s", run)[0][0])


@contextmanager
def small_disk(megabytes: int = 400) -> Iterator[Path | None]:
    """A tmpfs of that size, as the data folder of a portal; None where mounting is not permitted."""
    folder = Path(tempfile.mkdtemp(prefix=f"ensemble-test-{os.getpid()}-disk-"))
    folder.chmod(0o711)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=0711", "tmpfs", str(folder)]
    try:
        done = subprocess.run(mount, capture_output=True, text=True, check=False)
        mounted = done.returncode == 0
    except FileNotFoundError:
        mounted = False
    try:
        yield folder if mounted else None
    finally:
        if mounted:
            subprocess.run(["umount", "-l", str(folder)], check=False)
        shutil.rmtree(folder, ignore_errors=True)


def disk_full(scene: Scene, load: Load, report: Report, chance: random.Random, *, seconds: float = 20) -> None:
    """The disk of the data folder is full for a while: PostgreSQL can write nothing. Then there is room again."""
    filler = scene.portal.data / "filler"
    report.in_flight += scene.at_work()
    end = time.monotonic() + seconds
    block = b"\0" * 65536
    with filler.open("wb", buffering=0) as file:
        while time.monotonic() < end:  # whatever becomes free is taken again
            try:
                file.write(block)
            except OSError:
                time.sleep(0.05)
    report.more["free_bytes_then"] = shutil.disk_usage(scene.portal.data).free
    report.in_flight += _hosts_work_then(scene)
    filler.unlink()
    report.go_on.append(scene.seconds_to_go_on(time.monotonic(), seconds=180))


def _hosts_work_then(scene: Scene) -> int:
    """Steps that the rows show at work: all of them may be cut off if PostgreSQL went down and hosts with it."""
    return int(ask("SELECT count(*) FROM orchestration_noderun WHERE status = 'running' AND type <> 'loop'")[0][0])


_SKEW = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>
static long skew(void) { const char *text = getenv("CLOCK_SKEW_SECONDS"); return text ? atol(text) : 0; }
int clock_gettime(clockid_t id, struct timespec *now) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = dlsym(RTLD_NEXT, "clock_gettime");
    int status = real(id, now);
    if (!status && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)) now->tv_sec += skew();
    return status;
}
time_t time(time_t *where) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (where) *where = now.tv_sec;
    return now.tv_sec;
}
int gettimeofday(struct timeval *where, void *zone) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    where->tv_sec = now.tv_sec;
    where->tv_usec = now.tv_nsec / 1000;
    return 0;
}
"""


def clock_off(scene: Scene, load: Load, report: Report, chance: random.Random, *, seconds: float = 40) -> None:
    """Two more engines, as on other machines, whose clocks are ten minutes fast and slow. No timer fires early."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        report.skipped = "no C compiler here for the library that moves a process's clock"
        return
    with tempfile.TemporaryDirectory(prefix="ensemble-test-clock-") as folder:
        library = Path(folder) / "skew.so"
        subprocess.run(
            [compiler, "-shared", "-fPIC", "-O2", "-o", str(library), "-x", "c", "-", "-ldl"],
            input=_SKEW,
            text=True,
            check=True,
        )
        engines: list[subprocess.Popen[bytes]] = []
        try:
            for skew in (-600, 600):  # one after the other: an engine that starts clears the queue of rings
                before = _hosts_alive()
                engines.append(_skewed_engine(scene, library, skew))
                begun = wait_for(lambda before=before: _hosts_alive() > before, 90)  # type: ignore[misc]
                report.expect(bool(begun), f"the engine with a clock {skew} s off begins")
            began = time.monotonic()
            timers = _start_timers(scene, 20)
            load.accepted += timers
            report.go_on.append(scene.seconds_to_go_on(began))
            wait_for(lambda: not _open(timers), seconds + 60)
            time.sleep(max(0.0, seconds - (time.monotonic() - began)))
        finally:
            for engine in engines:  # in order: what they have at work may end
                engine.terminate()
            for engine in engines:
                with suppress(subprocess.TimeoutExpired):
                    engine.wait(30)
                _end_session(engine)
        early, late = _timers_told(timers)
    report.more |= {"timers": len(timers), "timers_early": early, "timers_latest_seconds": late}
    report.expect(not early, "no timer fires early")


def _skewed_engine(scene: Scene, library: Path, skew: int) -> subprocess.Popen[bytes]:
    environment = scene.portal.environment | {
        "DATABASE_URL": scene.portal.database_url,
        "REDIS_URL": scene.portal.redis_url,
        "LD_PRELOAD": str(library),
        "CLOCK_SKEW_SECONDS": str(skew),
        "ENGINE_WORKERS": "1",
    }
    with (scene.portal.data / f"engine{skew}.log").open("wb") as output:
        return subprocess.Popen(
            [sys.executable, str(MANAGE), "engine"],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def _end_session(engine: subprocess.Popen[bytes]) -> None:
    for process in members(engine.pid):
        with suppress(psutil.NoSuchProcess):
            process.kill()
    engine.wait(10)


def _hosts_alive() -> int:
    return int(
        ask(
            "SELECT count(*) FROM orchestration_enginehost WHERE ended_at IS NULL"
            " AND heartbeat_at > clock_timestamp() - interval '10 seconds'"
        )[0][0]
    )


def _start_timers(scene: Scene, count: int) -> list[Any]:
    from orchestration.services.definitions import kept
    from orchestration.services.new_runs import NewRun, start_run
    from portal.core.actors import Actor
    from tests import effects

    definition = kept(effects.timer(15.0))
    return [
        start_run(NewRun(organisation=scene.organisation, actor=Actor.command(), definition=definition, inputs={})).pk
        for _ in range(count)
    ]


def _open(runs: list[Any]) -> int:
    return int(ask("SELECT count(*) FROM orchestration_run WHERE id = ANY(%s) AND ended_at IS NULL", runs)[0][0])


def _timers_told(runs: list[Any]) -> tuple[int, float]:
    """How many fired early, and the most that one was late, by the database's clock and the time they were to fire."""
    rows = ask(
        "SELECT extract(epoch FROM resumed.at - (waiting.data->>'until')::timestamptz)::float"
        " FROM orchestration_runevent AS waiting JOIN orchestration_runevent AS resumed USING (run_id, node, path)"
        " WHERE run_id = ANY(%s) AND waiting.type = 'NodeWaiting' AND resumed.type = 'NodeResumed'",
        runs,
    )
    return sum(late < 0 for (late,) in rows), round(max((late for (late,) in rows), default=0.0), 2)
