"""Hosts that come and go, and a database that does."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable

import pytest

from orchestration.host import Plan
from orchestration.models import EngineHost as HostRow
from orchestration.models import NodeRun, RunEvent
from orchestration.services import runs
from portal.core.actors import Actor
from portal.core.models import Organisation
from tests.driver.scripted import CALLS, OPEN
from tests.driver.test_runs import scripted
from tests.engine_host import EngineHost, event_types, make_definition, raw_connection, start, wait_until

pytestmark = pytest.mark.django_db(transaction=True)

StartEngine = Callable[..., EngineHost]


@pytest.fixture
def quiet() -> object:
    """Warnings of the host are what is meant to happen here."""
    logging.disable(logging.WARNING)
    yield
    logging.disable(logging.NOTSET)


def test_a_host_that_drains_lets_work_end_and_gives_the_rest_back(
    start_engine: StartEngine, organisation: Organisation
) -> None:
    definition = make_definition([scripted("short", gate="short"), scripted("next")], ["short -> next"])
    long = make_definition([scripted("long", seconds=3600)])
    first = start_engine(Plan(drain_seconds=3.0))
    ends, cut_off = start(organisation, definition), start(organisation, long)
    for run, node in ((ends, "short"), (cut_off, "long")):
        first.wait_for_node(run, node, "running")
    first.call(lambda host: host.stop())
    OPEN.add("short")
    first.stop()
    for run in (ends, cut_off):
        run.refresh_from_db()
        assert run.host_id is None and run.due_at and run.claims == 0
    assert event_types(ends)[-1] == "NodeSucceeded short", "what was at work has ended, nothing new has begun"
    assert HostRow.objects.get(pk=first.host.host_id).ended_at  # type: ignore[union-attr]
    second = start_engine()
    second.wait_for(ends)
    assert CALLS[f"{ends.pk}/short"] == 1
    wait_until(lambda: CALLS[f"{cut_off.pk}/long"] == 2, 5, "the attempt that was cut off to begin again")
    assert RunEvent.objects.filter(run=cut_off, type="AttemptAbandoned").count() == 1
    runs.cancel_run(run=cut_off, actor=Actor.command())
    second.wait_for(cut_off, "cancelled")


def test_a_timer_of_a_run_that_a_gone_host_let_go_is_kept(
    start_engine: StartEngine, organisation: Organisation
) -> None:
    definition = make_definition([{"id": "wait", "type": "delay", "settings": {"seconds": 1.5}}])
    first = start_engine()
    run = first.wait_for(start(organisation, definition), "waiting")
    first.stop()
    start_engine().wait_for(run)


@pytest.mark.usefixtures("quiet")
def test_runs_go_on_when_every_connection_of_the_host_is_cut(engine: EngineHost, organisation: Organisation) -> None:
    steps = [f"s{number}" for number in range(10)]
    definition = make_definition(
        [scripted(step, seconds=0.1) for step in steps],
        [f"{a} -> {b}" for a, b in itertools.pairwise(steps)],
    )
    started = [start(organisation, definition) for _ in range(5)]
    engine.wait_for_node(started[0], "s1")
    with raw_connection() as connection:
        for _ in range(3):
            cut = connection.execute(
                "SELECT pid, pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE application_name LIKE 'ensemble engine%' AND pid <> pg_backend_pid()"
                " AND datname = current_database()"
            ).fetchall()
            gone = [pid for pid, _ in cut]
            wait_until(
                lambda gone=gone: connection.execute(
                    "SELECT 1 FROM pg_stat_activity WHERE application_name = 'ensemble engine writer'"
                    " AND datname = current_database() AND NOT pid = ANY(%s)",
                    [gone],
                ).fetchone(),
                10,
                "the host to write again",
            )
    for run in started:
        engine.wait_for(run)
    assert set(CALLS.values()) == {1}, "nothing was repeated"
    assert len(CALLS) == 50


@pytest.mark.usefixtures("quiet")
def test_a_signal_whose_bell_was_not_heard_is_found(engine: EngineHost, organisation: Organisation) -> None:
    run = start(organisation, make_definition([scripted("a", seconds=3600)]))
    engine.wait_for_node(run, "a", "running")
    with raw_connection() as connection:  # as `cancel_run`, without NOTIFY
        connection.execute(
            "INSERT INTO orchestration_runsignal (run_id, kind, node, path, by, reason, posted_at)"
            " VALUES (%s, 'cancel', '', '', '', '', now())",
            [run.pk],
        )
        connection.execute(
            "UPDATE orchestration_run SET signals_posted = signals_posted + 1, due_at = now() WHERE id = %s", [run.pk]
        )
    engine.wait_for(run, "cancelled")


def test_two_hosts_share_the_runs_and_each_is_driven_once(
    start_engine: StartEngine, organisation: Organisation
) -> None:
    hosts = [start_engine(), start_engine()]
    definition = make_definition([scripted("a", seconds=0.3), scripted("b")], ["a -> b"])
    started = [start(organisation, definition) for _ in range(30)]
    for run in started:
        hosts[0].wait_for(run)
    assert set(CALLS.values()) == {1} and len(CALLS) == 60
    assert not NodeRun.objects.exclude(attempts=1).exists()


@pytest.mark.usefixtures("quiet")
def test_a_host_that_others_took_for_dead_begins_anew(engine: EngineHost, organisation: Organisation) -> None:
    assert engine.host
    former = engine.host.host_id
    run = start(organisation, make_definition([scripted("a", gate="a")]))
    engine.wait_for_node(run, "a", "running")
    HostRow.objects.filter(pk=former).update(ended_at="2026-01-01T00:00:00Z")
    with raw_connection() as connection:
        connection.execute("UPDATE orchestration_run SET host_id = NULL, lease_expires_at = NULL")
    wait_until(lambda: engine.host and engine.host.host_id not in (None, former), 30, "the host to begin anew")
    OPEN.add("a")
    engine.wait_for(run)
    assert engine.host.host_id != former
    assert "AttemptAbandoned a" in event_types(run) and event_types(run).count("NodeSucceeded a") == 1
