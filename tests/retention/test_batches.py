"""What policies do: to the right runs, in batches that may be killed, and to nobody else's."""

from __future__ import annotations

from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import transaction

from approvals.models import ApprovalRequest, Decision
from orchestration import tasks
from orchestration.models import LegalHold, NodeRun, Run, RunArchive, RunEvent, StoredValue, Workflow
from orchestration.monitoring.control import reused_nodes
from orchestration.retention import batches, packing, passes
from orchestration.retention.batches import Place
from orchestration.retention.choosing import Act
from orchestration.services import holds, runs, values
from portal.core.actors import Actor
from portal.core.models import AuditEntry, Organisation
from tests.engine_host import raw_connection
from tests.factories import make_organisation
from tests.retention.factories import age, ended, rule
from tests.workflows.factories import workflow

pytestmark = pytest.mark.django_db(transaction=True)


def all_of(act: Any, organisation: Organisation) -> int:
    """Batches until nothing is left."""
    after: Place | None = batches.BEGINNING
    done = 0
    while after is not None:
        batch = act(organisation, after)
        done, after = done + batch.runs, batch.after
    return done


def archived() -> set[Any]:
    return set(Run.objects.exclude(archived_at=None).values_list("pk", flat=True))


def left() -> set[Any]:
    return set(Run.objects.values_list("pk", flat=True))


def test_without_a_policy_everything_is_kept(organisation: Organisation) -> None:
    ended(organisation, days=5_000)
    assert list(passes.carry_out()) == [] and not archived() and len(left()) == 1


def test_the_rule_that_names_most_of_a_run_counts(organisation: Organisation) -> None:
    of_rfp, of_other = workflow(organisation, slug="rfp"), workflow(organisation, slug="other")
    rule(organisation, archive=10)
    rule(organisation, status="failed", archive=100)
    rule(organisation, workflow=of_rfp, archive=50)
    rule(organisation, workflow=of_rfp, status="failed")  # for ever
    expected = {
        ended(organisation, days=11).pk: True,
        ended(organisation, days=9).pk: False,
        ended(organisation, days=11, workflow=of_other).pk: True,
        ended(organisation, days=99, workflow=of_other, status="failed").pk: False,
        ended(organisation, days=101, status="failed").pk: True,
        ended(organisation, days=49, workflow=of_rfp).pk: False,
        ended(organisation, days=51, workflow=of_rfp, status="cancelled").pk: True,
        ended(organisation, days=900, workflow=of_rfp, status="failed").pk: False,
    }
    assert all_of(batches.archive, organisation) == 4
    assert archived() == {run for run, wanted in expected.items() if wanted}


def test_runs_that_have_not_ended_and_their_trees_are_left_alone(organisation: Organisation) -> None:
    rule(organisation, archive=5, delete=20)
    root = ended(organisation, days=30)
    child = ended(organisation, days=30, parent=root, parent_node="sub", depth=1)
    grandchild = ended(organisation, days=30, parent=child, parent_node="sub", depth=2, status="running")
    due = ended(organisation, days=30, status="failed")
    Run.objects.filter(pk=due.pk).update(due_at=due.created_at)  # somebody has just asked to retry it
    assert all_of(batches.archive, organisation) == all_of(batches.delete, organisation) == 0
    Run.objects.filter(pk=grandchild.pk).update(status="completed")
    assert all_of(batches.delete, organisation) == 3
    assert left() == {due.pk}


def test_another_organisation_is_not_touched(organisation: Organisation) -> None:
    other = make_organisation()
    theirs, ours = ended(other, days=100), ended(organisation, days=100)
    rule(organisation, archive=5, delete=50)
    rule(other, archive=200)
    assert {(done.organisation, done.act, done.runs) for done in passes.carry_out()} == {(organisation, Act.DELETE, 1)}
    assert left() == {theirs.pk} and not archived() and ours.pk not in left()
    assert NodeRun.objects.count() == 1


def test_a_batch_that_is_killed_leaves_what_it_had_done_and_the_next_goes_on(
    organisation: Organisation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "ROOTS", 2)
    rule(organisation, archive=5)
    kept = [ended(organisation, days=10) for _ in range(7)]
    pack, calls = packing.pack, []

    def killed(run_ids: Any) -> Any:
        calls.append(run_ids)
        packed = pack(run_ids)
        if len(calls) == 3:
            raise KeyboardInterrupt  # after its rows were read, before its commit
        return packed

    monkeypatch.setattr(packing, "pack", killed)
    with pytest.raises(KeyboardInterrupt):
        list(passes.carry_out())
    assert len(archived()) == 4 and RunEvent.objects.count() == 2 * 3
    assert [done.runs for done in passes.carry_out()] == [3]
    assert archived() == {run.pk for run in kept} and RunArchive.objects.count() == 7
    assert not RunEvent.objects.exists() and not NodeRun.objects.exists()


