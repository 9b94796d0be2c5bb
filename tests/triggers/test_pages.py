"""Pages of triggers and events: make one of each kind, try it, see what came of it."""

from __future__ import annotations

import json
import re
import time
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from orchestration.models import BusEvent, Run, Trigger, TriggerFire, Workflow
from orchestration.services import triggers
from orchestration.triggers import signatures
from portal.core.actors import Actor
from portal.core.models import Secret
from tests.cast import Cast
from tests.triggers.factories import trigger, workflow

pytestmark = pytest.mark.django_db


@pytest.fixture
def designer(client: Client, cast: Cast) -> Client:
    client.force_login(cast.by_role["designer"])
    return client


@pytest.fixture
def flow(cast: Cast) -> Workflow:
    return workflow(cast.organisation, name="Order check")


def address(flow: Workflow, name: str, *more: Any) -> str:
    return reverse(f"workflows:{name}", args=["acme", flow.slug, *more])


LIMITS = {"priority": "5", "most_unfinished": "100", "version": ""}
WEBHOOK = {"scheme": "ensemble", "window_seconds": "300", "per_minute": "60", "secret": ""}


def test_a_schedule_is_made_and_shows_when_it_is_due(designer: Client, flow: Workflow) -> None:
    form = designer.get(address(flow, "new_trigger", "cron"))
    assert form.status_code == 200 and "Europe/Berlin" in form.text
    values = {
        "name": "Every morning",
        "expression": "0 9 * * *",
        "timezone": "Europe/Berlin",
        "missed": "once",
        "inputs": '{"order": "of {{ due_at }}"}',
        **LIMITS,
    }
    made = designer.post(address(flow, "new_trigger", "cron"), values)
    cron = Trigger.objects.get()
    assert made.url == address(flow, "trigger", cron.pk)
    page = designer.get(made.url).text
    assert len(re.findall(r"\d{4}, 09:00 CES?T", page)) == 5
    listed = designer.get(address(flow, "triggers")).text
    assert "Every morning" in listed and "0 9 * * *" in listed
    assert "Triggers" in designer.get(address(flow, "detail")).text


def test_what_is_wrong_is_told_at_its_field(designer: Client, flow: Workflow) -> None:
    values = {"name": "x", "expression": "99 9 * * *", "timezone": "UTC", "missed": "once", **LIMITS}
    page = designer.post(address(flow, "new_trigger", "cron"), {**values, "inputs": '{"amount": "x"}'})
    assert page.status_code == 422 and not Trigger.objects.exists()
    assert "cannot be read" in page.text and "$.order: is required" in page.text and "$.amount" in page.text


def test_all_that_is_wrong_is_told_at_once(designer: Client, flow: Workflow) -> None:
    values = {"name": "", "expression": "99 9 * * *", "timezone": "UTC", "missed": "once", "inputs": "{", **LIMITS}
    page = designer.post(address(flow, "new_trigger", "cron"), values).text
    assert "This field is required" in page and "cannot be read" in page and "This is not JSON" in page


def test_trying_tells_that_such_an_event_would_not_set_it_off(designer: Client, flow: Workflow) -> None:
    settings = {"event": "stock.low", "key": "", "filter": "event.data.left < 5"}
    listens = trigger(flow, "event", settings=settings, inputs={"order": "{{ event.data.order }}"})
    test = address(flow, "test_trigger", listens.pk)
    many = designer.post(test, {"sample": '{"order": "7", "left": 9}', "action": "dry"}).text
    assert "Such an event would not set it off" in many and "A test run would start with these inputs" in many
    few = designer.post(test, {"sample": '{"order": "7", "left": 3}', "action": "dry"}).text
    assert "It would start with these inputs" in few and "would not set it off" not in few
    other = designer.post(test, {"sample": '{"order": "7"}', "action": "dry"}).text
    assert "The filter fails on this event" in other


def test_a_webhooks_secret_is_shown_once_and_works(designer: Client, flow: Workflow) -> None:
    values = {"name": "Shop", "inputs": '{"order": "{{ body.order }}"}', **WEBHOOK, **LIMITS}
    page = designer.post(address(flow, "new_trigger", "webhook"), values).text
    hook = Trigger.objects.get()
    secret = re.search(r'aria-label="Secret"><code>([\w-]{43})</code>', page)[1]
    url = f"/hooks/acme/{hook.path}"
    assert f"http://testserver{url}" in page
    again = designer.get(address(flow, "trigger", hook.pk)).text
    assert secret not in again and hook.path in again
    body, at = b'{"order": "7"}', int(time.time())
    headers = {"X-Ensemble-Timestamp": str(at), "X-Ensemble-Signature": signatures.sign(secret, body, at)}
    sent = Client().post(url, data=body, content_type="application/json", headers=headers)
    assert sent.status_code == 202
    history = designer.get(address(flow, "trigger", hook.pk)).text
    assert "Started" in history and sent.json()["run"][:8] in history
    seen = {"seen": re.search(r'name="seen" value="([^"]+)"', history)[1]}
    renewed = designer.post(address(flow, "rotate_trigger", hook.pk), seen).text
    assert "Copy the secret now" in renewed and secret not in renewed
    sent_twice = designer.post(address(flow, "rotate_trigger", hook.pk), seen, follow=True).text
    assert "Copy the secret now" not in sent_twice and "stays as it is" in sent_twice
    assert triggers.secret_mark(hook) in renewed
    Secret.objects.all().delete()
    assert 'name="seen" value="none"' in designer.get(address(flow, "trigger", hook.pk)).text


