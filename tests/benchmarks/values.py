"""What large values cost: `python -m tests.benchmarks.values [--mib 20] [--nodes 10] [--rows 10 100]`.

On a private PostgreSQL with fsync on and one host in this process; prints JSON lines.

A text goes through a chain of nodes: what the database grew by for each byte of the text, how often the host loaded it,
seconds for the run beside one of the same chain with a short text, and the seconds and bytes of reading the finished
run's log.

Rows, so many megabytes of JSON each time: an answer over HTTP goes into a variable, through a filter and an agent, and
is the run's output. Seconds, the longest time that the host's loop stood still, and the most memory it took.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

from tests.benchmarks.servers import django_on_servers

JSON = Any
_TICK_SECONDS = 0.01


def text_of(mib: int) -> str:
    """Words in no order: about as compressible as prose."""
    chance = random.Random(1)
    words = ["".join(chance.choices("etaoinshrdlu", k=chance.randint(2, 9))) for _ in range(20_000)]
    return " ".join(chance.choices(words, k=mib * 1024 * 1024 // 6))[: mib * 1024 * 1024]


def chain(nodes: int) -> JSON:
    from tests.engine_host import make_definition

    sources = ["inputs.text", *(f"n{index}.outputs.text" for index in range(nodes - 1))]
    steps = [
        {"id": f"n{index}", "type": "set", "settings": {"variables": {"text": f"{{{{ {source} }}}}"}}}
        for index, source in enumerate(sources)
    ]
    edges = [f"n{index} -> n{index + 1}" for index in range(nodes - 1)]
    return make_definition(steps, edges, outputs={"text": f"{{{{ n{nodes - 1}.outputs.text }}}}"})


def database_bytes() -> int:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_database_size(current_database())")
        return int(cursor.fetchone()[0])


def measure(mib: int, nodes: int) -> dict[str, JSON]:
    from orchestration.models import RunEvent, StoredValue
    from portal.core.models import Organisation
    from tests.engine_host import EngineHost, start

    organisation = Organisation.objects.create(slug="bench", name="Bench")
    definition, text = chain(nodes), text_of(mib)
    engine = EngineHost().start()
    try:
        engine.wait_for(start(organisation, definition, {"text": "warm"}), seconds=60)
        short = _seconds(engine, organisation, definition, "short")
        before = database_bytes()
        long = _seconds(engine, organisation, definition, text)
        grown = database_bytes() - before
        host = engine.host
        loads = host._keeper.loads if host else 0
    finally:
        engine.stop()
    run = organisation.runs.order_by("-created_at").first()
    begun = time.perf_counter()
    log = json.dumps(list(RunEvent.objects.filter(run=run).values_list("data", flat=True)))
    return {
        "what": "a text through a chain",
        "mib": mib,
        "nodes": nodes,
        "growth": round(grown / len(text), 2),
        "stored_values": StoredValue.objects.count(),
        "loads": loads,
        "run_seconds": round(long, 3),
        "short_run_seconds": round(short, 3),
        "log_seconds": round(time.perf_counter() - begun, 4),
        "log_bytes": len(log),
    }


def _seconds(engine: JSON, organisation: JSON, definition: JSON, text: str) -> float:
    """From before the start, inputs stored, to the end."""
    from tests.engine_host import start

    begun = time.perf_counter()
    engine.wait_for(start(organisation, definition, {"text": text}), seconds=300)
    return time.perf_counter() - begun


def rows_text(mb: int) -> bytes:
    """A document with so many megabytes of rows, each of some 125 bytes in four fields."""
    rows = [{"id": n, "name": f"name {n}", "price": n * 1.5, "text": "x" * 60} for n in range(mb * 8000)]
    return json.dumps({"page": 1, "rows": rows}, separators=(",", ":")).encode()


def shape() -> JSON:
    """An answer goes into a variable, is filtered, is given to an agent that answers with it, and is the output."""
    from tests.engine_host import make_definition

    get = {"url": "{{ inputs.url }}", "max_bytes": 100 * 1024 * 1024, "timeout_seconds": 300}
    half = [{"op": "filter", "where": "item.id % 2 == 0"}]
    return make_definition(
        [
            {"id": "get", "type": "http", "settings": get},
            {"id": "keep", "type": "set", "settings": {"variables": {"rows": "{{ get.outputs.body.rows }}"}}},
            {"id": "half", "type": "transform", "settings": {"input": "{{ vars.rows }}", "steps": half}},
            {"id": "ask", "type": "agent", "settings": {"agent": "echo", "inputs": {"rows": "{{ vars.rows }}"}}},
        ],
        ["get -> keep", "keep -> half", "half -> ask"],
        variables={"rows": {"type": "array"}},
        outputs={"rows": "{{ ask.outputs.rows }}", "half": "{{ size(half.outputs.result) }}"},
    )


def measure_rows(mb: int) -> dict[str, JSON]:
    """The longest gap is that of the host's loop: so long it answered nobody and showed no sign of life."""
    from portal.core.models import Organisation
    from tests.agents.factories import agent, python_draft
    from tests.engine_host import EngineHost, start

    organisation = Organisation.objects.create(slug=f"rows-{mb}", name="Rows")
    agent(organisation, "echo", python_draft("echo"))
    document = rows_text(mb)
    engine = EngineHost().start()
    try:
        with served(document) as url, Watch(engine) as watch:
            begun = time.perf_counter()
            run = engine.wait_for(start(organisation, shape(), {"url": url}), seconds=1200)
            seconds = time.perf_counter() - begun
    finally:
        engine.stop()
    return {
        "what": "rows through a variable, a filter and an agent",
        "mb": round(len(document) / 1e6, 1),
        "rows": mb * 8000,
        "seconds": round(seconds, 1),
        "longest_gap_seconds": round(watch.longest_gap, 2),
        "peak_memory_mb": round(watch.peak_bytes / 1e6),
        "memory_by_json": round(watch.peak_bytes / len(document), 1),
        "claims": run.claims,
    }


