"""How many audit entries a second: `python -m tests.benchmarks.audit`. Needs DATABASE_URL or a running `up`.

Each writer is a thread with its own connection; each entry is one business transaction of its own (BEGIN, INSERT,
COMMIT) with the linking that follows it, so a figure counts entries that are written *and* chained. A chain that is
locked until the business transaction ends could not write more than 1/hold entries a second in one organisation,
however many writers there are: 50 with 20 ms of other work.

It writes into organisations of its own, `bench-…`, which stay: the ledger forgets nothing. Use a database apart.
"""

import argparse
import os
import threading
import time

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")


def measure(organisations: int, writers: int, seconds: float, hold: float) -> float:
    from django.db import connection, transaction

    from portal.core.actors import Actor
    from portal.core.models import AuditPending, Organisation
    from portal.core.services import audit, ledger

    names = [f"bench-{time.time_ns()}-{number}" for number in range(organisations)]
    rows = [Organisation.objects.create(slug=name, name=name) for name in names]
    counts = [0] * writers
    begin = threading.Barrier(writers + 1)
    stop = threading.Event()

    def write(number: int) -> None:
        organisation, actor = rows[number % organisations], Actor.command()
        begin.wait()
        while not stop.is_set():
            with transaction.atomic():
                audit.record(
                    organisation=organisation, actor=actor, verb="bench.entry.written", before={"n": 0}, after={"n": 1}
                )
                time.sleep(hold)
            counts[number] += 1
        connection.close()

    threads = [threading.Thread(target=write, args=(number,)) for number in range(writers)]
    for thread in threads:
        thread.start()
    begin.wait()
    begun = time.perf_counter()
    time.sleep(seconds)
    stop.set()
    for thread in threads:
        thread.join()
    while AuditPending.objects.filter(chain__in=[row.pk for row in rows]).exists():
        audit.link_pending()
    rate = sum(counts) / (time.perf_counter() - begun)
    checked = time.perf_counter()
    for row in rows:
        verdict = ledger.verify(row.pk)
        assert verdict.fault is None, verdict
    checked = time.perf_counter() - checked
    print(
        f"{organisations} organisation(s), {writers} writers, {hold * 1000:.0f} ms of other work each: "
        f"{rate:,.0f} entries/s chained; "
        f"{sum(counts):,} verified in {checked:.2f} s"
    )
    return rate


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--writers", type=int, default=8)
    options = parser.parse_args()
    django.setup()
    for hold in (0.0, 0.02):
        for organisations in (1, 8):
            measure(organisations, options.writers, options.seconds, hold)


if __name__ == "__main__":
    main()
