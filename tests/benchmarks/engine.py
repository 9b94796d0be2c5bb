"""How near the whole product is to what its database allows: `python -m tests.benchmarks.engine [--only chain ...]`.

Starts a portal (`manage.py up`: PostgreSQL with fsync and synchronous_commit on, Redis, web, the django-q2 clusters),
starts runs from this process and reads what the engine stored. Prints a JSON line a work: the median of the rounds, the
limit (limit.py) measured beside each round, and the median of the ratios of each pair.

    chain       100 steps without delay, one after the other: milliseconds a step
    fan         1 → 50 side by side → 1, 50 ms each: makespan (ideal 0.15 s)
    many        100 runs of 10 steps, 50 ms each, started by one API call: makespan (ideal 0.5 s)
    layers      1,000 nodes in 20 layers of 50, three edges each, without delay: makespan
    latency     from the call that starts a run to its first step's body, and to the end of 2 steps: milliseconds;
                started as the command line does, and by the API
    loop        10,000 iterations of one step: milliseconds an iteration, the first and the last 1,000
    growth      how cost grows with size: layered graphs of 100, 500, 1,000 and 2,000 nodes (milliseconds a node); 10,
                100 and 1,000 runs of 10 steps started together (milliseconds a step); a short run while 0, 1,000 and
                10,000 others wait for a person
    memory      of the hosts' processes (PSS), in MB: at rest, with 1,000 runs that wait for a person, with 500 steps at
                work; litellm is loaded

A step is an agent of kind python that waits `delay` seconds and answers 1 KB of JSON (bench_agents.py).
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any
from uuid import UUID

from tests.benchmarks import limit, works
from tests.benchmarks.whole import Portal, whole_portal

JSON = Any


def report(**figures: JSON) -> None:
    rounded = {name: round(value, 4) if isinstance(value, float) else value for name, value in figures.items()}
    print(json.dumps(rounded), flush=True)


def beside(
    work: str, unit: str, rounds: int, ours: Callable[[], float], bare: Callable[[], float], scale: float = 1.0
) -> None:
    """Each round measures both, one right after the other; the ratio is the median of the pairs'."""
    pairs = [(ours(), bare()) for _ in range(rounds)]
    engine, floor = (statistics.median(values) * scale for values in zip(*pairs, strict=True))
    ratio = statistics.median(mine / least for mine, least in pairs)
    report(work=work, unit=unit, engine=engine, limit=floor, ratio=round(ratio, 2), rounds=rounds)


def makespan(portal: Portal, body: dict[str, JSON]) -> float:
    """Seconds from the call that starts the run to its end."""
    workflow = portal.workflow(body)
    began = time.time()
    run = portal.start(workflow)
    portal.wait([run])
    return portal.ended_at([run]) - began


def chain(portal: Portal, rounds: int) -> None:
    body = works.chain(100)
    beside(
        "chain of 100",
        "ms a step",
        rounds,
        lambda: makespan(portal, body),
        lambda: limit.seconds(portal.database_url, lanes=1, steps=100),
        scale=10,
    )


def fan(portal: Portal, rounds: int) -> None:
    body, url = works.fan(50, 0.05), portal.database_url

    def bare() -> float:
        return sum(limit.seconds(url, lanes=lanes, steps=1, delay=0.05) for lanes in (1, 50, 1))

    beside("1 to 50 to 1, 50 ms", "s", rounds, lambda: makespan(portal, body), bare)


def many(portal: Portal, rounds: int) -> None:
    workflow = portal.workflow(works.chain(10, 0.05))

    def ours() -> float:
        began = time.time()
        runs = portal.start_batch(workflow, 100)
        portal.wait(runs)
        return portal.ended_at(runs) - began

    def bare() -> float:
        return limit.seconds(portal.database_url, lanes=100, steps=10, delay=0.05)

    beside("100 runs of 10, 50 ms", "s", rounds, ours, bare)


def layers(portal: Portal, rounds: int) -> None:
    body, url = works.layers(20, 50), portal.database_url
    beside(
        "1,000 nodes in layers",
        "s",
        rounds,
        lambda: makespan(portal, body),
        lambda: limit.seconds(url, lanes=1, steps=1000),
    )


def latency(portal: Portal, rounds: int) -> None:
    workflow = portal.workflow(works.chain(2))
    for how, start in (("command line", portal.start), ("API", portal.start_by_api)):
        first, end = [], []
        for _ in range(20 * rounds):
            began, ended = _first_and_end(portal, start, workflow)
            first.append(began)
            end.append(ended)
        report(
            work=f"2 steps, started by {how}",
            unit="ms",
            first_step_p50=statistics.median(first),
            first_step_p95=statistics.quantiles(first, n=20)[18],
            end_p50=statistics.median(end),
            end_p95=statistics.quantiles(end, n=20)[18],
            starts=len(first),
        )


