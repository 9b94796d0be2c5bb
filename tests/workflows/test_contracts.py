"""Publishing what takes back a promise: who relies on it is named, it is asked first, and it is written down."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from orchestration.definition import promises
from orchestration.models import Workflow
from orchestration.queries import dependants
from orchestration.services import starting, workflows
from orchestration.services.promises import BreaksContract
from portal.core.actors import Actor
from portal.core.models import AuditEntry
from tests.cast import Cast, make_cast
from tests.factories import bearer, make_token
from tests.triggers import factories as triggers
from tests.workflows import factories as make

pytestmark = pytest.mark.django_db
JSON = Any


@pytest.fixture
def cast() -> Cast:
    return make_cast()


def body(inputs: dict[str, JSON], outputs: tuple[str, ...] = ("total", "note"), **more: JSON) -> dict[str, JSON]:
    schema = {"type": "object", "properties": inputs, "required": [*inputs]}
    node = make.node("a", "set", settings={"variables": {"x": 1}})
    given = dict.fromkeys(outputs, "{{ vars.x }}")
    return make.definition(node, **{"name": "Order", "inputs": schema, "outputs": given, **more})


ORDER = {"order": {"type": "string"}, "amount": {"type": "number"}}


@pytest.fixture
def order(cast: Cast) -> Workflow:
    return make.published(cast.organisation, body(ORDER)).workflow


def draft(workflow: Workflow, wanted: dict[str, JSON]) -> Workflow:
    workflow.refresh_from_db()
    return workflows.save_draft(
        workflow=workflow, definition=wanted, revision=workflow.draft_revision, actor=Actor.command()
    )


def found(workflow: Workflow, wanted: dict[str, JSON]) -> dependants.Breaking | None:
    changed = draft(workflow, wanted)
    return dependants.breaking(changed, changed.draft, changed.published)


def caller(cast: Cast, name: str, inputs: dict[str, JSON], read: str, version: int | None = None) -> Workflow:
    node = make.node("call", "subworkflow", settings={"workflow": "order", "version": version, "inputs": inputs})
    return make.published(cast.organisation, make.definition(node, name=name, outputs={"x": read})).workflow


@pytest.mark.parametrize(
    ("wanted", "told"),
    [
        (body(ORDER), []),
        (body({**ORDER, "currency": {"type": "string", "default": "EUR"}}), []),  # it need not be given
        (body(ORDER, ("total", "note", "more")), []),
        (body({"order": {"type": "string"}}), []),  # what is given too much is passed over
        (body({**ORDER, "currency": {"type": "string"}}), ["input $.currency is now required"]),
        (body({**ORDER, "amount": {"type": "integer"}}), ["input $.amount no longer takes number"]),
        (body(ORDER, ("total",)), ["output $.note is gone"]),
    ],
)
def test_what_breaks(wanted: dict[str, JSON], told: list[str]) -> None:
    changes = promises.changes(body(ORDER), wanted)
    assert [str(change) for change in changes if change.breaking] == told


def test_taking_a_default_away_breaks_and_a_wrong_draft_says_nothing() -> None:
    before = body({"a": {"type": "string", "default": ""}})
    assert [change.kind for change in promises.changes(before, body({"a": {"type": "string"}}))] == ["required"]
    assert promises.changes(before, {**before, "inputs": {"type": "objekt"}}) == []
    assert promises.changes(before, {"inputs": [], "outputs": 3}) == []


def test_triggers_that_follow_are_named_with_what_would_go_wrong(order: Workflow) -> None:
    fixed = {"order": "A", "amount": 2.5}
    triggers.trigger(order, "cron", name="fixed", inputs=fixed)
    triggers.trigger(order, "webhook", name="passed on", inputs={"order": "A", "amount": "{{ body.amount }}"})
    triggers.trigger(order, "event", name="other", inputs={"order": "{{ event.data.order }}", "amount": 2})
    pinned = triggers.trigger(order, "cron", name="pinned", inputs=fixed, version=order.published)
    assert pinned.version_id
    breaking = found(order, body({**ORDER, "amount": {"type": "integer"}}))
    assert breaking is not None
    rows = {row.name: row for row in breaking.dependants}
    assert rows.keys() == {"fixed", "passed on"}
    assert breaking.dependants[0].name == "fixed" and "amount" in rows["fixed"].faults[0]
    assert rows["passed on"].faults == ()


def test_workflows_that_run_it_are_judged_by_what_they_give_and_read(cast: Cast, order: Workflow) -> None:
    given = {"order": "A", "amount": 2}
    caller(cast, "Reads the note", given, "{{ call.outputs.note }}")
    caller(cast, "Reads the total", given, "{{ call.outputs.total }}")
    caller(cast, "Passes all on", given, "{{ call.outputs }}")
    caller(cast, "Pinned", given, "{{ call.outputs.note }}", version=1)
    archived = caller(cast, "Archived", given, "{{ call.outputs.note }}")
    workflows.archive(workflow=archived, actor=Actor.command())
    breaking = found(order, body(ORDER, ("total",)))
    assert breaking is not None
    assert [(row.name, bool(row.faults)) for row in breaking.dependants] == [
        ("Reads the note", True),
        ("Passes all on", False),
    ]
    assert "There is no note in call.outputs" in breaking.dependants[0].faults[0]
    needed = found(order, body({**ORDER, "currency": {"type": "string"}}))
    assert needed is not None
    # every caller lacks the new input, whatever it reads
    assert [row.name for row in needed.dependants if row.faults] == [
        "Passes all on",
        "Reads the note",
        "Reads the total",
    ]


def test_programs_that_started_it_lately_are_named(cast: Cast, order: Workflow) -> None:
    for source, by in (("api", cast.admin), ("api", cast.by_role["designer"]), ("web", cast.admin)):
        starting.start_workflow(
            workflow=order, inputs={"order": "A", "amount": 1}, actor=Actor.command(by), source=source
        )
    breaking = found(order, body(ORDER, ("total",)))
    assert breaking is not None
    (row,) = breaking.dependants
    assert (row.kind, row.id, row.faults) == ("program", "api", ())
    assert row.detail.startswith("2 runs in the last 30 days, by ") and cast.admin.username in row.detail


def test_of_another_organisation_nothing_is_named(cast: Cast, order: Workflow) -> None:
    make.published(cast.elsewhere, body(ORDER))
    node = make.node("call", "subworkflow", settings={"workflow": "order", "inputs": {"order": "A", "amount": 1}})
    make.published(cast.elsewhere, make.definition(node, name="Elsewhere", outputs={"x": "{{ call.outputs.note }}"}))
    breaking = found(order, body(ORDER, ("total",)))
    assert breaking is not None and breaking.dependants == []


def test_it_is_asked_first_and_written_down(cast: Cast, order: Workflow) -> None:
    triggers.trigger(order, "cron", name="nightly", inputs={"order": "A", "amount": 2.5})
    changed = draft(order, body({**ORDER, "amount": {"type": "integer"}}, ("total",)))
    with pytest.raises(BreaksContract, match=r"trigger “nightly”") as asked:
        workflows.publish(workflow=changed, actor=Actor.command(), confirmed=False)
    assert [problem["path"] for problem in asked.value.problems] == ["$.amount", "$.note"]
    order.refresh_from_db()
    assert order.published and order.published.number == 1
    workflows.publish(workflow=changed, actor=Actor.command())
    entry = AuditEntry.objects.filter(verb="orchestration.workflow.published").latest("pk")
    assert entry.data["breaking"] == ["input $.amount no longer takes number", "output $.note is gone"]
    assert entry.data["dependants"] == ["trigger nightly"]
    promised = dependants.promised(order)
    assert [promised[number].contract for number in (1, 2)] == ["1.0", "2.0"]
    assert [change.path for change in promised[2].breaking] == ["$.amount", "$.note"]


def test_the_api_says_it_before_asks_and_tells_it_after(client: Client, cast: Cast, order: Workflow) -> None:
    triggers.trigger(order, "cron", name="nightly", inputs={"order": "A", "amount": 2.5})
    headers = bearer(make_token(cast.organisation, cast.admin))
    draft(order, body({**ORDER, "amount": {"type": "integer"}}))
    read = client.get("/api/v1/workflows/order", headers=headers).json()
    assert [row["name"] for row in read["breaking"]["dependants"]] == ["nightly"]

    def publish(**more: JSON) -> Any:
        return client.post(
            "/api/v1/workflows/order/publish", json.dumps(more), content_type="application/json", headers=headers
        )

    asked = publish(note="Whole amounts")
    assert (asked.status_code, asked.json()["code"]) == (409, "breaking_change")
    assert asked.json()["problems"][0]["message"] == "no longer takes number"
    (row,) = asked.json()["dependants"]
    assert (row["kind"], row["name"], row["certain"]) == ("trigger", "nightly", True) and row["faults"]
    done = publish(note="Whole amounts", confirm_breaking=True)
    assert (done.status_code, done.json()["number"], done.json()["contract"]) == (201, 2, "2.0")
    assert done.json()["breaking"][0]["path"] == "$.amount"
    versions = client.get("/api/v1/workflows/order/versions", headers=headers).json()
    assert [(one["contract"], len(one["breaking"])) for one in versions] == [("2.0", 1), ("1.0", 0)]
    assert client.get("/api/v1/workflows/order", headers=headers).json()["breaking"] is None


def test_the_pages_ask(client: Client, cast: Cast, order: Workflow) -> None:
    caller(cast, "Invoices", {"order": "A", "amount": 2}, "{{ call.outputs.note }}")
    address = [cast.organisation.slug, "order"]
    client.force_login(cast.by_role["designer"])
    text = json.dumps(body(ORDER, ("total",)))
    posted = {"text": text, "revision": 1, "action": "publish", "note": "Fewer outputs"}
    asked = client.post(reverse("workflows:edit", args=address), posted)
    page = asked.content.decode()
    assert asked.status_code == 409
    assert "Publish although it breaks" in page and "Invoices" in page and "Fewer outputs" in page
    detail = client.get(reverse("workflows:detail", args=address)).content.decode()
    assert "is gone" in detail and "Invoices" in detail and 'name="confirm_breaking"' in detail
    client.force_login(cast.by_role["viewer"])
    assert "is gone" not in client.get(reverse("workflows:detail", args=address)).content.decode()

    client.force_login(cast.by_role["designer"])
    publish = reverse("workflows:publish", args=address)
    assert client.post(publish, {"revision": 2}).status_code == 409
    stale = client.post(publish, {"revision": 1, "confirm_breaking": "1"}, follow=True)
    assert "has changed the draft meanwhile" in stale.content.decode()
    order.refresh_from_db()
    assert order.published and order.published.number == 1
    client.post(publish, {"revision": 2, "confirm_breaking": "1", "note": "Fewer outputs"})
    order.refresh_from_db()
    assert order.published and order.published.number == 2
    versions = client.get(reverse("workflows:detail", args=address) + "?tab=versions").content.decode()
    assert "contract 2.0" in versions and "is gone" in versions
