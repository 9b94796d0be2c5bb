"""A holder that has lost its run writes nothing; a commit whose answer got lost is not written twice."""

import asyncio
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from asgiref.sync import sync_to_async

from orchestration.models import Effect, NodeRun, Run, RunEvent
from orchestration.store import Lease, LeaseLost, LetGo
from orchestration.store.effects import EffectBegun, Entry
from orchestration.store.registry import bury, free_expired
from tests.engine_host import raw_connection
from tests.store.desk import a_host, a_run, begun, checkpoint, fresh, succeeded

pytestmark = pytest.mark.django_db(transaction=True)


@sync_to_async
def events_of(run: Run) -> list[tuple[int, str]]:
    return list(RunEvent.objects.filter(run=run).order_by("seq").values_list("seq", "type"))


@sync_to_async
def sql(statement: str, *arguments: Any) -> None:
    with raw_connection() as connection:
        connection.execute(statement, arguments)


async def test_an_older_holder_writes_nothing() -> None:
    run = await a_run()
    async with a_host() as zombie, a_host() as heir:
        old = await zombie.claim_one()
        await zombie.writer.write(begun(old))
        await sql("UPDATE orchestration_run SET lease_expires_at = now() - interval '1 second'")
        assert await free_expired(heir.desk) == [run.pk]
        new = await heir.claim_one()
        assert new.token == old.token + 1 and new.last_seq == 2
        with pytest.raises(LeaseLost):
            await zombie.writer.write(succeeded(old, outputs={"by": "zombie"}))
        await heir.writer.write(succeeded(new, outputs={"by": "heir"}))
        with pytest.raises(LeaseLost):
            await zombie.writer.write(checkpoint(old, before=3, let_go=LetGo(due_at=None, seen=0)))
    assert await events_of(run) == [(1, "RunStarted"), (2, "NodeStarted"), (3, "NodeSucceeded")]
    assert (await NodeRun.objects.aget(run=run)).outputs == {"by": "heir"}


async def test_an_older_holder_may_make_no_call() -> None:
    def call(lease: Lease) -> Entry:
        said = {"node": "a", "path": "", "attempt": 1, "kind": "http", "target": "POST", "request": {}}
        return Entry(lease=lease, begun=EffectBegun(serial=1, number=1, idempotency_key="a", **said))

    run = await a_run()
    async with a_host() as zombie, a_host() as heir:
        old = await zombie.claim_one()
        await sql("UPDATE orchestration_run SET lease_expires_at = now() - interval '1 second'")
        await free_expired(heir.desk)
        with pytest.raises(LeaseLost):
            await zombie.writer.record(call(old))  # nobody has it
        new = await heir.claim_one()
        with pytest.raises(LeaseLost):
            await zombie.writer.record(call(old))
        assert not await Effect.objects.filter(run=run).aexists()
        await heir.writer.record(call(new))
    assert (await Effect.objects.aget(run=run)).lease_token == new.token


async def test_the_same_host_is_fenced_from_its_own_older_lease() -> None:
    await a_run()
    async with a_host() as host:
        old = await host.claim_one()
        await sql("UPDATE orchestration_run SET host_id = NULL, lease_expires_at = NULL")
        await host.claim_one()
        with pytest.raises(LeaseLost):
            await host.writer.write(begun(old))


async def test_a_commit_whose_answer_was_lost_is_recognised() -> None:
    run = await a_run()
    async with a_host() as host:
        lease = await host.claim_one()
        await host.writer.write(begun(lease))
        written = await host.writer.write(begun(lease))
        assert not written.gone
        gone = await host.writer.write(succeeded(lease, let_go=LetGo(due_at=None, seen=0)))
        again = await host.writer.write(succeeded(lease, let_go=LetGo(due_at=None, seen=0)))
        assert gone.gone and again.gone
    assert [seq for seq, _ in await events_of(run)] == [1, 2, 3]


async def test_the_writer_survives_the_end_of_its_connection() -> None:
    run = await a_run()
    async with a_host() as host:
        lease = await host.claim_one()
        await host.writer.write(begun(lease))
        await sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'ensemble engine writer'"
        )
        await host.writer.write(succeeded(lease))
    assert len(await events_of(run)) == 3


async def test_one_bad_checkpoint_does_not_spoil_the_batch() -> None:
    good, bad = await a_run(), await a_run()
    async with a_host() as host:
        leases = {lease.run_id: lease for lease in await host.desk.claim(5)}
        row = {"status": "running" * 10}  # longer than its column
        answers = await asyncio.gather(
            host.writer.write(begun(leases[good.pk])),
            host.writer.write(checkpoint(leases[bad.pk], *begun(leases[bad.pk]).events, run=row)),
            return_exceptions=True,
        )
    assert isinstance(answers[1], psycopg.errors.StringDataRightTruncation)
    assert len(await events_of(good)) == 2 and await events_of(bad) == []


