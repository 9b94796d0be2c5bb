"""What large values cost: `python -m tests.benchmarks.values [--mib 20] [--nodes 10]`.

A text goes through a chain of nodes, on a private PostgreSQL with fsync on and one host in this process. Prints a JSON
line: what the database grew by for each byte of the text, how often the host loaded it, seconds for the run beside one
of the same chain with a short text, and the seconds and bytes of reading the finished run's log.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from typing import Any

from tests.benchmarks.servers import django_on_servers

JSON = Any


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


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mib", type=int, default=20)
    parser.add_argument("--nodes", type=int, default=10)
    options = parser.parse_args()
    with django_on_servers():
        print(json.dumps(measure(options.mib, options.nodes)), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
