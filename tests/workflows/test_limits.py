"""No at the door: so many open runs of an organisation, and no more are taken in."""

import json
from typing import Any

import pytest

from orchestration.models import OrganisationLimits, Run, Trigger, TriggerFire
from orchestration.services import batches, events, limits, schedules, starting
from orchestration.services.limits import TooManyRuns
from portal.core import clock
from portal.core.actors import Actor
from tests.engine_host import make_definition, start
from tests.factories import bearer, make_member, make_organisation, make_token, make_user
from tests.triggers import factories as triggers
from tests.workflows import factories as make

pytestmark = pytest.mark.django_db


def test_a_start_beyond_the_limit_is_refused_with_a_remedy_and_a_time() -> None:
    organisation = make_organisation("acme")
    OrganisationLimits.objects.create(organisation=organisation, open_runs=2)
    definition = make_definition([{"id": "a", "type": "fail", "settings": {"message": "x"}}])
    runs = [start(organisation, definition) for _ in range(2)]
    with pytest.raises(TooManyRuns) as caught:
        start(organisation, definition)
    assert "2 runs" in caught.value.message and "cancel" in caught.value.message
    start(make_organisation("other"), definition)
    Run.objects.filter(pk=runs[0].pk).update(status="completed")
    start(organisation, definition)


def test_the_installations_limit_holds_where_there_is_no_own(settings) -> None:
    settings.ENGINE_OPEN_RUNS = 1
    organisation = make_organisation("acme")
    definition = make_definition([{"id": "a", "type": "fail", "settings": {"message": "x"}}])
    first = start(organisation, definition, idempotency_key="k")
    assert start(organisation, definition, idempotency_key="k") == first, "it is open already"
    with pytest.raises(TooManyRuns):
        start(organisation, definition)


def test_the_api_says_429_and_when_to_come_back(client) -> None:
    organisation = make_organisation("acme")
    workflow = make.published(organisation).workflow
    OrganisationLimits.objects.create(organisation=organisation, open_runs=1)
    user = make_member(organisation, "operator", user=None)
    headers = bearer(make_token(organisation, user))
    with pytest.raises(TooManyRuns):
        batches.start_batch(workflow=workflow, wanted=[batches.Wanted()] * 2, actor=Actor.command(), source="test")
    answers = [
        client.post(
            "/api/v1/runs",
            headers=headers,
            data=json.dumps({"workflow": workflow.slug, "inputs": {}}),
            content_type="application/json",
        )
        for _ in range(2)
    ]
    assert [answer.status_code for answer in answers] == [201, 429], answers[-1].content
    assert answers[1].headers["Retry-After"] == "30" and answers[1].json()["code"] == "too_many_runs"


def test_only_superusers_set_limits(client) -> None:
    organisation = make_organisation("acme")
    address = "/admin/orchestration/organisationlimits/add/"
    client.force_login(make_member(organisation, "admin", user=None))
    assert client.get(address).status_code in (302, 403)
    client.force_login(make_user(is_superuser=True, is_staff=True))
    answer = client.post(address, {"organisation": organisation.pk, "open_runs": 5, "runs_in_hand": ""})
    assert answer.status_code == 302
    assert OrganisationLimits.objects.get(organisation=organisation).open_runs == 5


@pytest.mark.parametrize("kind", ["cron", "event"])
def test_what_a_trigger_could_not_start_is_told_in_its_history(kind: str) -> None:
    organisation = make_organisation("acme")
    OrganisationLimits.objects.create(organisation=organisation, open_runs=1)
    workflow = triggers.workflow(organisation)
    trigger = triggers.trigger(workflow, kind, inputs={"order": "7"})
    starting.start_workflow(workflow=workflow, inputs={"order": "1"}, actor=Actor.command(), source="api")
    if kind == "cron":
        Trigger.objects.filter(pk=trigger.pk).update(next_at=clock.database_now())
        schedules.fire_due()
    else:
        events.publish(organisation=organisation, actor=Actor.command(), source="api", name="order.paid")
    fired = TriggerFire.objects.get(trigger=trigger)
    assert fired.outcome == "skipped" and "its limit" in fired.reason
    assert Run.objects.count() == 1 and Trigger.objects.get().enabled


def test_open_runs_are_not_counted_at_each_start_while_there_is_plenty_of_room(
    settings: Any, django_assert_max_num_queries: Any
) -> None:
    organisation = make_organisation()
    settings.ENGINE_OPEN_RUNS = 1000
    limits.make_room(organisation)
    with django_assert_max_num_queries(0):
        limits.make_room(organisation, 700)
    with django_assert_max_num_queries(1):
        limits.make_room(organisation, 300)
    settings.ENGINE_OPEN_RUNS = 10
    with pytest.raises(TooManyRuns):
        limits.make_room(organisation, 900)


def test_near_the_limit_each_start_is_counted(settings: Any, django_assert_num_queries: Any) -> None:
    organisation = make_organisation()
    settings.ENGINE_OPEN_RUNS = 50
    for _ in range(3):
        with django_assert_num_queries(1):
            limits.make_room(organisation)