def test_who_may_only_look_sees_no_address(client: Client, cast: Cast, flow: Workflow) -> None:
    hook = trigger(flow, "webhook")
    client.force_login(cast.viewer)
    page = client.get(address(flow, "trigger", hook.pk))
    assert page.status_code == 200 and hook.path not in page.text


def test_trying_shows_the_inputs_or_starts_a_run_marked_as_a_test(designer: Client, flow: Workflow) -> None:
    hook = trigger(flow, "webhook")
    test = address(flow, "test_trigger", hook.pk)
    dry = designer.post(test, {"sample": '{"order": "42"}', "action": "dry"})
    assert dry.status_code == 200 and "It would start with these inputs" in dry.text
    wrong = designer.post(test, {"sample": "{}", "action": "dry"}).text
    assert "It could not start" in wrong and "$.order" in wrong
    assert designer.post(test, {"sample": "{", "action": "dry"}).status_code == 422
    assert designer.get(test).status_code == 302, "whoever comes back to its address is led to the trigger"
    cron = address(flow, "test_trigger", trigger(flow, "cron").pk)
    assert "It would start with these inputs" in designer.post(cron, {"action": "dry"}).text
    assert not Run.objects.exists()
    real = designer.post(test, {"sample": '{"order": "42"}', "action": "run"})
    run = Run.objects.get()
    assert real.url == reverse("runs:detail", args=["acme", run.pk])
    page = designer.get(real.url).text
    assert "Test" in page and address(flow, "trigger", hook.pk) in page
    assert "webhook webhook" in designer.get(reverse("runs:list", args=["acme"]), {"source": "webhook"}).text
    failed = designer.post(test, {"sample": "{}", "action": "run"})
    assert failed.status_code == 422 and "The test started nothing" in failed.text


def test_switch_edit_and_delete(designer: Client, flow: Workflow) -> None:
    event = trigger(flow, "event")
    place = (flow, "edit_trigger", event.pk)
    assert 'value="order.paid"' in designer.get(address(*place)).text
    values = {"name": "Paid", "event": "order.paid", "key": "7", "filter": "", "inputs": '{"order": "a"}', **LIMITS}
    assert designer.post(address(*place), values).status_code == 302
    event.refresh_from_db()
    assert (event.name, event.settings["key"], event.inputs) == ("Paid", "7", {"order": "a"})
    designer.post(address(flow, "switch_trigger", event.pk), {"enabled": "off"})
    event.refresh_from_db()
    assert not event.enabled
    designer.post(address(flow, "delete_trigger", event.pk))
    assert not Trigger.objects.exists()


def test_a_trigger_the_portal_switched_off_is_told_on_the_workflows_page(designer: Client, flow: Workflow) -> None:
    cron = trigger(flow, "cron")
    Trigger.objects.update(enabled=False, disabled_because="It failed 10 times in a row.")
    assert "It failed 10 times in a row." in designer.get(address(flow, "detail")).text
    triggers.set_enabled(trigger=cron, enabled=True, actor=Actor.command())
    assert "It failed 10 times in a row." not in designer.get(address(flow, "detail")).text


def test_a_trigger_of_another_workflow_is_not_here(designer: Client, cast: Cast, flow: Workflow) -> None:
    other = trigger(workflow(cast.organisation, name="Other"), "cron")
    assert designer.get(address(flow, "trigger", other.pk)).status_code == 404


def test_an_event_published_by_hand_shows_what_came_of_it(designer: Client, flow: Workflow) -> None:
    trigger(flow, "event")
    values = {"name": "order.paid", "key": "7", "content": '{"order": "7"}'}
    published = designer.post(reverse("events:publish", args=["acme"]), values)
    event = BusEvent.objects.get()
    assert published.url == reverse("events:detail", args=["acme", event.pk])
    page = designer.get(published.url).text
    assert "Started Order check" in page and "by the trigger event" in page
    listed = designer.get(reverse("events:list", args=["acme"]), {"q": "order", "source": "person"}).text
    assert "order.paid" in listed and "by hand" in listed
    wrong = designer.post(reverse("events:publish", args=["acme"]), {"name": "a b"})
    assert wrong.status_code == 422 and "is no name of an event" in wrong.text


def test_ten_more_rows_cost_no_more_queries(
    designer: Client, flow: Workflow, django_assert_max_num_queries: Any
) -> None:
    cron = trigger(flow, "cron")
    for n in range(12):
        TriggerFire.objects.create(trigger=cron, key=str(n), outcome="failed", reason="x")
        BusEvent.objects.create(organisation=flow.organisation, name=f"a{n}", source="api")
    for url in (address(flow, "trigger", cron.pk), address(flow, "triggers"), reverse("events:list", args=["acme"])):
        with django_assert_max_num_queries(22):
            assert designer.get(url).status_code == 200


def test_the_administration_changes_a_trigger_by_its_service(client: Client, cast: Cast, flow: Workflow) -> None:
    cron = trigger(flow, "cron")
    client.force_login(cast.superuser)
    url = reverse("admin:orchestration_trigger_change", args=[cron.pk])
    values = {
        "name": "Night",
        "enabled": "on",
        "settings": json.dumps({**cron.settings, "expression": "99 * * * *"}),
        "inputs": json.dumps(cron.inputs),
        "priority": "5",
        "most_unfinished": "1",
    }
    wrong = client.post(url, values)
    assert wrong.status_code == 200 and "cannot be read" in wrong.text
    values["settings"] = json.dumps({**cron.settings, "expression": "0 1 * * *"})
    assert client.post(url, values).status_code == 302
    cron.refresh_from_db()
    assert (cron.name, cron.settings["expression"], cron.most_unfinished) == ("Night", "0 1 * * *", 1)
    assert client.get(reverse("admin:orchestration_busevent_changelist")).status_code == 200
