"""How near the engine is to what its database allows: `python -m tests.benchmarks.engine [--only chain]`.

Each shape is measured beside `limit`, in the same minute: a bare psycopg loop with one transaction of two statements a
step, with as much side by side as the shape allows. The server is the private PostgreSQL with fsync on. Prints a JSON
line a shape: seconds of the engine (median of the rounds), of the limit, and their ratio. An agent step is a node that
waits
`delay` seconds and returns 1 KB. `--profile` prints where the host's own thread spends its time.

    chain       100 steps without delay, one after the other: milliseconds a step
    fan         1 → 50 side by side → 1, 50 ms each: makespan (ideal 0.15 s)
    many        100 runs of 10 steps, 50 ms each: makespan (ideal 0.5 s)
    latency     from the call that starts a run to its first step, milliseconds
"""

from __future__ import annotations

import argparse
import asyncio
import cProfile
import json
import os
import pstats
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Any

import psycopg

PAYLOAD = {"text": "x" * 1000}
_LIMIT_TABLES = """
CREATE TABLE IF NOT EXISTS limit_run (id int PRIMARY KEY, step int, data jsonb);
CREATE TABLE IF NOT EXISTS limit_step (run int, step int, data jsonb, at timestamptz DEFAULT clock_timestamp());
INSERT INTO limit_run SELECT n, 0, '{}' FROM generate_series(1, 200) AS n ON CONFLICT DO NOTHING;
"""


# -- the limit --------------------------------------------------------------------------------------------------------


def limit(url: str, *, lanes: int, steps: int, delay: float) -> float:
    """Seconds for `lanes` threads, each with a connection, doing `steps` steps one after the other."""
    connections = [psycopg.connect(url, autocommit=True) for _ in range(min(lanes, 100))]
    data = json.dumps(PAYLOAD)

    def lane(number: int) -> None:
        connection = connections[number]
        for step in range(steps):
            if delay:
                time.sleep(delay)
            with connection.transaction():
                connection.execute("INSERT INTO limit_step (run, step, data) VALUES (%s, %s, %s)", (number, step, data))
                connection.execute("UPDATE limit_run SET step = %s WHERE id = %s", (step, number + 1))

    with ThreadPoolExecutor(lanes) as pool:
        begun = time.perf_counter()
        list(pool.map(lane, range(len(connections))))
        seconds = time.perf_counter() - begun
    for connection in connections:
        connection.close()
    return seconds


# -- the engine -------------------------------------------------------------------------------------------------------


def register_step() -> None:
    from pydantic import Field

    from orchestration.definition.fields import NodeSettings
    from orchestration.nodes.base import Context, Done, NodeType, Result, register

    class StepSettings(NodeSettings):
        delay: float = Field(0.0)

    @register
    class Step(NodeType):
        kind, label, icon, category = "bench_step", "Step", "x", "data"
        description = "For benchmarks."
        Settings = StepSettings

        async def execute(self, ctx: Context) -> Result:
            FIRST.setdefault(ctx.run.id, time.perf_counter())
            if ctx.settings.delay:
                await asyncio.sleep(ctx.settings.delay)
            return Done(outputs=PAYLOAD)


FIRST: dict[Any, float] = {}


class HostThread:
    def __init__(self, profile: bool) -> None:
        from orchestration.host import Host, Plan

        self.host: Host | None = None
        self.profile = cProfile.Profile(time.thread_time) if profile else None
        self._ready = threading.Event()
        self._plan = Plan(drain_seconds=1)
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()
        while not (self.host and self.host.host_id):
            time.sleep(0.01)

    def _work(self) -> None:
        from orchestration.host import work_on
        from orchestration.hosting.shift import SWITCH_SECONDS

        sys.setswitchinterval(SWITCH_SECONDS)
        if self.profile:
            self.profile.enable()
        with asyncio.Runner() as runner:
            self.loop = runner.get_loop()
            runner.run(work_on(self._plan, began=lambda host: setattr(self, "host", host)))
        if self.profile:
            self.profile.disable()

    def stop(self) -> None:
        assert self.host
        self.loop.call_soon_threadsafe(self.host.stop)
        self._thread.join(10)
        if self.profile:
            pstats.Stats(self.profile, stream=sys.stderr).sort_stats("tottime").print_stats(35)


def definition(nodes: list[dict[str, Any]], edges: list[tuple[str, str]], max_parallel: int = 100) -> Any:
    from tests.engine_host import make_definition

    return make_definition(
        nodes,
        [{"source": a, "port": "out", "target": b} for a, b in edges],
        settings={"max_parallel": max_parallel},
    )


def step(id: str, delay: float) -> dict[str, Any]:
    return {"id": id, "type": "bench_step", "settings": {"delay": delay}}


def chain_of(steps: int, delay: float) -> Any:
    names = [f"s{n}" for n in range(steps)]
    return definition([step(name, delay) for name in names], list(pairwise(names)))


def fan_of(width: int, delay: float) -> Any:
    inner = [f"b{n}" for n in range(width)]
    nodes = [step(name, delay) for name in ("first", *inner, "last")]
    return definition(nodes, [*(("first", name) for name in inner), *((name, "last") for name in inner)])


