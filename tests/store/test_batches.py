"""Many runs in one transaction: all or none, each key once."""

import threading

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from orchestration.models import Run, Workflow
from orchestration.services import new_runs
from orchestration.services.batches import InvalidBatch, Started, Wanted, start_batch
from portal.core.actors import Actor
from portal.core.models import AuditEntry
from tests.factories import make_organisation
from tests.workflows import factories as make

pytestmark = pytest.mark.django_db(transaction=True)
INPUTS = {"type": "object", "properties": {"n": {"type": "integer", "default": 7}}}


@pytest.fixture
def workflow() -> Workflow:
    return make.published(make_organisation(), make.definition(inputs=INPUTS)).workflow


def start(workflow: Workflow, *wanted: Wanted) -> list[Started]:
    return start_batch(workflow=workflow, wanted=wanted, actor=Actor.command(), source="api")


def test_all_are_started_in_order_with_one_audit_entry(workflow: Workflow) -> None:
    started = start(workflow, Wanted({"n": 1}), Wanted(), Wanted({"n": 3}, "third"))
    assert [Run.objects.get(pk=one.run.pk).inputs["n"] for one in started] == [1, 7, 3]
    assert all(one.new and Run.objects.get(pk=one.run.pk).due_at for one in started)
    entry = AuditEntry.objects.get(verb="orchestration.run.batch_started")
    assert entry.data["runs"] == [str(one.run.pk) for one in started]


def test_wrong_inputs_of_some_start_none_and_all_faults_are_named(workflow: Workflow) -> None:
    with pytest.raises(InvalidBatch, match="Nothing was started") as caught:
        start(workflow, Wanted({"n": 1}), Wanted({"n": "two"}), Wanted({"n": []}))
    assert [problem["path"] for problem in caught.value.problems] == ["runs.1: $.n", "runs.2: $.n"]
    assert not Run.objects.exists()


def test_a_key_that_was_used_gives_the_run_there_is(workflow: Workflow) -> None:
    (first,) = start(workflow, Wanted({"n": 1}, "one"))
    again = start(workflow, Wanted({"n": 1}, "one"), Wanted({"n": 2}, "two"), Wanted({"n": 2}, "two"))
    assert [one.new for one in again] == [False, True, False]
    assert [one.run.pk for one in again] == [first.run.pk, again[1].run.pk, again[1].run.pk]
    assert Run.objects.count() == 2
    with pytest.raises(new_runs.IdempotencyConflict):
        start(workflow, Wanted({"n": 9}, "new"), Wanted({"n": 9}, "one"))
    assert Run.objects.count() == 2


def test_two_callers_with_the_same_keys_at_once_start_each_once(workflow: Workflow) -> None:
    found: list[list[Started]] = []
    ready = threading.Barrier(2)

    def call() -> None:
        wanted = [Wanted({"n": number}, f"key {number}") for number in range(20)]
        ready.wait(60)
        try:
            found.append(start(workflow, *wanted))
        finally:
            connection.close()

    threads = [threading.Thread(target=call) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert Run.objects.count() == 20
    assert [one.run.pk for one in found[0]] == [one.run.pk for one in found[1]]
    assert all(one.new != other.new for one, other in zip(*found, strict=True))


def test_twenty_keys_cost_no_more_queries_than_two(workflow: Workflow) -> None:
    def queries(count: int) -> int:
        with CaptureQueriesContext(connection) as asked:
            start(workflow, *(Wanted({"n": n}, f"{count} {n}") for n in range(count)))
        return len(asked)

    queries(1)  # what is asked once a process
    assert queries(20) == queries(2)
