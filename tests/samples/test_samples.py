"""The ready workflows do real work, without any model: each runs to its end and says what is in its material."""

import asyncio
import re
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import pytest

from agents.llm import router
from agents.models import Agent
from approvals.models import ApprovalRequest
from orchestration.models import Workflow
from orchestration.samples import sample, samples
from orchestration.services import definitions, workflows
from orchestration.services import samples as loader
from portal.core.actors import Actor
from tests.cast import Cast
from tests.engine_host import EngineHost
from tests.samples.running import outputs_of, run_to_end, start_sample

pytestmark = pytest.mark.django_db(transaction=True)

REQUIREMENTS = [f"F-{n:02d}" for n in range(1, 12)] + [f"T-{n:02d}" for n in range(1, 12)]
REQUIREMENTS += [f"A-{n:02d}" for n in range(1, 4)] + [f"S-{n:02d}" for n in range(1, 6)]


def choosing(*wishes: str, comment: str = "") -> Any:
    """Takes the first of the wishes that the request offers."""

    def verdict(request: ApprovalRequest) -> tuple[str, str]:
        ports = {option["port"] for option in request.options}
        return next(wish for wish in wishes if wish in ports), comment

    return verdict


# -- RFP response -----------------------------------------------------------------------------------------------------


def test_approved_proposal_answers_every_requirement(engine: EngineHost, cast: Cast) -> None:
    run = run_to_end(engine, cast, start_sample(cast, "rfp-response"), choosing("approve"))
    proposal = run.outputs["proposal"]
    assert run.outputs["client"] == "City of Rivermouth"
    assert run.outputs["decision"] == "approve"
    assert run.outputs["requirements"] == len(REQUIREMENTS)
    for number in REQUIREMENTS:
        assert f"| {number} |" in proposal, number
    for heading in (
        "Executive summary",
        "Technical approach",
        "Delivery plan",
        "Price",
        "About us",
        "Annex A",
        "Annex B",
    ):
        assert re.search(rf"^## {heading}", proposal, re.M), heading
    # What the company can do is quoted, what it cannot is said.
    rows = {row["id"]: row for row in outputs_of(run, "matrix")["rows"]}
    assert rows["F-05"]["status"] == "covered" and "PayPal" in rows["F-05"]["response"]
    assert rows["A-01"]["status"] == "covered" and "WCAG 2.2" in rows["A-01"]["response"]
    assert rows["F-08"]["status"] == "open"
    assert {"2027-02-26", "2027-11-15"} <= {row["date"] for row in outputs_of(run, "analyse")["deadlines"]}
    assert "EUR 780,000" in outputs_of(run, "analyse")["budget"]
    assert "not a language model" in proposal


def test_sums_of_the_price_are_right(engine: EngineHost, cast: Cast) -> None:
    inputs = {**sample("rfp-response").example, "hourly_rate": 97.35, "contingency_percent": 7.5, "currency": "CHF"}
    run = run_to_end(engine, cast, start_sample(cast, "rfp-response", inputs), choosing("approve"))
    quote = outputs_of(run, "quote")
    for line in quote["lines"]:
        assert Decimal(str(line["amount"])) == Decimal(str(line["hours"])) * Decimal("97.35")
    subtotal = sum(Decimal(str(line["amount"])) for line in quote["lines"])
    contingency = (subtotal * Decimal("0.075")).quantize(Decimal("0.01"), ROUND_HALF_UP)
    assert Decimal(str(quote["subtotal"])) == subtotal
    assert Decimal(str(quote["total"])) == subtotal + contingency
    assert run.outputs["total"] == quote["total"]
    assert f"CHF {quote['total']:,.2f}" in run.outputs["proposal"]
    covered = {number for line in outputs_of(run, "estimate")["work_packages"] for number in line["requirement_ids"]}
    assert covered == set(REQUIREMENTS), "each requirement is in a work package"


def test_legal_review_shows_the_dangerous_clauses(engine: EngineHost, cast: Cast) -> None:
    seen: list[ApprovalRequest] = []

    def verdict(request: ApprovalRequest) -> tuple[str, str]:
        seen.append(request)
        return "approve", ""

    run = run_to_end(engine, cast, start_sample(cast, "rfp-response"), verdict)
    [request] = seen
    assert request.recommended == "request_changes"
    risks = next(item["value"] for item in request.context if item["label"] == "Risks")
    for clause in ("liable without limit", "without an upper limit", "at any time without giving a reason", "60 days"):
        assert clause in risks, clause
    worst = {risk["title"] for risk in outputs_of(run, "legal")["risks"] if risk["severity"] == "critical"}
    assert worst == {"Unlimited liability", "Penalty without a cap"}


