"""The portal as its users meet it: two people, two browsers, real processes, the samples with their real texts."""

import re
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import NewContext, watch
from tests.portal_process import PortalProcess

pytestmark = [pytest.mark.browser, pytest.mark.processes]

SECONDS = 1000
MOMENT = 60 * SECONDS


class Person:
    """Somebody at a browser of their own, signed in; `done` says what the browser complained of."""

    def __init__(self, portal: PortalProcess, new_context: NewContext, name: str, **options: object) -> None:
        self.portal, self.page = portal, new_context(**options).new_page()
        self.complaints = watch(self.page)
        self.page.goto(f"{portal.address}/")
        self.page.get_by_label("Username").fill(name)
        self.page.get_by_label("Password").fill(portal.logins[name])
        self.page.get_by_role("button", name="Sign in").click()
        expect(self.page.get_by_role("heading", level=1, name="Home")).to_be_visible()

    def go(self, path: str) -> Page:
        self.page.goto(f"{self.portal.address}/o/demo/{path}")
        return self.page


@pytest.fixture
def admin(portal_process: PortalProcess, new_context: NewContext) -> Iterator[Person]:
    person = Person(portal_process, new_context, "admin")
    yield person
    assert not person.complaints


@pytest.fixture
def approver(portal_process: PortalProcess, new_context: NewContext) -> Iterator[Person]:
    person = Person(portal_process, new_context, "approver")
    yield person
    assert not person.complaints


def start_example(person: Person, workflow: str) -> Page:
    page = person.go("workflows/")
    page.get_by_role("link", name=workflow, exact=True).click()
    page.get_by_role("link", name="Start", exact=True).click()
    page.get_by_role("link", name="Use the example").click()
    page.get_by_role("button", name="Start").click()
    page.wait_for_url(re.compile(r"/runs/[0-9a-f-]{36}/"))
    return page


def status(page: Page, word: str) -> None:
    expect(page.locator("#run-status")).to_contain_text(word, timeout=MOMENT)


def decided(page: Page) -> AbstractContextManager[object]:
    """Within it the page says a decision, and at its end the portal has answered: it is kept."""
    return page.expect_response(lambda answer: answer.request.method == "POST")


def test_a_request_for_proposals_becomes_a_proposal_with_a_persons_consent(
    admin: Person, approver: Person, tmp_path: Path
) -> None:
    page = start_example(admin, "RFP response")
    # It moves by itself: no reload from here on.
    status(page, "Waiting")
    legal = page.locator('#run-graph [data-node="legal_review"] .graph-node')
    expect(legal).to_have_attribute("data-status", "waiting", timeout=MOMENT)
    expect(page.locator('#run-graph .graph-node[data-status="succeeded"]').nth(2)).to_be_attached()

    desk = approver.page
    expect(desk.locator('[data-count="inbox"]').first).to_have_text("1", timeout=MOMENT)
    desk.get_by_role("navigation").get_by_role("link", name=re.compile("Inbox")).first.click()
    desk.locator(".inbox-row").first.click()
    expect(desk.locator(".inbox-read")).to_contain_text(re.compile("risk", re.IGNORECASE))
    desk.get_by_label("Comment").fill("The liability cap is fine.")
    desk.get_by_role("button", name="Approve").click()

    status(page, "Completed")
    expect(page.locator("#results")).to_contain_text("Proposal", ignore_case=True)
    with page.expect_download() as download:
        page.locator("#results").get_by_role("link", name="Download proposal").click()
    proposal = Path(download.value.path()).read_text(encoding="utf-8")
    assert proposal.startswith("#") and len(proposal) > 1500
    # Its neighbour in the ledger: who decided, and by what right.
    admin.go("audit/?q=approvals.request.decided")
    expect(admin.page.get_by_role("main")).to_contain_text("approver")


def test_a_diff_is_reviewed_and_its_faults_are_named(admin: Person, approver: Person) -> None:
    page = start_example(admin, "Code review")
    expect(page.locator("#run-status")).to_contain_text(re.compile("Waiting|Completed"), timeout=MOMENT)
    if "Waiting" in page.locator("#run-status").inner_text():
        page.get_by_role("link", name="Open the request").first.click()
        address = page.url
        page.go_back()
        approver.page.goto(address)
        approver.page.locator(".inbox-options button").first.click()
    status(page, "Completed")
    expect(page.locator("#results")).to_contain_text(re.compile("security", re.IGNORECASE))


def test_comments_are_moderated_and_the_doubtful_ones_are_asked_about(admin: Person, approver: Person) -> None:
    page = start_example(admin, "Content moderation")
    desk = approver.page
    end = time.monotonic() + MOMENT / SECONDS
    while "Completed" not in page.locator("#run-status").inner_text() and time.monotonic() < end:
        approver.go("inbox/")
        row = desk.locator(".inbox-row")
        if row.count():
            row.first.click()
            with decided(desk):
                desk.locator(".inbox-options button").first.click()
        else:
            page.wait_for_timeout(250)
    status(page, "Completed")
    page.get_by_role("row", name=re.compile("Judge the comment")).get_by_role("link").first.click()
    expect(page.get_by_role("link", name=re.compile("Iteration")).first).to_be_visible()


def test_the_same_decision_page_open_twice_decides_once(admin: Person, approver: Person) -> None:
    page = start_example(admin, "RFP response")
    status(page, "Waiting")
    page.get_by_role("link", name="Open the request").click()
    address = page.url
    second = approver.page.context.new_page()
    approver.page.goto(address)
    second.goto(address)
    with decided(approver.page):
        approver.page.get_by_role("button", name="Approve").click()
    second.get_by_role("button", name="Approve").click()
    expect(second.get_by_role("main")).to_contain_text("Already decided")


def test_a_run_can_be_followed_and_cancelled_by_keyboard_on_a_phone(
    portal_process: PortalProcess, new_context: NewContext
) -> None:
    person = Person(portal_process, new_context, "admin", width=390, height=800)
    page = start_example(person, "RFP response")
    status(page, "Waiting")
    overflow = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert overflow <= 0, "the page is wider than the phone"
    page.locator("#run-actions").get_by_role("button", name="Cancel").focus()
    page.keyboard.press("Enter")
    page.get_by_role("dialog").get_by_role("button").last.focus()
    page.keyboard.press("Enter")
    status(page, "Cancelled")
    assert not person.complaints


def test_a_wrong_input_is_told_at_its_field_and_nothing_typed_is_lost(admin: Person) -> None:
    page = admin.go("workflows/rfp-response/start/")
    others = page.locator("form.start-form textarea, form.start-form input[type=text]")
    typed = others.nth(1)
    typed.fill("Something typed")
    page.locator("form.start-form").evaluate("form => form.noValidate = true")
    page.get_by_role("button", name="Start").click()
    expect(page.locator(".field-invalid").first).to_be_visible()
    expect(typed).to_have_value("Something typed")
    admin.complaints[:] = [one for one in admin.complaints if "422" not in one]  # the refusal itself
