"""While an update rolls over the hosts: what an older one does not know it leaves to a newer one, without harm."""

from typing import Any

import pytest

from orchestration.host import Plan
from orchestration.models import Run, RunEvent, RunSignal
from orchestration.monitoring import queries
from orchestration.store import Desk, vocabulary
from portal.core.models import Organisation
from tests.driver.scripted import CALLS, OPEN
from tests.engine_host import EngineHost, make_definition, raw_connection, start, wait_until

pytestmark = pytest.mark.django_db(transaction=True)


def waiting_run(engine: EngineHost, organisation: Organisation) -> Run:
    definition = make_definition(
        [{"id": "a", "type": "scripted", "settings": {"waits": True}}, {"id": "b", "type": "scripted"}], ["a -> b"]
    )
    return engine.wait_for(start(organisation, definition), "waiting")


def write_as_newer(run: Run, type: str, data: dict[str, Any] | None = None) -> None:
    """An event as a host of a newer version would have recorded it."""
    RunEvent.objects.create(run=run, seq=run.last_seq + 1, at=run.started_at, type=type, data=data or {})
    Run.objects.filter(pk=run.pk).update(last_seq=run.last_seq + 1)


def make_due(run: Run) -> None:
    with raw_connection() as connection:
        connection.execute("UPDATE orchestration_run SET due_at = clock_timestamp() WHERE id = %s", [run.pk])
        connection.execute("SELECT pg_notify('ensemble_runs', %s)", [str(run.pk)])


def left(run: Run) -> bool:
    run.refresh_from_db()
    return run.too_new is not None


@pytest.mark.parametrize(
    ("type", "data", "what"),
    [
        ("RunTeleported", {}, "events of the type RunTeleported"),
        ("RunPaused", {"politely": True}, "the field politely of RunPaused"),
    ],
)
def test_an_event_of_a_newer_version_is_left_to_a_newer_host(
    engine: EngineHost, organisation: Organisation, type: str, data: dict[str, Any], what: str
) -> None:
    run = waiting_run(engine, organisation)
    write_as_newer(run, type, data)
    make_due(run)
    wait_until(lambda: left(run), 10, "the host to leave it")
    assert run.too_new == {"versions": [vocabulary.version()], "what": what, "at": run.too_new["at"]}
    assert (run.claims, run.incident, run.host_id) == (0, None, None), "nobody has failed"
    reason = queries.reasons(run)[0]
    assert what in reason.text and "newer version" in reason.text
    token = run.lease_token
    make_due(run)
    other = engine.wait_for(start(organisation, make_definition([{"id": "x", "type": "scripted"}])))
    run.refresh_from_db()
    assert other.status == "completed" and run.lease_token == token, "it is passed over from now on"


def test_a_newer_host_goes_on_with_it(
    start_engine: Any, organisation: Organisation, monkeypatch: pytest.MonkeyPatch
) -> None:
    older = start_engine(Plan(drain_seconds=1.0))
    run = waiting_run(older, organisation)
    write_as_newer(run, "RunTeleported")
    make_due(run)
    wait_until(lambda: left(run), 10, "the host to leave it")
    older.stop()
    RunEvent.objects.filter(run=run, type="RunTeleported").update(type="RunPaused")  # as if it knew what that means
    monkeypatch.setattr(vocabulary, "version", lambda: "newer")
    start_engine().wait_for(run, "paused")


def test_a_signal_of_a_newer_version_lets_what_is_at_work_end(
    engine: EngineHost, organisation: Organisation, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, plain = list[Any](), Desk.signals

    async def signals(self: Desk, lease: Any) -> Any:
        found = await plain(self, lease)
        read.append(found)
        return found

    monkeypatch.setattr(Desk, "signals", signals)
    nodes = [
        {"id": "a", "type": "scripted", "settings": {"gate": "a"}, "delivery": "at_most_once"},
        {"id": "b", "type": "scripted"},
    ]
    run = start(organisation, make_definition(nodes, ["a -> b"]))
    engine.wait_for_node(run, "a", "running")
    RunSignal.objects.create(run=run, kind="teleport")
    with raw_connection() as connection:
        connection.execute("UPDATE orchestration_run SET signals_posted = signals_posted + 1 WHERE id = %s", [run.pk])
        connection.execute("SELECT pg_notify('ensemble_runs', %s)", [str(run.pk)])
    wait_until(lambda: any(found.too_new for found in read), 10, "the host to read it")
    OPEN.add("a")
    wait_until(lambda: left(run), 10, "the host to leave it")
    engine.wait_for_node(run, "a", "succeeded")
    assert run.too_new["what"] == "a signal of the kind teleport" and run.claims == 0
    assert CALLS[f"{run.pk}/a"] == 1 and not CALLS[f"{run.pk}/b"]
