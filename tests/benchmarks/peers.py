"""Ours beside other durable engines: `python -m tests.benchmarks.peers [--peers restate] [--only chain]`.

For each work and round: ours, the limit (limit.py), and each peer, one right after the other. Prints a JSON line a work
with the medians, each engine's ratio to the limit, and ours to each peer (below 1: ours is faster).

Restate runs its own server (an npm package) and is asked over HTTP; DBOS and LangGraph (PostgreSQL saver, durability
"sync") run in their own process, where a start crosses no border, on the same PostgreSQL as ours. A step answers 1 KB
of JSON everywhere. The first call makes the peers' environments in `--folder` (some minutes).
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import psycopg
from psycopg.conninfo import make_conninfo

from tests.benchmarks import limit, works
from tests.benchmarks.engine import makespan, report
from tests.benchmarks.peer_apps import environments
from tests.benchmarks.whole import Portal, whole_portal

JSON = Any
FOLDER = Path(__file__).resolve().parents[2] / "var" / "peers"

WORKS: dict[str, dict[str, JSON]] = {
    "chain": {"work": "chain", "steps": 100, "delay": 0.0},
    "fan": {"work": "fan", "width": 50, "delay": 0.05},
    "many": {"work": "many", "runs": 100, "steps": 10, "delay": 0.05},
    "layers": {"work": "layers", "layers": 20, "width": 50},
}


class Peer:
    """A peer's program, asked by a line and answering by one."""

    def __init__(self, name: str, process: subprocess.Popen[str]) -> None:
        self.name, self._process = name, process
        self.answer()

    def ask(self, work: Mapping[str, JSON]) -> JSON:
        assert self._process.stdin
        self._process.stdin.write(json.dumps(work) + "\n")
        self._process.stdin.flush()
        return self.answer()

    def answer(self) -> JSON:
        assert self._process.stdout
        for line in self._process.stdout:
            if line.startswith("{"):
                return json.loads(line)
        raise SystemExit(f"{self.name} ended without an answer; its words are above.")


@contextmanager
def peers(names: list[str], folder: Path, database_url: str) -> Iterator[list[Peer]]:
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        started = []
        for name in names:
            with psycopg.connect(database_url, autocommit=True) as connection:
                connection.execute(f"CREATE DATABASE peer_{name}")  # type: ignore[arg-type]
            url = _url(database_url, f"peer_{name}")
            process = subprocess.Popen(
                environments.command(name, folder, url), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
            stack.callback(_end, process)
            started.append(Peer(name, process))
        yield started


def _url(database_url: str, database: str) -> str:
    """As a URL, since not every peer reads a list of words."""
    from urllib.parse import quote

    parts = psycopg.conninfo.conninfo_to_dict(make_conninfo(database_url))
    host = quote(str(parts.get("host", "localhost")), safe="")
    password = f":{quote(str(parts['password']), safe='')}" if parts.get("password") else ""
    port = f"&port={parts['port']}" if parts.get("port") else ""
    return f"postgresql://{parts.get('user', 'postgres')}{password}@/{database}?host={host}{port}"


def _end(process: subprocess.Popen[str]) -> None:
    assert process.stdin
    process.stdin.close()
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        process.kill()


def ours(portal: Portal, work: str) -> float:
    match work:
        case "chain":
            return makespan(portal, works.chain(100))
        case "fan":
            return makespan(portal, works.fan(50, 0.05))
        case "layers":
            return makespan(portal, works.layers(20, 50))
    workflow = portal.workflow(works.chain(10, 0.05))
    began = time.time()
    runs = portal.start_batch(workflow, 100)
    portal.wait(runs)
    return portal.ended_at(runs) - began


def bare(portal: Portal, work: str) -> float:
    url = portal.database_url
    match work:
        case "chain":
            return limit.seconds(url, lanes=1, steps=100)
        case "fan":
            return sum(limit.seconds(url, lanes=lanes, steps=1, delay=0.05) for lanes in (1, 50, 1))
        case "layers":
            return limit.seconds(url, lanes=1, steps=1000)
    return limit.seconds(url, lanes=100, steps=10, delay=0.05)


def compare(portal: Portal, others: list[Peer], work: str, rounds: int) -> None:
    asked: dict[str, Callable[[], float]] = {
        "ensemble": lambda: ours(portal, work),
        "limit": lambda: bare(portal, work),
        **{peer.name: lambda peer=peer: peer.ask(WORKS[work])["seconds"] for peer in others},  # type: ignore[misc]
    }
    for ask in asked.values():
        ask()  # the first time is warming up
    found: dict[str, list[float]] = {name: [] for name in asked}
    for _ in range(rounds):
        for name, ask in asked.items():
            found[name].append(ask())
    floor, mine = found["limit"], found["ensemble"]
    report(
        work=work,
        unit="s",
        **{name: statistics.median(values) for name, values in found.items()},
        ratio_to_limit={name: _ratio(values, floor) for name, values in found.items() if name != "limit"},
        ours_to_theirs={name: _ratio(mine, found[name]) for name in found if name not in ("limit", "ensemble")},
        rounds=rounds,
    )


def _ratio(mine: list[float], theirs: list[float]) -> float:
    """The median over the pairs of one round."""
    return round(statistics.median(one / other for one, other in zip(mine, theirs, strict=True)), 2)


def latency(portal: Portal, others: list[Peer], rounds: int) -> None:
    workflow = portal.workflow(works.chain(2))
    first: dict[str, list[float]] = {"ensemble": [], **{peer.name: [] for peer in others}}
    end: dict[str, list[float]] = {name: [] for name in first}
    for _ in range(rounds):
        for _ in range(20):
            began = time.time()
            run = portal.start(workflow)
            portal.wait([run], pause=0.005)
            first["ensemble"].append((portal.step_began_at(run, "s0") - began) * 1000)
            end["ensemble"].append((portal.ended_at([run]) - began) * 1000)
        for peer in others:
            answer = peer.ask({"work": "latency", "starts": 20})
            first[peer.name] += answer["first"]
            end[peer.name] += answer["end"]
    report(
        work="2 steps",
        unit="ms",
        first_step_p50={name: round(statistics.median(values), 1) for name, values in first.items()},
        first_step_p95={name: round(statistics.quantiles(values, n=20)[18], 1) for name, values in first.items()},
        end_p50={name: round(statistics.median(values), 1) for name, values in end.items()},
    )


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="tests.benchmarks.peers")
    parser.add_argument("--peers", nargs="*", choices=list(environments.PACKAGES), default=list(environments.PACKAGES))
    parser.add_argument("--only", nargs="*", choices=[*WORKS, "latency"], default=[*WORKS, "latency"])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--folder", type=Path, default=FOLDER)
    options = parser.parse_args(arguments)
    with whole_portal() as portal, peers(options.peers, options.folder, portal.database_url) as others:
        for work in WORKS:
            if work in options.only:
                compare(portal, others, work, options.rounds)
        if "latency" in options.only:
            latency(portal, others, options.rounds)


if __name__ == "__main__":
    main(sys.argv[1:])