async def test_a_row_that_somebody_holds_makes_only_its_own_run_wait() -> None:
    held, free = await a_run(), await a_run()
    async with a_host() as host:
        leases = {lease.run_id: lease for lease in await host.desk.claim(5)}
        with await sync_to_async(raw_connection)() as blocker:
            blocker.execute("BEGIN")
            blocker.execute("SELECT 1 FROM orchestration_run WHERE id = %s FOR UPDATE", [held.pk])
            waiting = host.writer.hand_in(begun(leases[held.pk]))
            behind = host.writer.hand_in(succeeded(leases[held.pk]))
            async with asyncio.timeout(30):  # for ever, if they waited: the row is freed below
                await host.writer.write(begun(leases[free.pk]))
                await host.writer.write(succeeded(leases[free.pk]))
            assert not waiting.done() and not behind.done()
            blocker.execute("ROLLBACK")
            await waiting
            await behind
    assert [seq for seq, _ in await events_of(held)] == [1, 2, 3], "in their order"


async def test_a_row_that_somebody_holds_costs_no_other_run_its_lease() -> None:
    held, free = await a_run(), await a_run()
    async with a_host() as host:
        await host.desk.claim(5)
        await sql("UPDATE orchestration_run SET lease_expires_at = clock_timestamp() + interval '1 second'")
        with await sync_to_async(raw_connection)() as blocker:
            blocker.execute("BEGIN")
            blocker.execute("SELECT 1 FROM orchestration_run WHERE id = %s FOR UPDATE", [held.pk])
            before = (await fresh(held)).lease_expires_at
            host.writer.beat([held.pk, free.pk])
            host.writer.close()
            assert before is not None
            assert (await fresh(free)).lease_expires_at > before + timedelta(seconds=20)
            assert (await fresh(held)).lease_expires_at == before
            blocker.execute("ROLLBACK")


async def test_many_checkpoints_share_a_commit() -> None:
    runs = [await a_run() for _ in range(20)]
    async with a_host() as host:
        leases = await host.desk.claim(25)
        assert len(leases) == len(runs)
        with await sync_to_async(raw_connection)() as blocker:
            blocker.execute("BEGIN")
            blocker.execute("LOCK TABLE orchestration_runevent IN SHARE MODE")
            answers = [host.writer.hand_in(begun(lease)) for lease in leases]
            blocker.execute("ROLLBACK")
            await asyncio.gather(*answers)
        assert host.writer.checkpoints == 20
        assert host.writer.commits <= 2, "the first, and what has come while it was under way"


async def test_a_dead_host_is_buried_at_once_and_a_living_one_never() -> None:
    run = await a_run()
    async with a_host() as heir:
        async with a_host() as other:
            await other.claim_one()
            assert await bury(heir.desk, other.host_id) is None
            assert (await fresh(run)).host_id == other.host_id
        # its connections are closed: as after kill -9
        async with asyncio.timeout(60):
            while not (freed := await bury(heir.desk, other.host_id)):  # noqa: ASYNC110 - PostgreSQL tells nobody
                await asyncio.sleep(0.02)
        assert freed == [run.pk]
        again = await heir.claim_one()
        assert again.token == 2 and again.claims == 2, "it may be what killed the host"


async def test_a_row_that_somebody_holds_keeps_no_other_run_of_a_dead_host() -> None:
    held, free = await a_run(), await a_run()
    async with a_host() as heir:
        async with a_host() as other:
            assert len(await other.desk.claim(2)) == 2
        with await sync_to_async(raw_connection)() as blocker:
            blocker.execute("BEGIN")
            blocker.execute("SELECT 1 FROM orchestration_run WHERE id = %s FOR UPDATE", [held.pk])
            while (freed := await asyncio.wait_for(bury(heir.desk, other.host_id), 60)) is None:
                pass  # PostgreSQL has not noticed yet that it is gone
            assert freed == [free.pk] and await free_expired(heir.desk) == []
            blocker.execute("ROLLBACK")
        assert await free_expired(heir.desk) == [held.pk], "without waiting for its lease to run out"


async def test_a_death_in_company_is_not_blamed_on_a_run() -> None:
    await a_run()
    async with a_host() as heir:
        async with a_host() as other:
            await other.claim_one()
        while await bury(heir.desk, other.host_id, in_company=True) is None:
            pass
        assert (await heir.claim_one()).claims == 1
