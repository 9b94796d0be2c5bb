"""The run goes on while a commit is under way; what has effects begins only when its beginning is on the disk."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import groupby, pairwise
from operator import itemgetter
from typing import Any

import pytest

from orchestration.driving import turn
from orchestration.models import Run
from orchestration.services import runs
from portal.core.actors import Actor
from portal.core.models import Organisation
from tests.driver.scripted import STARTED
from tests.engine_host import EngineHost, event_types, make_definition, raw_connection, start, wait_until

pytestmark = pytest.mark.django_db(transaction=True)


def step(id: str, **settings: Any) -> dict[str, Any]:
    return {"id": id, "type": "scripted", "settings": settings}


@contextmanager
def stalled_commits() -> Iterator[None]:
    """Nobody can write events; everything else works."""
    with raw_connection() as other, other.transaction():
        other.execute("LOCK TABLE orchestration_runevent IN SHARE MODE")
        yield


def test_pure_steps_go_on_while_a_commit_is_under_way(engine: EngineHost, organisation: Organisation) -> None:
    nodes = [step("a", pure=True), step("b", pure=True), step("c")]
    with stalled_commits():
        run = start(organisation, make_definition(nodes, ["a -> b", "b -> c"]))
        wait_until(lambda: "b" in STARTED, 10, "the second step to begin")
        assert not event_types(run), "nothing is shown that is not written"
        assert "c" not in STARTED, "an effect must not come before its beginning is on the disk"
    engine.wait_for(run)
    assert STARTED == ["a", "b", "c"]
    assert event_types(run) == [
        "RunStarted",
        *(f"{kind} {node}" for node in "abc" for kind in ("NodeStarted", "NodeSucceeded")),
        "RunCompleted",
    ]


def commits_of(run: Run) -> list[list[str]]:
    """The events of each transaction, in their order."""
    with raw_connection() as other:
        rows = other.execute(
            "SELECT xmin::text, type, node FROM orchestration_runevent WHERE run_id = %s ORDER BY seq", [run.pk]
        ).fetchall()
    return [[f"{kind} {node}".strip() for _, kind, node in of] for _, of in groupby(rows, key=itemgetter(0))]


def test_steps_that_end_at_once_share_a_commit(
    engine: EngineHost, organisation: Organisation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turn, "AHEAD_SECONDS", 60.0)
    names = [f"s{number}" for number in range(20)]
    nodes = [step(name, pure=True) for name in names]
    run = engine.wait_for(start(organisation, make_definition(nodes, [f"{a} -> {b}" for a, b in pairwise(names)])))
    commits = commits_of(run)
    assert sum(map(len, commits)) == 42
    whole = [commit for commit in commits if any(f"NodeSucceeded {name}" in commit for name in names)]
    assert len(whole) < 20, "it took a commit a step"


def test_what_waits_for_the_disk_does_not_wait_for_other_steps_as_well(
    engine: EngineHost, organisation: Organisation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A step with an effect beside a long chain of quick ones: its beginning is written before the chain goes on."""
    monkeypatch.setattr(turn, "AHEAD_SECONDS", 60.0)
    names = [f"s{number}" for number in range(20)]
    nodes = [step("call"), *(step(name, pure=True) for name in names)]
    run = engine.wait_for(start(organisation, make_definition(nodes, [f"{a} -> {b}" for a, b in pairwise(names)])))
    first = commits_of(run)[0]
    assert "NodeStarted call" in first and "NodeSucceeded s19" not in first


def test_what_was_done_outside_is_written_before_quick_steps_go_on(
    engine: EngineHost, organisation: Organisation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its loss would mean that it is done once more."""
    monkeypatch.setattr(turn, "AHEAD_SECONDS", 60.0)
    names = [f"s{number}" for number in range(20)]
    nodes = [step("call"), *(step(name, pure=True) for name in names)]
    edges = ["call -> s0", *(f"{a} -> {b}" for a, b in pairwise(names))]
    run = engine.wait_for(start(organisation, make_definition(nodes, edges)))
    told = next(commit for commit in commits_of(run) if "NodeSucceeded call" in commit)
    assert "NodeSucceeded s19" not in told


def test_a_long_chain_of_quick_steps_is_written_now_and_then(
    engine: EngineHost, organisation: Organisation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turn, "AHEAD_SECONDS", 0.0)
    names = [f"s{number}" for number in range(10)]
    nodes = [step(name, pure=True) for name in names]
    run = engine.wait_for(start(organisation, make_definition(nodes, [f"{a} -> {b}" for a, b in pairwise(names)])))
    assert len(commits_of(run)) > 1


def test_a_database_that_is_away_when_it_is_asked_costs_nothing(engine: EngineHost, organisation: Organisation) -> None:
    run = engine.wait_for(start(organisation, make_definition([step("a", odd="database away")])))
    assert event_types(run) == ["RunStarted", "NodeStarted a", "NodeSucceeded a", "RunCompleted"]


def test_at_most_once_is_never_early(engine: EngineHost, organisation: Organisation) -> None:
    once = {**step("a", pure=True), "delivery": "at_most_once"}
    with stalled_commits():
        run = start(organisation, make_definition([once]))
        wait_until(lambda: Run.objects.get(pk=run.pk).host_id, 10, "a host to take it")
        wait_until(lambda: _commits_wait(), 10, "its commit to be under way")
        assert not STARTED
    engine.wait_for(run)


def test_a_signal_is_taken_in_once_although_its_commit_takes_long(
    engine: EngineHost, organisation: Organisation
) -> None:
    run = start(organisation, make_definition([step("a", seconds=3600)]))
    engine.wait_for_node(run, "a", "running")
    with stalled_commits():
        runs.pause_run(run=run, actor=Actor.command())
        wait_until(lambda: _commits_wait(), 10, "the commit of the pause to be under way")
        runs.resume_run(run=_as_paused(run), actor=Actor.command())
        for _ in range(5):
            engine.call(lambda host: host._hands.poke_all())
    engine.wait_for(run, "running")
    wait_until(lambda: "RunResumed" in event_types(run), 10, "the run to be resumed")
    assert event_types(run) == ["RunStarted", "NodeStarted a", "RunPaused", "RunResumed"]
    runs.cancel_run(run=run, actor=Actor.command())
    engine.wait_for(run, "cancelled")


def _commits_wait() -> bool:
    with raw_connection() as other:
        row = other.execute(
            "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'orchestration_runevent'::regclass"
        ).fetchone()
    return bool(row and row[0])


def _as_paused(run: Run) -> Run:
    """What its page would show a moment later."""
    Run.objects.filter(pk=run.pk).update(status="paused")
    return run