def run_all(organisation: Any, found: Any, count: int, *, release_together: bool) -> float:
    """Seconds from the start of the first run (or from the moment all are made due at once) to the end of the last."""
    from django.db import connection

    from orchestration.models import Run
    from orchestration.wakeups import CHANNEL
    from tests.engine_host import start

    begun = time.perf_counter()
    ids = [
        _start_held(organisation, found) if release_together else start(organisation, found).pk for _ in range(count)
    ]
    if release_together:
        begun = time.perf_counter()
        with connection.cursor() as cursor:
            cursor.execute("UPDATE orchestration_run SET due_at = clock_timestamp() WHERE id = ANY(%s)", [ids])
            cursor.execute("SELECT pg_notify(%s, '')", [CHANNEL])
    with connection.cursor() as cursor:  # cheap, since it shares the interpreter with the host's thread
        while True:
            cursor.execute("SELECT NOT EXISTS (SELECT 1 FROM orchestration_run WHERE ended_at IS NULL)")
            if cursor.fetchone()[0]:
                break
            time.sleep(0.004)
    ended = time.perf_counter()
    assert not Run.objects.filter(pk__in=ids).exclude(status="completed").exists()
    return ended - begun


def _start_held(organisation: Any, found: Any) -> Any:
    from orchestration.models import Run

    run = Run(organisation=organisation, definition=found, name="held", nodes_total=len(found.body["nodes"]))
    run.save(force_insert=True)
    return run.pk


def latencies(organisation: Any, count: int) -> list[float]:
    from tests.engine_host import start

    found = chain_of(2, 0)
    measured = []
    for _ in range(count):
        begun = time.perf_counter()
        run = start(organisation, found)
        while run.pk not in FIRST:
            time.sleep(0.0002)
        measured.append((FIRST[run.pk] - begun) * 1000)
        time.sleep(0.01)
    return measured


# -- measuring --------------------------------------------------------------------------------------------------------


def beside(name: str, rounds: int, ours: Callable[[], float], bare: Callable[[], float], unit: float = 1.0) -> None:
    pairs = [(ours(), bare()) for _ in range(rounds)]
    engine, floor = (statistics.median(values) for values in zip(*pairs, strict=True))
    figures = {"engine": round(engine * unit, 4), "limit": round(floor * unit, 4), "ratio": round(engine / floor, 2)}
    print(json.dumps({"shape": name, **figures}), flush=True)


def measure(url: str, options: argparse.Namespace) -> None:
    from tests.factories import make_organisation

    organisation = make_organisation("bench")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(_LIMIT_TABLES)
    host = HostThread(options.profile)
    wanted, rounds = options.only or ["chain", "fan", "many", "latency"], options.rounds
    try:
        run_all(organisation, chain_of(5, 0), 1, release_together=False)  # warm
        if "chain" in wanted:
            found = chain_of(100, 0)
            beside(
                "chain, ms a step",
                rounds,
                lambda: run_all(organisation, found, 1, release_together=False) / 100,
                lambda: limit(url, lanes=1, steps=100, delay=0) / 100,
                unit=1000,
            )
        if "fan" in wanted:
            found = fan_of(50, 0.05)

            def bare_fan() -> float:
                return sum(limit(url, lanes=lanes, steps=1, delay=0.05) for lanes in (1, 50, 1))

            beside("fan, s", rounds, lambda: run_all(organisation, found, 1, release_together=False), bare_fan)
        if "many" in wanted:
            found = chain_of(10, 0.05)
            beside(
                "many, s",
                rounds,
                lambda: run_all(organisation, found, 100, release_together=True),
                lambda: limit(url, lanes=100, steps=10, delay=0.05),
            )
        if "latency" in wanted:
            found_ms = latencies(organisation, 50)
            tail = statistics.quantiles(found_ms, n=20)[18]
            print(
                json.dumps(
                    {"shape": "latency, ms", "p50": round(statistics.median(found_ms), 2), "p95": round(tail, 2)}
                )
            )
    finally:
        host.stop()


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="tests.benchmarks.engine")
    parser.add_argument("--only", nargs="*", choices=["chain", "fan", "many", "latency"])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--profile", action="store_true")
    options = parser.parse_args(arguments)
    from portal.runtime.postgres import PostgresServer
    from portal.runtime.redis import RedisServer

    with tempfile.TemporaryDirectory(prefix="ensemble-bench-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o711)
        servers = [PostgresServer.below(folder), RedisServer.below(folder)]
        processes = [_start(server, folder) for server in servers]
        os.environ |= {"DATABASE_URL": servers[0].url, "REDIS_URL": servers[1].url, "PORTAL_DATA": name}
        os.environ |= {"DJANGO_SETTINGS_MODULE": "portal.settings", "LOG_LEVEL": "WARNING"}
        try:
            import django

            django.setup()
            from django.core.management import call_command

            call_command("migrate", verbosity=0)
            register_step()
            measure(servers[0].url, options)
        finally:
            for process in reversed(processes):
                process.send_signal(signal.SIGINT)
                process.wait(timeout=20)


def _start(server: Any, folder: Path) -> subprocess.Popen[bytes]:
    server.prepare()
    program = server.program
    with (folder / "servers.log").open("ab") as output:
        process = subprocess.Popen(
            program.command, env=program.variables, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )
    server.wait_ready(lambda: process.poll() is not None)
    return process


if __name__ == "__main__":
    main(sys.argv[1:])