def test_changes_are_asked_for_and_reviewed_again(engine: EngineHost, cast: Cast) -> None:
    note = "Ask for a cap on the penalty."
    verdict = choosing("request_changes", "approve", comment=note)
    run = run_to_end(engine, cast, start_sample(cast, "rfp-response"), verdict)
    assert list(ApprovalRequest.objects.filter(run_id=run.pk).order_by("opened_at").values_list("node", flat=True)) == [
        "legal_review",
        "second_review",
    ]
    assert note in run.outputs["proposal"]
    assert "Deviation on “Unlimited liability”" in run.outputs["proposal"]


def test_rejected_offer_ends_with_a_letter(engine: EngineHost, cast: Cast) -> None:
    verdict = choosing("reject", comment="Too much risk for us.")
    run = run_to_end(engine, cast, start_sample(cast, "rfp-response"), verdict)
    assert run.outputs["proposal"] == ""
    assert "City of Rivermouth" in run.outputs["letter"]
    assert "We do not hand in an offer this time." in run.outputs["letter"]
    assert "Too much risk" not in run.outputs["letter"], "what we think among ourselves stays here"


def test_other_requests_work_as_well(engine: EngineHost, cast: Cast) -> None:
    rfp = """
    Invitation to tender: Cleaning of the town library

    On behalf of the Municipality of Lower Aston, we invite offers for daily cleaning.

    Requirements
    - The contractor must clean 2,400 square metres on six days a week before 08:00.
    - Only products with an eco-label shall be used.
    - Windows should be cleaned twice a year.

    Offers must reach us by 3 March 2027. The budget is GBP 48,000 a year. Invoices are paid within 90 days.
    """
    run = run_to_end(engine, cast, start_sample(cast, "rfp-response", {"rfp": rfp}), choosing("approve"))
    assert run.outputs["client"] == "Municipality of Lower Aston"
    texts = [row["text"] for row in outputs_of(run, "analyse")["requirements"]]
    for words in ("2,400 square metres", "eco-label", "Windows should be cleaned"):
        assert any(words in text for text in texts), words
        assert words in run.outputs["proposal"]
    assert any("90 days" in risk["quote"] for risk in outputs_of(run, "legal")["risks"])


# -- code review ------------------------------------------------------------------------------------------------------

PLANTED = [
    ("critical", "shop/orders/services.py", 13, "Secret in the source code"),
    ("critical", "shop/orders/services.py", 25, "SQL put together from strings"),
    ("critical", "shop/orders/services.py", 41, "Command run through a shell"),
    ("critical", "shop/orders/services.py", 61, "Unsafe deserialisation"),
    ("high", "shop/orders/services.py", 31, "Mutable default argument"),
    ("high", "shop/orders/services.py", 36, "Query inside a loop (N+1)"),
    ("high", "shop/orders/services.py", 51, "TLS certificates are not checked"),
    ("high", "shop/orders/services.py", 55, "Bare except"),
    ("high", "shop/orders/services.py", 65, "Weak hash function"),
    ("high", "shop/orders/views.py", 21, "Escaping switched off"),
    ("high", "shop/orders/views.py", 25, "CSRF protection switched off"),
    ("high", "shop/orders/views.py", 28, "Secret written to the log"),
    ("high", "shop/orders/views.py", 34, "File name from outside"),
    ("high", "shop/static/js/search.js", 10, "Unescaped text put into the page"),
    ("high", "shop/static/js/search.js", 12, "Query inside a loop (N+1)"),
    ("medium", "shop/orders/services.py", 47, "Request without a time limit"),
    ("medium", "tests/orders/test_services.py", 23, "Test switched off"),
]


def test_review_finds_what_was_planted(engine: EngineHost, cast: Cast) -> None:
    run = run_to_end(engine, cast, start_sample(cast, "code-review"), choosing("block"))
    found = {(one["severity"], one["file"], one["line"], one["title"]) for one in run.outputs["findings"]}
    assert set(PLANTED) <= found, set(PLANTED) - found
    assert run.outputs["verdict"] == "request_changes"
    report = run.outputs["report"]
    assert "`shop/orders/services.py:25`" in report
    assert "Hold it back, by approver" in report
    assert "wh_live_9f8e7d6c5b4a39281706" not in report, "a secret that was found is not spread further"
    assert run.outputs["counts"]["critical"] == 4
    # Each reviewer stayed with its own subject.
    areas = {node: {one["title"] for one in outputs_of(run, node)["findings"]} for node in ("security", "performance")}
    assert not areas["security"] & areas["performance"]


