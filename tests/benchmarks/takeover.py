"""How long a host needs to take over a long run: `python -m tests.benchmarks.takeover [--events 100000]`.

The run is a loop of three nodes an iteration, still under way. Its log is made by the simulated driver of the engine's
tests and written as the store would. Prints a JSON line for the takeover that folds all events, and one for that which
begins at the oldest snapshot a host leaves behind (EVERY events ago): seconds from the claim to the state, and the
longest time the event loop stood still meanwhile.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from typing import Any

from tests.benchmarks.servers import django_on_servers


def define_run(events: int, bytes_a_result: int) -> tuple[dict[str, Any], list[Any]]:
    """The definition, and the events of a run that is in the middle of its loop."""
    from orchestration.engine import events as facts
    from tests.benchmarks.core import Unchecked
    from tests.engine.definitions import define, node
    from tests.engine.simulator import graph_of

    body = [node(name, "set", parent="each", settings={}) for name in ("read", "judge", "write")]
    definition = define(node("each", "loop", settings={"items": "[]"}), *body, "read > judge", "judge > write")
    kept: list[Any] = []
    simulation = Unchecked(graph_of(definition), kept, items=events // 8 + 2, limit=1)
    simulation.start()
    simulation.settle()
    while len(kept) < events:
        simulation.finish(next(iter(simulation.at_work)))
        simulation.settle()
    result = "x" * bytes_a_result
    for number, event in enumerate(kept):
        if isinstance(event, facts.IterationEnded):
            kept[number] = facts.IterationEnded(
                at=event.at, node=event.node, path=event.path, index=event.index, result=result
            )
    return definition, kept[:events]


def write_run(definition: dict[str, Any], events: list[Any]) -> Any:
    """The run with its events in the database, due."""
    from orchestration.engine.events.rows import to_row
    from orchestration.models import Run, RunEvent
    from portal.core.models import Organisation
    from tests.engine_host import make_definition, start

    organisation = Organisation.objects.create(slug="bench", name="Bench")
    run = start(organisation, make_definition(**definition))
    rows = [
        RunEvent(run=run, seq=seq, at=row.at, type=row.type, node=row.node, path=row.path, data=row.data)
        for seq, row in enumerate(map(to_row, events), 1)
    ]
    RunEvent.objects.bulk_create(rows, batch_size=5_000)
    Run.objects.filter(pk=run.pk).update(last_seq=len(rows), status="running")
    return run


async def measure(run: Any, *, with_snapshot: bool) -> dict[str, Any]:
    from orchestration.store import Desk, snapshots
    from orchestration.store.registry import Registration

    registration = await Registration.begin()
    desk = await Desk.open(registration.host_id)
    (lease,) = await desk.claim(1)
    if with_snapshot:  # the oldest that the host would have left
        taken = lease.last_seq - snapshots.EVERY
        state = await _state_at(desk, lease, taken)
        begun = time.perf_counter()
        body = snapshots.codec().encode(state)
        encoded = time.perf_counter() - begun
        snapshots._write(lease, state.seq, body)
    desk._graphs.clear()
    begun = time.perf_counter()
    loaded, still = await _watched(desk.load(lease))
    seconds = time.perf_counter() - begun
    assert loaded.state.seq == lease.last_seq
    found = {
        "shape": f"takeover of {lease.last_seq} events, {'from a snapshot' if with_snapshot else 'folding all'}",
        "seconds": round(seconds, 3),
        "loop_stood_still_seconds": round(still, 3),
    }
    if with_snapshot:
        found |= {"snapshot_bytes": len(body), "encode_seconds": round(encoded, 3), "folded": lease.last_seq - taken}
    await desk.give_back()
    await desk.close()
    await registration.close()
    return found


async def _state_at(desk: Any, lease: Any, seq: int) -> Any:
    from orchestration.engine.apply import apply_all, begin
    from orchestration.engine.events.rows import Row, from_row
    from orchestration.store import statements

    rows = await desk.execute(statements.EVENTS, [lease.run_id, 0])
    graph = await desk._graph(lease.definition)
    return apply_all(begin(graph, str(lease.run_id)), [from_row(Row(*row)) for row in rows[:seq]])


async def _watched(work: Any) -> tuple[Any, float]:
    """What comes of it, and the longest time between two turns of the loop."""
    longest, last = 0.0, time.perf_counter()
    task = asyncio.ensure_future(work)
    while not task.done():
        await asyncio.sleep(0.001)
        longest, last = max(longest, time.perf_counter() - last), time.perf_counter()
    return task.result(), longest


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="tests.benchmarks.takeover")
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--result-bytes", type=int, default=200, help="of each iteration")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args(arguments)
    with django_on_servers():
        definition, events = define_run(options.events, options.result_bytes)
        run = write_run(definition, events)
        for with_snapshot in (False, True):
            rounds = [asyncio.run(measure(run, with_snapshot=with_snapshot)) for _ in range(options.rounds)]
            rounds.sort(key=lambda found: found["seconds"])
            print(json.dumps(rounds[len(rounds) // 2]))


if __name__ == "__main__":
    main(sys.argv[1:])
