"""What a claim costs while much is due: `python -m tests.benchmarks.claims [--due 1000 100000] [--claims 40]`.

Fills a private PostgreSQL with due runs and prints a JSON line for each number of them and each way they are spread
over organisations: milliseconds of a claim of 25 runs (median and worst of `--claims`), of one that finds nothing, and
whether the plan reads the whole table. Half as many runs again are not due yet (timers).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import time
from typing import Any

from tests.benchmarks.servers import django_on_servers

SPREADS = {"one": 1, "one huge, 19 small": 20, "200 alike": 200}

_FILL = """
INSERT INTO orchestration_run
SELECT (jsonb_populate_record(run, jsonb_build_object(
    'id', gen_random_uuid(), 'priority', 1 + n %% 10,
    'due_at', now() + %(later)s * interval '1 hour' - n * interval '10 milliseconds'))).*
FROM orchestration_run AS run, generate_series(1, %(count)s) AS n WHERE run.id = %(like)s
"""
"""Copies of one run, whatever columns the table has."""


def fill(due: int, spread: str, *, analyse: bool) -> None:
    from django.db import connection

    from orchestration.models import Run
    from portal.core.models import Organisation
    from tests.engine_host import make_definition, start

    Run.objects.all().delete()
    definition = make_definition([{"id": "a", "type": "fail", "settings": {"message": "x"}}])
    number = SPREADS[spread]
    organisations = [Organisation.objects.get_or_create(slug=f"o{n}", name=f"O{n}")[0] for n in range(number)]
    shares = [due // number] * number if spread != "one huge, 19 small" else [due - 19 * 5, *[5] * 19]
    with connection.cursor() as cursor:
        for organisation, share in zip(organisations, shares, strict=True):
            one = start(organisation, definition, {"text": "x" * 300})
            cursor.execute(_FILL, {"like": one.pk, "count": share - 1, "later": 0})
            cursor.execute(_FILL, {"like": one.pk, "count": share // 2, "later": 5})
        cursor.execute("VACUUM ANALYZE orchestration_run" if analyse else "VACUUM orchestration_run")


async def measure(claims: int) -> dict[str, Any]:
    from orchestration.store import Desk
    from orchestration.store.registry import Registration

    registration = await Registration.begin()
    desk = await Desk.open(registration.host_id)
    await desk.read_limits()
    took = []
    for _ in range(claims):
        begun = time.perf_counter()
        leases = await desk.claim(25)
        took.append((time.perf_counter() - begun) * 1000)
        if not leases:
            raise SystemExit("nothing was claimed")
    plan = await desk.execute("EXPLAIN (FORMAT TEXT) " + _statement(desk.host_id))
    whole = any("Seq Scan on orchestration_run" in line for (line,) in plan)
    await desk.give_back()
    await desk.close()
    await registration.close()
    return {
        "claim_ms": round(statistics.median(took), 2),
        "worst_ms": round(max(took), 2),
        "reads_whole_table": whole,
    }


def _statement(host: int) -> str:
    from orchestration.store import claims, vocabulary

    return claims.CLAIM % {"host": host, "limit": 25, "lease": 30, "version": f"'{vocabulary.version()}'"}


async def _idle(claims: int) -> float:
    """A look that finds nothing: what a host pays at each bell that was not for it."""
    from orchestration.store import Desk
    from orchestration.store.registry import Registration

    registration = await Registration.begin()
    desk = await Desk.open(registration.host_id)
    await desk.read_limits()
    took = []
    for _ in range(claims):
        begun = time.perf_counter()
        assert not await desk.claim(25)
        took.append((time.perf_counter() - begun) * 1000)
    await desk.close()
    await registration.close()
    return round(statistics.median(took), 2)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--due", type=int, nargs="+", default=[1_000, 100_000])
    parser.add_argument("--claims", type=int, default=40)
    arguments = parser.parse_args()
    with django_on_servers():
        from orchestration.models import Run

        for due in arguments.due:
            for spread in SPREADS:
                for analyse in (True, False):
                    fill(due, spread, analyse=analyse)
                    found = asyncio.run(measure(min(arguments.claims, due // 40)))
                    line = {"due": due, "organisations": spread, "statistics": analyse, **found}
                    sys.stdout.write(json.dumps(line) + "\n")
                    sys.stdout.flush()
            Run.objects.all().delete()
            sys.stdout.write(json.dumps({"due": 0, "claim_ms": asyncio.run(_idle(arguments.claims))}) + "\n")


if __name__ == "__main__":
    main()