def test_accepted_risk_is_in_the_report_with_its_reason(engine: EngineHost, cast: Cast) -> None:
    verdict = choosing("accept_risk", comment="Internal tool, goes away in May.")
    run = run_to_end(engine, cast, start_sample(cast, "code-review"), verdict)
    assert run.outputs["verdict"] == "approved with accepted risk"
    assert "Internal tool, goes away in May." in run.outputs["report"]


def test_harmless_change_needs_nobody(engine: EngineHost, cast: Cast) -> None:
    diff = """--- a/shop/prices.py
+++ b/shop/prices.py
@@ -3,4 +3,5 @@ def net(gross, rate):
     if rate < 0:
         raise ValueError("A rate is not negative.")
-    return gross / (1 + rate)
+    exact = gross / (1 + rate)
+    return exact.quantize(CENT)
"""
    run = run_to_end(engine, cast, start_sample(cast, "code-review", {"diff": diff}), choosing())
    assert run.outputs["verdict"] == "approve"
    assert "No findings" in run.outputs["report"] and "What to repair" not in run.outputs["report"]
    assert not ApprovalRequest.objects.filter(run_id=run.pk).exists()


# -- content moderation -----------------------------------------------------------------------------------------------

REMOVED = {3: "spam", 4: "harassment", 6: "personal_data", 8: "hate", 9: "threat", 11: "spam"}
DOUBTFUL = {14: "misinformation", 15: "self_harm", 17: "harassment", 18: "spam"}


def test_moderation_decides_the_clear_and_asks_about_the_doubtful(engine: EngineHost, cast: Cast) -> None:
    asked: list[str] = []

    def verdict(request: ApprovalRequest) -> tuple[str, str]:
        asked.append(request.title)
        return ("allow" if "misinformation" in request.title else "remove"), ""

    run = run_to_end(engine, cast, start_sample(cast, "content-moderation"), verdict)
    decisions = {row["number"]: row for row in run.outputs["decisions"]}
    assert len(decisions) == 19
    assert {number: row["category"] for number, row in decisions.items() if row["category"] != "ok"} == {
        **REMOVED,
        **DOUBTFUL,
    }
    assert {number for number, row in decisions.items() if row["decided_by"] == "approver"} == set(DOUBTFUL)
    assert {number for number, row in decisions.items() if row["decision"] == "remove"} == {*REMOVED, 15, 17, 18}
    assert len(asked) == 4
    assert run.outputs["counts"]["decision"] == {"allow": 10, "remove": 9}
    assert "10 stay, 9 are removed; 4 were decided by a person." in run.outputs["report"]


# -- loading ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("slug", [one.slug for one in samples()])
def test_definitions_are_without_fault(cast: Cast, slug: str) -> None:
    assert definitions.problems_of(cast.organisation, sample(slug).definition) == []


def test_loading_again_changes_nothing_and_leaves_edits_alone(cast: Cast) -> None:
    again = loader.load(cast.organisation, Actor.command())
    assert again.unchanged == [one.slug for one in samples()]
    workflow = Workflow.objects.get(organisation=cast.organisation, slug="code-review")
    edited = {**workflow.draft, "description": "Ours"}
    workflows.save_draft(workflow=workflow, definition=edited, revision=workflow.draft_revision, actor=Actor.command())
    assert loader.load(cast.organisation, Actor.command()).kept == ["code-review"]
    workflow.refresh_from_db()
    assert workflow.draft["description"] == "Ours"


def test_every_agent_of_the_samples_is_in_the_catalogue(cast: Cast) -> None:
    named = {
        node["settings"]["agent"] for one in samples() for node in one.definition["nodes"] if node["type"] == "agent"
    }
    there = set(Agent.objects.filter(organisation=cast.organisation).values_list("slug", flat=True))
    assert named <= there


def test_nothing_but_the_offline_model_answers_here(cast: Cast) -> None:
    [target] = asyncio.run(router.resolve(cast.organisation.pk, "quality"))
    assert target.offline
