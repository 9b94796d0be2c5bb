"""Starting and steering runs: what is written, and what is refused."""

import threading
from typing import Any

import pytest
from django.db import connection

from orchestration.models import EngineHost, Run, RunSignal, Workflow
from orchestration.services import batches, new_runs, runs, starting, values, workflows
from orchestration.wakeups import CHANNEL
from portal.core.actors import Actor
from portal.core.models import AuditEntry, Organisation
from tests.engine_host import make_definition, raw_connection, start
from tests.factories import make_organisation
from tests.workflows import factories as make

pytestmark = pytest.mark.django_db(transaction=True)

INPUTS = {
    "type": "object",
    "properties": {"n": {"type": "integer"}, "unit": {"type": "string", "default": "kg"}},
    "required": ["n", "name"],
}


def definition(**more: Any) -> Any:
    return make_definition([{"id": "a", "type": "join"}], **more)


def test_a_started_run_is_due_audited_and_rung_for(organisation: Organisation) -> None:
    with raw_connection() as ear:
        ear.execute(f"LISTEN {CHANNEL}")
        run = start(organisation, definition())
        assert next(ear.notifies(timeout=60)).payload == str(run.pk)
    assert run.due_at and run.status == "queued" and run.nodes_total == 1
    entry = AuditEntry.objects.get(verb="orchestration.run.started")
    assert (entry.target_id, entry.organisation_id) == (str(run.pk), organisation.pk)


def test_wrong_inputs_are_told_all_at_once_and_nothing_is_started(organisation: Organisation) -> None:
    with pytest.raises(new_runs.InvalidInputs) as refused:
        start(organisation, definition(inputs=INPUTS), {"n": "many"})
    assert {problem["path"] for problem in refused.value.problems} == {"$.n", "$.name"}
    assert not Run.objects.exists()


def test_defaults_of_inputs_are_filled_in(organisation: Organisation) -> None:
    run = start(organisation, definition(inputs=INPUTS), {"n": 1, "name": "x"})
    assert run.inputs == {"n": 1, "name": "x", "unit": "kg"}


