"""Who gets a run, who never does, and how it is given up."""

import asyncio
from datetime import timedelta

import pytest
from asgiref.sync import sync_to_async

from orchestration.engine.events import NodeWaiting
from orchestration.engine.signals import SignalKind
from orchestration.models import OrganisationLimits, Run
from orchestration.services import runs
from orchestration.store import LetGo, claims
from portal.core.actors import Actor
from tests.store.desk import a_host, a_run, begun, checkpoint, fresh, succeeded

pytestmark = pytest.mark.django_db(transaction=True)

post = sync_to_async(runs.post_signal)


async def test_two_hosts_never_get_the_same_run() -> None:
    started = {(await a_run()).pk for _ in range(30)}
    async with a_host() as one, a_host() as two:
        taken = await asyncio.gather(*(host.desk.claim(4) for _ in range(6) for host in (one, two)))
    claimed = [lease.run_id for leases in taken for lease in leases]
    assert len(claimed) == 30 and set(claimed) == started


async def test_what_another_host_takes_while_one_looks_is_not_taken_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """The slower of the two has seen the run as free, and waits before it takes it."""
    from tests.engine_host import raw_connection

    looked = "SELECT id FROM candidate WHERE"
    waits = "SELECT 1 FROM pg_locks WHERE objid = 4711 AND NOT granted"
    held_up = "SELECT id FROM candidate CROSS JOIN (SELECT pg_advisory_xact_lock_shared(4711)) AS held_up WHERE"
    assert claims.CLAIM.count(looked) == 1
    await a_run()
    async with a_host() as slow, a_host() as quick:
        for host in (slow, quick):
            await host.desk.read_limits()
        with await sync_to_async(raw_connection)() as other:
            other.execute("SELECT pg_advisory_lock(4711)")
            with monkeypatch.context() as patched:
                patched.setattr(claims, "CLAIM", claims.CLAIM.replace(looked, held_up))
                slowly = asyncio.create_task(slow.desk.claim(1))
                async with asyncio.timeout(30):
                    while not other.execute(waits).fetchone():  # noqa: ASYNC110  nothing rings for that
                        await asyncio.sleep(0.01)
            lease = await quick.claim_one()
            other.execute("SELECT pg_advisory_unlock(4711)")
            assert await slowly == []
    assert (await Run.objects.aget()).lease_token == lease.token


async def test_the_urgent_comes_first_then_the_older() -> None:
    late, early, urgent = await a_run(), await a_run(), await a_run(priority=9)
    await Run.objects.filter(pk=early.pk).aupdate(due_at=early.due_at - timedelta(seconds=5))
    async with a_host() as host:
        order = [(await host.claim_one()).run_id for _ in range(3)]
    assert order == [urgent.pk, early.pk, late.pk]


async def test_what_is_not_due_is_not_taken() -> None:
    run = await a_run()
    await Run.objects.filter(pk=run.pk).aupdate(due_at=run.due_at + timedelta(hours=1))
    async with a_host() as host:
        assert await host.desk.claim(5) == []
        seconds = await host.desk.seconds_to_next()
    assert seconds and 3500 < seconds < 3600


async def test_letting_go_does_not_miss_a_signal() -> None:
    """The signal is posted after the driver has looked and before it lets go."""
    run = await a_run()
    async with a_host() as host:
        lease = await host.claim_one()
        await host.writer.write(begun(lease))
        await post(run_id=run.pk, kind=SignalKind.CANCEL)
        wait = NodeWaiting(at=lease.at, node="a", reason="approval")
        written = await host.writer.write(checkpoint(lease, wait, before=2, let_go=LetGo(due_at=None, seen=0)))
        assert not written.gone and written.signals_posted == 1
        signals = await host.desk.signals(lease)
        assert signals.seen == 1 and [signal.kind for signal in signals.open] == [SignalKind.CANCEL]
        written = await host.writer.write(
            checkpoint(lease, before=3, signals=[signals.open[0].id], let_go=LetGo(due_at=None, seen=1))
        )
        assert written.gone
        assert (await host.desk.signals(lease)).open == ()
    let_go = await fresh(run)
    assert (let_go.host_id, let_go.due_at, let_go.lease_expires_at) == (None, None, None)