def _first_and_end(portal: Portal, start: Callable[[Any], UUID], workflow: JSON) -> tuple[float, float]:
    """Milliseconds from the call to the first step's body, and to the run's end."""
    began = time.time()
    run = start(workflow)
    portal.wait([run], pause=0.005)
    return (portal.step_began_at(run, "s0") - began) * 1000, (portal.ended_at([run]) - began) * 1000


def loop(portal: Portal, rounds: int) -> None:
    from django.db import connection

    took = []
    for _ in range(max(1, rounds // 2)):
        run = portal.start(portal.workflow(works.loop(10_000)))
        portal.wait([run], seconds=600, pause=0.2)
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT extract(epoch FROM at) FROM orchestration_runevent WHERE run_id = %s"
                " AND type = 'IterationEnded' AND (data->>'index')::int IN (0, 999, 8999, 9999) ORDER BY seq",
                [run],
            )
            begun, first, ninth, last = (float(at) for (at,) in cursor.fetchall())
        took.append((first - begun, last - ninth))
    first_ms, last_ms = (statistics.median(values) for values in zip(*took, strict=True))
    ratio = statistics.median(late / early for early, late in took)
    report(
        work="loop of 10,000", unit="ms an iteration", first_1000=first_ms, last_1000=last_ms, growth=round(ratio, 2)
    )


def growth(portal: Portal, rounds: int) -> None:
    for count in (2, 10, 20, 40):
        body = works.layers(count, 50)
        took = statistics.median(makespan(portal, body) for _ in range(rounds))
        report(work=f"graph of {count * 50:,} nodes", unit="ms a node", engine=took * 1000 / (count * 50))
    workflow = portal.workflow(works.chain(10))
    for count in (10, 100, 1000):
        took = statistics.median(_together(portal, workflow, count) for _ in range(rounds))
        report(work=f"{count:,} runs of 10 steps together", unit="ms a step", engine=took * 1000 / (count * 10))
    waiting, short = portal.workflow(works.waiting()), portal.workflow(works.chain(2))
    there = 0
    for count in (0, 1_000, 10_000):
        while there < count:
            runs = portal.start_batch(waiting, min(1000, count - there))
            _until(portal, "status = 'waiting' AND host_id IS NULL", runs, len(runs))
            there += len(runs)
        took = statistics.median(_first_and_end(portal, portal.start, short)[1] for _ in range(20 * rounds))
        report(work=f"2 steps while {count:,} runs wait", unit="ms", end_p50=took)


def _together(portal: Portal, workflow: JSON, count: int) -> float:
    began = time.time()
    runs = portal.start_batch(workflow, count)
    portal.wait(runs)
    return portal.ended_at(runs) - began


def memory(portal: Portal, rounds: int) -> None:
    at_rest = portal.host_memory()
    waiting = portal.workflow(works.waiting())
    runs = [run for _ in range(2) for run in portal.start_batch(waiting, 500)]
    _until(portal, "status = 'waiting' AND host_id IS NULL", runs, 1000)
    report(work="memory, 1,000 waiting runs", unit="MB", before=_each(at_rest), after=_each(portal.host_memory()))
    portal.start(portal.workflow(works.sleeping(500, 30.0)))
    _steps_at_work(portal, 500)
    report(work="memory, 500 steps at work", unit="MB", before=_each(at_rest), after=_each(portal.host_memory()))


def _each(found: dict[int, float]) -> list[float]:
    return [round(value, 1) for _, value in sorted(found.items())]


def _until(portal: Portal, what: str, runs: JSON, count: int) -> None:
    from tests.portal_process import wait_for

    def reached() -> bool:
        return portal.count(f"SELECT count(*) FROM orchestration_run WHERE id = ANY(%s) AND {what}", runs) == count

    assert wait_for(reached, 120), what


def _steps_at_work(portal: Portal, count: int) -> None:
    from tests.portal_process import wait_for

    at_work = "SELECT count(*) FROM orchestration_noderun WHERE status = 'running'"
    assert wait_for(lambda: portal.count(at_work) >= count, 25), "the steps did not begin"


WORKS: dict[str, Callable[[Portal, int], None]] = {
    "chain": chain,
    "fan": fan,
    "many": many,
    "layers": layers,
    "latency": latency,
    "loop": loop,
    "growth": growth,
    "memory": memory,
}


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="tests.benchmarks.engine")
    parser.add_argument("--only", nargs="*", choices=list(WORKS), default=list(WORKS))
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args(arguments)
    with whole_portal() as portal:
        makespan(portal, works.chain(5))  # the first run of a host reads what later ones find in memory
        for name, work in WORKS.items():
            if name in options.only:
                work(portal, options.rounds)


if __name__ == "__main__":
    main(sys.argv[1:])