def test_the_same_key_is_the_same_run_however_many_come_at_once(organisation: Organisation) -> None:
    found, errors, together = [], [], threading.Barrier(6)

    def caller() -> None:
        try:
            together.wait()
            found.append(start(organisation, definition(), idempotency_key="k").pk)
        except Exception as error:
            errors.append(error)
        finally:
            connection.close()

    definition()
    threads = [threading.Thread(target=caller) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors and len(found) == 6 and len(set(found)) == 1
    assert AuditEntry.objects.filter(verb="orchestration.run.started").count() == 1


def test_a_key_is_not_reused_for_something_else_and_is_the_organisations_own(organisation: Organisation) -> None:
    first = start(organisation, definition(), {"n": 1}, idempotency_key="k")
    with pytest.raises(new_runs.IdempotencyConflict, match=str(first.pk)):
        start(organisation, definition(), {"n": 2}, idempotency_key="k")
    assert start(make_organisation(), definition(), {"n": 2}, idempotency_key="k").pk != first.pk


def test_a_repeated_request_gets_its_run_whatever_was_published_meanwhile(organisation: Organisation) -> None:
    schema = {"type": "object", "properties": {"a": {"type": "string"}}}
    version = make.published(organisation, make.definition(name="Keyed", inputs=schema))
    request: dict[str, Any] = {
        "workflow": version.workflow, "inputs": {"a": "x"}, "actor": Actor.command(), "source": "api"
    }  # fmt: skip
    first, _ = starting.start_workflow(**request, idempotency_key="k")
    batch = {"workflow": version.workflow, "actor": Actor.command(), "source": "api"}
    (alone,) = batches.start_batch(**batch, wanted=[batches.Wanted({"a": "y"}, "b")])
    for more in ({"b": {"type": "string", "default": "new"}}, {"c": {"type": "string"}}):
        body = {**version.body, "inputs": {"type": "object", "properties": {"a": {"type": "string"}, **more}}}
        body["inputs"]["required"] = [*more]
        workflow = workflows.save_draft(
            workflow=Workflow.objects.get(), definition=body, revision=Workflow.objects.get().draft_revision,
            actor=Actor.command(),
        )  # fmt: skip
        workflows.publish(workflow=workflow, actor=Actor.command())
        workflow.refresh_from_db()
        again, new = starting.start_workflow(**{**request, "workflow": workflow}, idempotency_key="k")
        assert (again, new) == (first, False)
        with pytest.raises(new_runs.IdempotencyConflict):
            starting.start_workflow(**{**request, "workflow": workflow, "inputs": {"a": "z"}}, idempotency_key="k")
        (same,) = batches.start_batch(**{**batch, "workflow": workflow}, wanted=[batches.Wanted({"a": "y"}, "b")])
        assert (same.run, same.new) == (alone.run, False)


def test_the_same_key_for_other_tasks_is_refused(organisation: Organisation) -> None:
    start(organisation, definition(), {"n": 1}, idempotency_key="k")
    with pytest.raises(new_runs.IdempotencyConflict):
        start(organisation, definition(name="Other tasks"), {"n": 1}, idempotency_key="k")


@pytest.mark.parametrize("key", ["k" * 201, "a\0b"])
def test_a_key_that_cannot_be_kept_is_refused_with_words(organisation: Organisation, key: str) -> None:
    with pytest.raises(new_runs.BadKey, match="200 characters"):
        start(organisation, definition(), {"n": 1}, idempotency_key=key)
    version = make.published(organisation)
    with pytest.raises(new_runs.BadKey):
        batches.start_batch(
            workflow=version.workflow, wanted=[batches.Wanted({}, key)], actor=Actor.command(), source="api"
        )


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_numbers_that_json_does_not_have_are_refused_with_words(organisation: Organisation, number: float) -> None:
    with pytest.raises(values.NotJson, match="not JSON"):
        start(organisation, make_definition([{"id": "a", "type": "parallel"}]), {"n": number})


def test_asking_twice_posts_one_signal(organisation: Organisation) -> None:
    EngineHost.objects.create(hostname="alive", pid=1)  # else a cancelled run ends at once
    run, actor = start(organisation, definition()), Actor.command()
    for _ in range(2):
        runs.cancel_run(run=run, actor=actor, reason="no need")
    run.refresh_from_db()
    assert RunSignal.objects.get().reason == "no need" and run.signals_posted == 1
    assert AuditEntry.objects.filter(verb="orchestration.run.cancel_requested").count() == 1


@pytest.mark.parametrize(
    ("status", "refused"),
    [
        ("queued", {"resume", "retry"}),
        ("running", {"resume", "retry"}),
        ("waiting", {"resume", "retry"}),
        ("paused", {"pause", "retry"}),
        ("completed", {"cancel", "pause", "resume", "retry"}),
        ("failed", {"cancel", "pause", "resume"}),
        ("cancelled", {"cancel", "pause", "resume"}),
    ],
)
def test_only_what_the_state_allows(organisation: Organisation, status: str, refused: set[str]) -> None:
    EngineHost.objects.create(hostname="alive", pid=1)
    run = start(organisation, definition())
    Run.objects.filter(pk=run.pk).update(status=status)
    found = set()
    for name in ("cancel", "pause", "resume", "retry"):
        RunSignal.objects.all().delete()
        try:
            getattr(runs, f"{name}_run")(run=run, actor=Actor.command())
        except runs.RunStateConflict as conflict:
            assert conflict.run_status == status and status in conflict.message
            found.add(name)
    assert found == refused


def test_cancelling_ends_a_run_in_quarantine(organisation: Organisation) -> None:
    run = start(organisation, definition())
    Run.objects.filter(pk=run.pk).update(incident={"code": "host_killer"}, claims=6, due_at=None)
    runs.cancel_run(run=run, actor=Actor.command())
    run.refresh_from_db()
    assert run.status == "cancelled" and run.incident is None and run.claims == 0 and run.due_at is None


def test_an_ended_run_takes_no_answers(organisation: Organisation) -> None:
    run = start(organisation, definition())
    Run.objects.filter(pk=run.pk).update(status="completed")
    with pytest.raises(runs.RunStateConflict):
        runs.signal_node(run_id=run.pk, node="a", by="x", data={})


def test_an_archived_workflow_is_not_started_until_it_is_restored(organisation: Organisation) -> None:
    made, actor = make.workflow(organisation), Actor.command()
    workflows.publish(workflow=made, actor=actor)
    workflows.archive(workflow=made, actor=actor)
    made.refresh_from_db()
    with pytest.raises(starting.Archived):
        starting.start_workflow(workflow=made, inputs={}, actor=actor, source="cli")
    with pytest.raises(starting.Archived):
        batches.start_batch(workflow=made, wanted=[batches.Wanted()], actor=actor, source="cli")
    workflows.restore(workflow=made, actor=actor)
    made.refresh_from_db()
    assert starting.start_workflow(workflow=made, inputs={}, actor=actor, source="cli")[1]


def test_a_new_version_is_started_as_soon_as_it_is_published(organisation: Organisation) -> None:
    made, actor = make.workflow(organisation), Actor.command()
    for number in (1, 2):
        made.draft = {**made.draft, "description": f"The {number}."}
        made.save()
        workflows.publish(workflow=made, actor=actor)
        made.refresh_from_db()
        run, _ = starting.start_workflow(workflow=made, inputs={}, actor=actor, source="cli")
        run = Run.objects.select_related("version", "definition").get(pk=run.pk)
        assert run.version and run.version.number == number
        assert run.definition.body["description"] == f"The {number}."