async def test_letting_go_waits_for_a_signal_that_is_being_posted() -> None:
    """The poster has locked the row and counted, and has not committed yet: letting go must see the count."""
    from tests.engine_host import raw_connection

    run = await a_run()
    async with a_host() as host:
        lease = await host.claim_one()
        with await sync_to_async(raw_connection)() as poster:
            poster.execute("BEGIN")
            poster.execute(
                "UPDATE orchestration_run SET signals_posted = signals_posted + 1, due_at = now() WHERE id = %s",
                [run.pk],
            )
            letting_go = host.writer.hand_in(checkpoint(lease, let_go=LetGo(due_at=None, seen=0)))
            done, _ = await asyncio.wait([letting_go], timeout=0.3)
            assert not done
            poster.execute("COMMIT")
            assert not (await letting_go).gone


async def test_a_signal_after_letting_go_makes_the_run_due() -> None:
    run = await a_run()
    async with a_host() as host:
        lease = await host.claim_one()
        await host.writer.write(checkpoint(lease, let_go=LetGo(due_at=None, seen=0)))
        assert await host.desk.claim(1) == []
        await post(run_id=run.pk, kind=SignalKind.CANCEL)
        assert (await host.claim_one()).signals_posted == 1


async def test_a_run_that_kills_its_hosts_is_quarantined_after_three_in_company_and_three_alone() -> None:
    run = await a_run()
    async with a_host() as host:
        for claims in (1, 2, 3):
            assert (await host.claim_one()).claims == claims
            await Run.objects.filter(pk=run.pk).aupdate(host=None)  # the host has died
        for claims in (4, 5, 6):
            assert await host.desk.quarantine() == []
            assert await host.desk.claim(5) == [], "a suspect is not taken with the others"
            (suspect,) = await host.desk.claim(1, suspect=True)
            assert suspect.claims == claims
            await Run.objects.filter(pk=run.pk).aupdate(host=None)
        assert [found for found, _ in await host.desk.quarantine()] == [run.pk]
        assert await host.desk.claim(5, suspect=True) == []
        quarantined = await fresh(run)
        assert quarantined.incident["code"] == "host_killer" and quarantined.due_at is None
        assert "6 times" in quarantined.incident["message"]
        # an answer that comes meanwhile does not let it loose
        await post(run_id=run.pk, kind=SignalKind.NODE, node="a")
        assert await host.desk.claim(5) == await host.desk.claim(5, suspect=True) == []
        await sync_to_async(runs.retry_run)(run=run, actor=Actor.command(), reason="mended")
        assert (await host.claim_one()).claims == 1


async def test_the_least_suspected_is_taken_first() -> None:
    often, once = await a_run(priority=9), await a_run()
    await Run.objects.filter(pk=often.pk).aupdate(claims=5)
    await Run.objects.filter(pk=once.pk).aupdate(claims=3)
    async with a_host() as host:
        assert [(await host.desk.claim(1, suspect=True))[0].run_id for _ in range(2)] == [once.pk, often.pk]


async def test_a_claim_that_lasted_was_not_in_vain() -> None:
    run = await a_run()
    async with a_host() as host:
        lease = await host.claim_one()
        host.writer.beat([run.pk])
        await host.writer.write(begun(lease))
        assert (await fresh(run)).claims == 1
        await Run.objects.filter(pk=run.pk).aupdate(lease_expires_at=lease.at + timedelta(seconds=15))
        host.writer.beat([run.pk])
        while (held := await fresh(run)).claims:  # a query each, so others get their turn
            pass
    assert held.lease_expires_at > lease.at + timedelta(seconds=25)


async def test_progress_clears_the_suspicion_and_a_beginning_does_not() -> None:
    run = await a_run()
    async with a_host() as host:
        lease = await host.claim_one()
        await host.writer.write(begun(lease))
        assert (await fresh(run)).claims == 1
        await host.writer.write(succeeded(lease))
        assert (await fresh(run)).claims == 0


