"""What the database alone allows: a bare psycopg loop, one transaction of two statements a step.

As many connections side by side as the work has branches; a step's delay is slept. Every figure of the engine and of
its peers is a ratio to this loop, measured beside it in the same minute on the same server, since the machine's own
speed changes from minute to minute.
"""

from __future__ import annotations

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import psycopg

PAYLOAD = json.dumps({"text": "x" * 1000})
_TABLES = """
CREATE TABLE IF NOT EXISTS limit_run (id int PRIMARY KEY, step int, data jsonb);
CREATE TABLE IF NOT EXISTS limit_step (run int, step int, data jsonb, at timestamptz DEFAULT clock_timestamp());
INSERT INTO limit_run SELECT n, 0, '{}' FROM generate_series(1, 200) AS n ON CONFLICT DO NOTHING;
"""
MOST_CONNECTIONS = 50


def prepare(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(_TABLES)


def durable(url: str) -> dict[str, str]:
    """The server's settings that make its figures honest: both must be `on`."""
    with psycopg.connect(url) as connection:
        return {
            name: connection.execute(f"SHOW {name}").fetchone()[0]  # type: ignore[index]
            for name in ("fsync", "synchronous_commit")
        }


def seconds(url: str, *, lanes: int, steps: int, delay: float = 0.0) -> float:
    """Of `lanes` loops side by side, each doing `steps` steps one after the other. Connecting is not counted."""
    connections = [psycopg.connect(url, autocommit=True) for _ in range(min(lanes, MOST_CONNECTIONS))]
    turns = [threading.Lock() for _ in connections]

    def lane(number: int) -> None:
        connection = connections[number % len(connections)]
        for step in range(steps):
            if delay:
                time.sleep(delay)
            with turns[number % len(turns)], connection.transaction():
                connection.execute(
                    "INSERT INTO limit_step (run, step, data) VALUES (%s, %s, %s)", (number, step, PAYLOAD)
                )
                connection.execute("UPDATE limit_run SET step = %s WHERE id = %s", (step, number + 1))

    with ThreadPoolExecutor(lanes) as pool:
        begun = time.perf_counter()
        list(pool.map(lane, range(lanes)))
        took = time.perf_counter() - begun
    for connection in connections:
        connection.close()
    return took
