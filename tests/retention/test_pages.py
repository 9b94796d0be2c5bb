"""The page of the policy, holds on their pages, and the same by API."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from orchestration.models import LegalHold, RetentionRule, Run
from orchestration.retention import batches
from portal.core.models import AuditEntry
from tests.cast import Cast, make_cast
from tests.factories import bearer, make_token
from tests.retention.factories import ended, rule
from tests.workflows.factories import workflow

pytestmark = pytest.mark.django_db(transaction=True)

HTMX = {"HX-Request": "true"}
FORM = {
    "archive_after_days": "30",
    "delete_after_days": "365",
    "exceptions-0-workflow": '"rfp"',
    "exceptions-0-status": '"failed"',
    "exceptions-0-archive_after_days": "90",
    "exceptions-1-status": '"cancelled"',
    "exceptions-1-delete_after_days": "10",
}


@pytest.fixture
def cast(transactional_db: None) -> Cast:
    return make_cast()


def signed_in(client: Client, cast: Cast, role: str = "compliance-officer") -> Client:
    client.force_login(cast.by_role[role])
    return client


def address(cast: Cast, name: str, *args: Any) -> str:
    return reverse(name, args=[cast.organisation.slug, *args])


def test_a_policy_is_saved_shown_again_and_audited(client: Client, cast: Cast) -> None:
    rfp = workflow(cast.organisation, slug="rfp")
    page = address(cast, "retention:policy")
    assert signed_in(client, cast).get(page).status_code == 200
    assert client.post(page, FORM).status_code == 302
    found = set(RetentionRule.objects.values_list("workflow", "status", "archive_after_days", "delete_after_days"))
    assert found == {(None, "", 30, 365), (rfp.pk, "failed", 90, None), (None, "cancelled", None, 10)}
    shown = client.get(page).context["form"].initial
    assert shown["archive_after_days"] == 30 and len(shown["exceptions"]) == 2
    assert client.post(page, FORM).status_code == 302  # the same again is no change
    (entry,) = AuditEntry.objects.filter(verb="orchestration.retention.changed")
    assert entry.before == {"rules": []} and len(entry.after["rules"]) == 3
    assert client.post(page, {"archive_after_days": "", "delete_after_days": ""}).status_code == 302
    assert not RetentionRule.objects.exists()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"delete_after_days": "30"}, "It must be more than the days before archiving."),
        ({"archive_after_days": "0"}, "greater than or equal to 1"),
        ({"exceptions-0-delete_after_days": "90"}, "Row 1, delete after days: must be more than"),
        ({"exceptions-1-status": '"failed"', "exceptions-1-workflow": '"rfp"'}, "Row 2, workflow: says the same"),
        ({"exceptions-1-status": "", "exceptions-1-workflow": ""}, "Row 2, workflow: says the same"),
        ({"exceptions-1-workflow": '"nothing"'}, "Row 2, Workflow: one of"),
    ],
)
def test_a_wrong_policy_says_where_and_changes_nothing(
    client: Client, cast: Cast, changes: dict[str, str], said: str
) -> None:
    workflow(cast.organisation, slug="rfp")
    answer = signed_in(client, cast).post(address(cast, "retention:policy"), {**FORM, **changes})
    assert answer.status_code == 422 and said in answer.text
    assert not RetentionRule.objects.exists()
    preview = client.post(address(cast, "retention:preview"), {**FORM, **changes}, headers=HTMX)
    assert preview.status_code == 200 and "not right yet" in preview.text and said in preview.text


def test_before_saving_it_says_what_it_would_do_now(client: Client, cast: Cast) -> None:
    rfp = workflow(cast.organisation, slug="rfp")
    for days in (40, 50, 400):
        ended(cast.organisation, days=days)
    ended(cast.organisation, days=50, workflow=rfp, status="failed")
    ended(cast.organisation, days=20, status="cancelled")
    ended(cast.elsewhere, days=500)
    held = ended(cast.organisation, days=500)
    LegalHold.objects.create(organisation=cast.organisation, run=held, reason="x", set_by="y")
    answer = signed_in(client, cast).post(address(cast, "retention:preview"), FORM, headers=HTMX)
    preview = answer.context["preview"]
    counted = [(line.count.act, line.count.slug, line.count.status, line.count.runs) for line in preview.lines]
    assert counted == [("archive", "", "completed", 2), ("delete", "", "cancelled", 1), ("delete", "", "completed", 1)]
    assert preview.held == 1 and "2 runs will be deleted" in answer.text
    assert Run.objects.count() == 7 and not RetentionRule.objects.exists()


def test_a_run_is_held_and_let_go_on_its_page(client: Client, cast: Cast) -> None:
    run = ended(cast.organisation)
    page, hold = address(cast, "runs:detail", run.pk), address(cast, "runs:hold", run.pk)
    assert "Legal hold" in signed_in(client, cast).get(page).text  # in its menu
    assert client.post(hold, {"reason": " "}).status_code == 422
    assert client.post(hold, {"reason": "The Miller case"}).status_code == 302
    shown = client.get(page).text
    assert "The Miller case" in shown and "Neither archived nor deleted while it stands" in shown
    assert client.post(hold, {"reason": "Again"}).status_code == 409  # the page this came from showed no hold
    assert "The Miller case" in client.get(hold).text
    assert client.get(address(cast, "runs:list") + "?kept=held").context["page"].object_list[0] == run
    assert "The Miller case" in client.get(address(cast, "retention:policy")).text
    assert client.post(hold, {"reason": "Settled", "lift": "1"}).status_code == 302
    assert "The Miller case" not in client.get(page).text
    verbs = list(AuditEntry.objects.filter(verb__contains="hold").values_list("verb", flat=True))
    assert verbs == ["orchestration.run.hold_lifted"]
    assert AuditEntry.objects.get(verb="orchestration.run.held").data["reason"] == "The Miller case"


def test_a_workflow_is_held_on_its_page_and_its_runs_say_so(client: Client, cast: Cast) -> None:
    rfp = workflow(cast.organisation, slug="rfp")
    run = ended(cast.organisation, workflow=rfp)
    hold = address(cast, "workflows:hold", "rfp")
    assert signed_in(client, cast).get(hold).status_code == 200
    assert client.post(hold, {"reason": "The Miller case"}).status_code == 302
    assert "Legal hold" in client.get(address(cast, "workflows:detail", "rfp")).text
    assert "on all runs of the workflow" in client.get(address(cast, "runs:detail", run.pk)).text
    assert "By the hold of its workflow" in client.get(address(cast, "runs:hold", run.pk)).text
    assert client.post(hold, {"reason": "Settled", "lift": "1"}).status_code == 302
    assert not LegalHold.objects.filter(lifted_at=None).exists()


def test_archived_runs_wear_a_badge_and_can_be_filtered(client: Client, cast: Cast) -> None:
    old, new = ended(cast.organisation, days=50), ended(cast.organisation, days=1)
    rule(cast.organisation, archive=30)
    batches.archive(cast.organisation)
    signed_in(client, cast, "viewer")
    assert "Packed away; it reads as before" in client.get(address(cast, "runs:detail", old.pk)).text
    for kept, found in (("archived", old), ("rows", new)):
        (shown,) = client.get(address(cast, "runs:list") + f"?kept={kept}").context["page"].object_list
        assert shown == found
    totals = client.get(address(cast, "runs:list")).context["page"].object_list
    assert {run.pk for run in totals} == {old.pk, new.pk}


def test_a_re_run_of_a_deleted_run_is_readable(client: Client, cast: Cast) -> None:
    again = ended(cast.organisation, days=1, origin_node="a")
    again.events.filter(seq=1).update(data={"inputs": {}, "reused": [{"node": "a"}]})
    page = signed_in(client, cast, "viewer").get(address(cast, "runs:detail", again.pk) + "?step=a").text
    assert "of a run that has been deleted" in page and "taken over from a run that has been deleted" in page


@pytest.mark.parametrize("role", ["viewer", "designer", "operator", "approver"])
def test_others_may_not(client: Client, cast: Cast, role: str) -> None:
    run = ended(cast.organisation)
    signed_in(client, cast, role)
    assert client.post(address(cast, "retention:policy"), FORM).status_code == 403
    assert client.post(address(cast, "runs:hold", run.pk), {"reason": "x"}).status_code == 403
    assert "Legal hold…" not in client.get(address(cast, "runs:detail", run.pk)).text
    token = bearer(make_token(cast.organisation, cast.by_role[role]))
    assert client.get("/api/v1/retention", headers=token).status_code == 403


def test_the_policy_by_api(client: Client, cast: Cast) -> None:
    workflow(cast.organisation, slug="rfp")
    ended(cast.organisation, days=50)
    token = bearer(make_token(cast.organisation, cast.by_role["compliance-officer"]))
    rules = [
        {"workflow": None, "status": None, "archive_after_days": 30, "delete_after_days": 365},
        {"workflow": "rfp", "status": "failed", "archive_after_days": 90, "delete_after_days": None},
    ]

    def call(method: str, path: str, body: Any = None) -> Any:
        return client.generic(method, f"/api/v1{path}", content_type="application/json", headers=token, **_data(body))

    assert call("GET", "/retention").json() == {"rules": []}
    (line,) = call("POST", "/retention/preview", {"rules": rules}).json()["archive"]
    assert (line["workflow"], line["status"], line["runs"], line["rule"]) == (None, "completed", 1, rules[0])
    assert call("PUT", "/retention", {"rules": rules}).json() == {"rules": rules}
    assert call("GET", "/retention").json() == {"rules": rules}
    for wrong, place in (
        ([{"workflow": "nothing"}], "$.rules[0].workflow"),
        ([rules[0], {"archive_after_days": 1}], "$.rules[1].workflow"),
        ([{"status": "running", "archive_after_days": 1}], "$.rules[0].status"),
        ([{"archive_after_days": 9, "delete_after_days": 9}], "$.rules[0].delete_after_days"),
        ([{"delete_after_days": -1}], "$.rules[0].delete_after_days"),
    ):
        answer = call("PUT", "/retention", {"rules": wrong})
        assert (answer.status_code, answer.json()["problems"][0]["path"]) == (422, place)
    assert call("GET", "/retention").json() == {"rules": rules}


def test_holds_by_api(client: Client, cast: Cast) -> None:
    rfp = workflow(cast.organisation, slug="rfp")
    run = ended(cast.organisation, workflow=rfp)
    token = bearer(make_token(cast.organisation, cast.by_role["compliance-officer"]))

    def post(path: str, reason: str = "x") -> Any:
        body = {"reason": reason}
        return client.post(f"/api/v1{path}", body, content_type="application/json", headers=token)

    assert not client.get(f"/api/v1/runs/{run.pk}", headers=token).json()["held"]
    assert post(f"/runs/{run.pk}/hold").status_code == 201
    assert post(f"/runs/{run.pk}/hold").json()["code"] == "already_held"
    assert post("/workflows/rfp/hold").status_code == 201
    assert client.get(f"/api/v1/runs/{run.pk}", headers=token).json()["held"]
    standing = client.get("/api/v1/retention/holds", headers=token).json()
    assert {(hold["run"], hold["workflow"]) for hold in standing} == {(str(run.pk), None), (None, "rfp")}
    assert [found["id"] for found in client.get("/api/v1/runs?kept=held", headers=token).json()] == [str(run.pk)]
    assert post(f"/runs/{run.pk}/hold", "").status_code == 422
    assert post(f"/runs/{run.pk}/hold/lift").json()["lifted_because"] == "x"
    assert post(f"/runs/{run.pk}/hold/lift").json()["code"] == "not_held"
    assert post("/workflows/rfp/hold/lift").status_code == 200
    assert post("/runs/00000000-0000-0000-0000-000000000000/hold").status_code == 404


def _data(body: Any) -> dict[str, Any]:
    return {} if body is None else {"data": json.dumps(body)}