async def test_a_run_that_the_driver_fails_at_is_tried_later_and_in_the_end_set_aside() -> None:
    run = await a_run()
    error, due_at = {"code": "engine_bug", "message": "no"}, run.due_at
    async with a_host() as host:
        for claims in range(1, 7):
            (lease,) = await host.desk.claim(1, suspect=claims > 3)
            assert await host.desk.set_aside(lease, error) is (claims == 6)
            seen = await fresh(run)
            assert seen.host_id is None
            await Run.objects.filter(pk=run.pk, due_at__isnull=False).aupdate(due_at=due_at)
    assert seen.incident == error and seen.due_at is None


async def test_what_is_given_back_in_order_counts_as_no_claim() -> None:
    run = await a_run()
    async with a_host() as host:
        await host.claim_one()
        assert await host.desk.give_back() == [run.pk]
        assert (await host.claim_one()).claims == 1


# -- turns and shares -------------------------------------------------------------------------------------------------


async def test_whoever_waits_long_enough_overtakes_a_higher_priority() -> None:
    """A step of priority is worth half a minute: 10 against 1 is four and a half."""
    low, high = await a_run(priority=1), await a_run(priority=10)
    organisation = (await fresh(low)).organisation_id
    await Run.objects.filter(pk=high.pk).aupdate(organisation_id=organisation)
    async with a_host() as host:
        for waited, first in ((260, high), (280, low)):
            await Run.objects.filter(pk=low.pk).aupdate(due_at=high.due_at - timedelta(seconds=waited))
            assert (await host.claim_one()).run_id == first.pk
            await host.desk.give_back()


async def test_thousands_of_due_runs_delay_another_organisations_by_one() -> None:
    mass = await a_run(priority=10)
    await clone(mass, 2000)
    small = await a_run(priority=1)
    async with a_host() as host:
        taken = [(await host.claim_one()).run_id for _ in range(2)]
    assert small.pk in taken


async def test_who_has_more_in_hand_waits_longer_for_more() -> None:
    busy, idle = await a_run(), await a_run()
    await clone(busy, 30)
    async with a_host() as host:
        await host.desk.claim(1)
        first = {lease.organisation_id for lease in await host.desk.claim(1)}
        assert first == {(await fresh(idle)).organisation_id}
        await clone(idle, 30)
        more = [lease.organisation_id for lease in await host.desk.claim(20)]
    assert more.count(busy.organisation_id) == more.count(idle.organisation_id) == 10


async def test_runs_in_hand_of_an_organisation_stay_within_its_limit() -> None:
    run, free = await a_run(), await a_run()
    await clone(run, 40)
    await OrganisationLimits.objects.acreate(organisation_id=run.organisation_id, runs_in_hand=7)
    async with a_host() as one, a_host() as two:
        await asyncio.gather(*(host.desk.claim(5) for _ in range(6) for host in (one, two)))
        assert await Run.objects.filter(organisation_id=run.organisation_id, host__isnull=False).acount() == 7
        assert (await fresh(free)).host_id, "others are not kept waiting"
        await one.desk.give_back()
        assert await two.desk.claim(25)
        assert await Run.objects.filter(organisation_id=run.organisation_id, host__isnull=False).acount() == 7


async def test_a_claim_reads_no_more_than_it_needs() -> None:
    mass = await a_run()
    await clone(mass, 3000)
    async with a_host() as host:
        await host.desk.read_limits()
        statement = claims.CLAIM % {"host": host.host_id, "limit": 25, "lease": 30, "version": "'1'"}
        plan = "\n".join(line for (line,) in await host.desk.execute(f"EXPLAIN {statement}"))
    assert "run_turn" in plan and "Seq Scan on orchestration_run" not in plan, plan


@sync_to_async
def clone(run: Run, count: int) -> None:
    fields = {name: getattr(run, name) for name in ("organisation_id", "definition_id", "name", "priority", "inputs")}
    Run.objects.bulk_create([Run(**fields, due_at=run.due_at) for _ in range(count)])