class Watch:
    """While it lasts: the longest time that the host's loop stood still, and what the process grew by at most."""

    def __init__(self, engine: JSON) -> None:
        self._engine, self._process = engine, psutil.Process()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self.longest_gap = 0.0
        self.peak_bytes = 0

    def __enter__(self) -> Watch:
        self._base = self._process.memory_info().rss
        self._last = time.perf_counter()
        self._engine.call(lambda host: self._tick(asyncio.get_running_loop()))
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._over.set()
        self._thread.join()

    def _tick(self, loop: asyncio.AbstractEventLoop) -> None:
        now = time.perf_counter()
        self.longest_gap, self._last = max(self.longest_gap, now - self._last - _TICK_SECONDS), now
        if not self._over.is_set():
            loop.call_later(_TICK_SECONDS, self._tick, loop)

    def _look(self) -> None:
        while not self._over.wait(0.05):
            self.peak_bytes = max(self.peak_bytes, self._process.memory_info().rss - self._base)


@contextmanager
def served(document: bytes) -> Iterator[str]:
    """Its address, from a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "rows.json").write_bytes(document)
        command = [sys.executable, "-u", "-m", "http.server", "0", "--bind", "127.0.0.1", "--directory", folder]
        server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        try:
            assert server.stdout
            port = server.stdout.readline().split(" port ")[1].split()[0]
            yield f"http://127.0.0.1:{port}/rows.json"
        finally:
            server.kill()
            server.wait()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mib", type=int, default=20)
    parser.add_argument("--nodes", type=int, default=10)
    parser.add_argument("--rows", type=int, nargs="*", default=[10, 100], help="megabytes")
    options = parser.parse_args()
    os.environ["OUTGOING_ALLOW"] = "127.0.0.1"
    with django_on_servers():
        print(json.dumps(measure(options.mib, options.nodes)), flush=True)
        for mb in options.rows:
            print(json.dumps(measure_rows(mb)), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
