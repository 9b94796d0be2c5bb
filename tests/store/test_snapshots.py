"""A long run is taken over from its snapshot, which is one of a true prefix and of the very same code, or not used."""

from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from asgiref.sync import sync_to_async

from orchestration.engine.apply import apply_all, begin
from orchestration.engine.events import NodeResumed, NodeStarted, NodeSucceeded, NodeWaiting, RunStarted
from orchestration.models import RunSnapshot
from orchestration.store import Lease, snapshots, statements
from tests.engine_host import make_definition, start, wait_until
from tests.factories import make_organisation
from tests.store.desk import StoreHost, a_host, a_run, checkpoint

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def everything_is_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshots, "LONG", 2)
    monkeypatch.setattr(snapshots, "EVERY", 2)


@sync_to_async
def snapshot_of(run_id: UUID) -> RunSnapshot | None:
    return RunSnapshot.objects.filter(run=run_id).first()


async def taken(host: StoreHost, lease: Lease, state: Any) -> None:
    await snapshots.Snapshots(lease, state.graph).after_commit(state, gone=False)
    snapshots._thread.submit(lambda: None).result(60)  # behind the encoding and the writing


async def state_of(host: StoreHost, lease: Lease) -> Any:
    graph = await host.desk._graph(lease.definition)
    events = [
        RunStarted(at=lease.at, inputs={"n": 1}),
        NodeStarted(at=lease.at, node="a", attempt=1),
        NodeWaiting(at=lease.at, node="a", reason="approval"),
    ]
    await host.writer.write(checkpoint(lease, *events))
    return apply_all(begin(graph, str(lease.run_id)), events)


async def claim_again(host: StoreHost) -> Lease:
    await host.desk.give_back()
    return await host.claim_one()


async def test_a_takeover_goes_on_from_the_snapshot(monkeypatch: pytest.MonkeyPatch) -> None:
    await a_run()
    async with a_host() as host:
        lease = await host.claim_one()
        state = await state_of(host, lease)
        await taken(host, lease, state)
        again = await claim_again(host)
        asked: list[Any] = []
        fetch = host.desk._fetch

        async def watched(statement: str, arguments: Any = None) -> list[Any]:
            asked.append((statement, arguments))
            return await fetch(statement, arguments)

        monkeypatch.setattr(host.desk, "_fetch", watched)
        loaded = await host.desk.load(again)
    assert loaded.state == state
    assert statements.EVENTS not in [statement for statement, _ in asked], "nothing was left to fold"


async def test_events_after_the_snapshot_are_folded_onto_it() -> None:
    await a_run()
    async with a_host() as host:
        lease = await host.claim_one()
        state = await state_of(host, lease)
        await taken(host, lease, state)
        more = [NodeResumed(at=lease.at, node="a"), NodeSucceeded(at=lease.at, node="a", outputs={"x": 1})]
        await host.writer.write(checkpoint(lease, *more, before=3))
        loaded = await host.desk.load(await claim_again(host))
        assert loaded.state == apply_all(state, more) and loaded.state.seq == 5


async def test_one_of_other_code_or_of_another_definition_is_ignored() -> None:
    await a_run()
    async with a_host() as host:
        lease = await host.claim_one()
        state = await state_of(host, lease)
        for column in ("shape", "definition"):
            await taken(host, lease, state)
            await RunSnapshot.objects.filter(run=lease.run_id).aupdate(body=b"another's", **{column: "of another"})
            lease = await claim_again(host)
            assert (await host.desk.load(lease)).state == state


async def test_one_that_cannot_be_read_costs_nothing_but_time() -> None:
    await a_run()
    async with a_host() as host:
        lease = await host.claim_one()
        state = await state_of(host, lease)
        await taken(host, lease, state)
        await RunSnapshot.objects.filter(run=lease.run_id).aupdate(body=b"torn")
        assert (await host.desk.load(await claim_again(host))).state == state


async def test_a_zombie_writes_none() -> None:
    await a_run()
    async with a_host() as zombie, a_host() as heir:
        lease = await zombie.claim_one()
        state = await state_of(zombie, lease)
        await zombie.desk.give_back()
        await heir.claim_one()
        await taken(zombie, lease, state)
    assert await snapshot_of(lease.run_id) is None


async def test_a_state_beyond_what_is_written_is_refused() -> None:
    await a_run()
    async with a_host() as host:
        lease = await host.claim_one()
        state = await state_of(host, lease)
        state.seq += 1
        await taken(host, lease, state)
    assert await snapshot_of(lease.run_id) is None


async def test_a_run_of_the_engine_leaves_one_when_it_is_let_go(engine: Any) -> None:
    definition = await sync_to_async(make_definition)(
        [{"id": "wait", "type": "delay", "settings": {"seconds": 60}}, {"id": "end", "type": "set", "settings": {}}],
        ["wait -> end"],
    )
    run = await sync_to_async(lambda: start(make_organisation(), definition))()
    await sync_to_async(wait_until)(lambda: RunSnapshot.objects.filter(run=run).exists(), 10, "its snapshot")
    found = await RunSnapshot.objects.aget(run=run)
    assert found.seq == 3 and found.shape == snapshots.shape() and found.definition == definition.digest


def test_a_change_anywhere_in_the_engine_is_another_code(tmp_path: Path) -> None:
    (tmp_path / "apply.py").write_text("a = 1")
    (tmp_path / "changes").mkdir()
    inner = tmp_path / "changes" / "nodes.py"
    seen = {snapshots.code_below(tmp_path)}
    for text in ("b = 1", "b = 2"):
        inner.write_text(text)
        seen.add(snapshots.code_below(tmp_path))
    inner.rename(tmp_path / "changes" / "loops.py")
    assert len(seen | {snapshots.code_below(tmp_path)}) == 4