def test_a_deletion_that_is_killed_deletes_nothing_and_says_nothing(
    organisation: Organisation, monkeypatch: pytest.MonkeyPatch
) -> None:
    rule(organisation, delete=5)
    ended(organisation, days=10)
    monkeypatch.setattr(batches.audit, "record", lambda **_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        batches.delete(organisation)
    monkeypatch.undo()
    assert len(left()) == 1 and not AuditEntry.objects.filter(verb="orchestration.runs.deleted").exists()
    assert batches.delete(organisation).runs == 1


def test_a_tree_larger_than_a_batch_is_archived_from_below_over_several(
    organisation: Organisation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "EVENTS", 4)
    rule(organisation, archive=5)
    root = ended(organisation, days=10)
    below = [ended(organisation, days=10, parent=root, parent_node="sub") for _ in range(4)]
    first = batches.archive(organisation)
    assert first.runs == 2 and archived() < {run.pk for run in below}
    assert all_of(batches.archive, organisation) == 3
    assert len(archived()) == 5


def test_two_at_once_do_nothing_twice(organisation: Organisation) -> None:
    rule(organisation, archive=5, delete=100)
    ours, theirs = ended(organisation, days=10), ended(organisation, days=10)
    with raw_connection() as other, other.transaction():
        other.execute("SELECT 1 FROM orchestration_run WHERE id = %s FOR UPDATE", [theirs.pk])
        assert all_of(batches.archive, organisation) == 1  # it does not wait
        assert archived() == {ours.pk}
    assert all_of(batches.archive, organisation) == 1


def test_held_runs_are_kept_until_the_hold_is_lifted(organisation: Organisation) -> None:
    rule(organisation, archive=5, delete=50)
    of_rfp = workflow(organisation, slug="rfp")
    alone, of_workflow = ended(organisation, days=100), ended(organisation, days=100, workflow=of_rfp)
    root = ended(organisation, days=100)
    child = ended(organisation, days=100, parent=root, parent_node="sub")
    free = ended(organisation, days=100)
    actor = Actor.command()
    holds.hold(alone, actor=actor, reason="A lawsuit")
    holds.hold(of_rfp, actor=actor, reason="A lawsuit")
    holds.hold(child, actor=actor, reason="A lawsuit")
    assert all_of(batches.archive, organisation) == 0 and all_of(batches.delete, organisation) == 1
    assert free.pk not in left() and len(left()) == 4
    with pytest.raises(holds.AlreadyHeld):
        holds.hold(alone, actor=actor, reason="Another")
    with pytest.raises(holds.NoReason):
        holds.lift(alone, actor=actor, reason=" ")
    holds.lift(alone, actor=actor, reason="It is over")
    with pytest.raises(holds.NotHeld):
        holds.lift(alone, actor=actor, reason="It is over")
    holds.lift(of_rfp, actor=actor, reason="It is over")
    assert all_of(batches.delete, organisation) == 2
    assert left() == {root.pk, child.pk} and of_workflow.pk not in left()
    told = AuditEntry.objects.filter(verb__contains="h").values_list("verb", "data__reason")
    assert ("orchestration.run.held", "A lawsuit") in told
    assert ("orchestration.workflow.hold_lifted", "It is over") in told


def test_a_hold_is_not_set_while_a_batch_is_at_work(organisation: Organisation) -> None:
    """Whoever is told that a hold stands can rely on it."""
    run = ended(organisation)
    with raw_connection() as batch, batch.transaction():
        batch.execute("SELECT pg_advisory_xact_lock_shared(%s, %s::int)", [7_205_117, organisation.pk])
        with transaction.atomic(), pytest.raises(Exception, match="lock timeout"):
            from django.db import connection

            connection.cursor().execute("SET LOCAL lock_timeout = '50ms'")
            holds.hold(run, actor=Actor.command(), reason="A lawsuit")
    assert not LegalHold.objects.exists()


def test_deleting_takes_all_along_and_the_ledger_tells(organisation: Organisation) -> None:
    of_rfp = workflow(organisation, slug="rfp")
    rule(organisation, workflow=of_rfp, status="failed", archive=5, delete=50)
    root = ended(organisation, days=100, workflow=of_rfp, status="failed")
    child = ended(organisation, days=100, parent=root, parent_node="sub")
    again = ended(organisation, days=1, origin=root, origin_node="a", name="Re-run")
    RunEvent.objects.filter(run=again, seq=1).update(data={"inputs": {}, "reused": [{"node": "a"}]})
    request = ApprovalRequest.objects.create(
        organisation=organisation, run=root, node="a", kind="approval", status="decided", title="May it?"
    )
    Decision.objects.create(
        request=request, option="yes", label="Yes", decided_by_label="x", right="y", channel="web", shown_digest="z"
    )
    text = values.prepared({"text": "Lorem ipsum " * 10_000})
    values.write(child.pk, organisation.pk, text.values)
    entries = AuditEntry.objects.count()
    assert all_of(batches.delete, organisation) == 2
    assert left() == {again.pk}
    assert not ApprovalRequest.objects.exists() and not Decision.objects.exists()
    assert values.collect(age_seconds=0).values == 1 and not StoredValue.objects.exists()
    again.refresh_from_db()
    assert again.origin_id is None and reused_nodes(again) == {"a"}
    entry = AuditEntry.objects.get(verb="orchestration.runs.deleted")
    assert AuditEntry.objects.count() == entries + 1 and entry.target_label == "2 failed runs of rfp"
    assert entry.data["rule"] == {
        "workflow": "rfp",
        "status": "failed",
        "archive_after_days": 5,
        "delete_after_days": 50,
    }
    assert (entry.data["runs"], entry.data["begun_by_these"]) == (2, 1)
    assert entry.data["ended_until"] == root.ended_at.isoformat()


def test_archived_runs_are_deleted_too(organisation: Organisation) -> None:
    rule(organisation, archive=5, delete=50)
    run = ended(organisation, days=40)
    assert all_of(batches.archive, organisation) == 1
    age([run], 20)
    assert all_of(batches.delete, organisation) == 1
    assert run.pk not in left() and not RunArchive.objects.exists()


def test_retrying_a_child_unpacks_its_whole_tree(organisation: Organisation) -> None:
    rule(organisation, archive=5)
    root = ended(organisation, days=10, status="failed")
    child = ended(organisation, days=10, parent=root, parent_node="sub", status="failed")
    assert all_of(batches.archive, organisation) == 2
    runs.retry_run(run=child, actor=Actor.command())
    assert not archived() and NodeRun.objects.count() == 2 and RunEvent.objects.count() == 4


def command(*arguments: str) -> list[str]:
    out = StringIO()
    call_command("retention", *arguments, stdout=out)
    return out.getvalue().splitlines()


def test_the_command_says_what_would_be_done_and_then_does_it(organisation: Organisation) -> None:
    of_rfp = workflow(organisation, slug="rfp")
    rule(organisation, archive=5, delete=50)
    other = make_organisation()
    rule(other, archive=1)
    ended(other, days=10)
    for days in (10, 11, 100):
        ended(organisation, days=days, workflow=of_rfp, status="failed")
    slug = organisation.slug
    would = command("--dry-run", "--organisation", slug)
    assert would[0].startswith(f"{slug}: would archive 2 failed runs of rfp, 4 events, ended by ")
    assert "by the rule for runs of any workflow; frees about " in would[0] and "about 0 bytes" not in would[0]
    assert would[1].startswith(f"{slug}: would delete 1 failed run of rfp")
    assert len(would) == 2 and not archived() and len(left()) == 4
    done = command("--organisation", slug)
    assert done[0] == f"{slug}: deleted 1 failed run of rfp" and f"{slug}: archived 2 failed runs of rfp" in done
    assert len(archived()) == 2 and len(left()) == 3
    assert command("--organisation", slug) == ["There is nothing to archive or delete."]
    assert any("no workflow" in line for line in command("--dry-run"))
    with pytest.raises(CommandError):
        command("--organisation", "nowhere")


def test_the_job_does_it_by_itself(organisation: Organisation) -> None:
    from django_q.models import Schedule

    rule(organisation, archive=5)
    ended(organisation, days=10)
    tasks.ensure_schedule()
    assert Schedule.objects.filter(func="orchestration.tasks.keep_by_policy").count() == 1
    tasks.keep_by_policy()
    assert len(archived()) == 1


def test_a_policy_out_of_time_goes_on_in_the_next_pass(organisation: Organisation) -> None:
    rule(organisation, archive=5)
    ended(organisation, days=10)
    assert list(passes.carry_out(seconds=0)) == [] and not archived()
    assert Workflow.objects.count() == 0
