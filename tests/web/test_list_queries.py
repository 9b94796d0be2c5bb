"""Lists stay as cheap as they are: some rows more, and no page and no call of the API asks the database more often."""

from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from approvals.models import ApprovalRequest
from orchestration.models import Trigger, TriggerFire, Workflow
from orchestration.services import events, holds, workflows
from orchestration.services.starting import start_workflow
from portal.core import clock
from portal.core.actors import Actor
from portal.core.models import Notification, Organisation, User
from tests.agents.factories import agent
from tests.cast import make_cast
from tests.factories import bearer, make_token
from tests.triggers import factories as make_trigger
from tests.workflows.factories import definition, node, published

ROWS = 4
PAGES = (
    "",
    "agents/",
    "agents/?view=table",
    "workflows/",
    "workflows/orders/?tab=versions",
    "workflows/orders/?tab=runs",
    "workflows/orders/triggers/",
    "workflows/orders/triggers/{trigger}/",
    "runs/",
    "runs/?kept=held",
    "events/",
    "inbox/",
    "inbox/?view=open",
    "notifications/",
    "retention/",
)
CALLS = (
    "workflows",
    "workflows/orders/versions",
    "runs",
    "events",
    "triggers",
    "triggers/{trigger}/fires",
    "approvals?view=mine",
    "approvals?view=open",
    "retention/holds",
)


def test_more_rows_cost_no_more_queries(db: None) -> None:
    cast = make_cast()
    admin, acme, actor = cast.admin, cast.organisation, Actor.command()
    workflow = published(acme, definition(name="Orders"), slug="orders").workflow
    add_row(acme, workflow, admin, actor, 0)
    trigger = Trigger.objects.get(workflow=workflow)
    pages, api, headers = Client(), Client(), bearer(make_token(acme, admin))
    pages.force_login(admin)

    def asked() -> dict[str, int]:
        found = {}
        for address in (*(f"/o/acme/{page}" for page in PAGES), *(f"/api/v1/{call}" for call in CALLS)):
            url = address.format(trigger=trigger.pk)
            with CaptureQueriesContext(connection) as seen:
                response = api.get(url, headers=headers) if url.startswith("/api/") else pages.get(url)
            assert response.status_code == 200, url
            found[address] = len(seen)
        return found

    asked()  # what is asked once a process, or once a minute
    before = asked()
    for number in range(1, ROWS + 1):
        add_row(acme, workflow, admin, actor, number)
    more = {address: (before[address], count) for address, count in asked().items() if count > before[address]}
    assert not more


def add_row(acme: Organisation, workflow: Workflow, admin: User, actor: Actor, number: int) -> None:
    """One more of everything that stands in a list."""
    agent(acme, f"agent-{number}")
    published(acme, definition(name=f"Workflow {number}"))
    workflow.refresh_from_db()
    workflows.save_draft(
        workflow=workflow,
        definition=definition(node("only"), name="Orders", description=str(number)),
        revision=workflow.draft_revision,
        actor=Actor(user=admin, label=admin.username, channel="web"),
    )
    workflows.publish(workflow=workflow, actor=Actor(user=admin, label=admin.username, channel="web"))
    trigger = make_trigger.trigger(workflow, "cron", name=f"trigger {number}", inputs={})
    run, _ = start_workflow(
        workflow=workflow,
        inputs={},
        actor=Actor(user=admin, label=admin.username, channel="web"),
        source="cron",
        trigger=trigger,
    )
    holds.hold(run, actor=actor, reason="A lawsuit")
    event = events.publish(organisation=acme, actor=actor, source="person", name="order.paid").event
    first = Trigger.objects.filter(workflow=workflow).earliest("created_at")
    TriggerFire.objects.create(
        trigger=first, key=f"key {number}", at=clock.now(), outcome="started", run=run, event=event
    )
    ApprovalRequest.objects.create(
        organisation=acme, run=run, node="only", kind="approval", title="Pay?", assignee_user=admin
    )
    Notification.objects.create(organisation=acme, user=admin, key=f"key {number}", title="It has ended")
