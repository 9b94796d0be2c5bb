"""Triggers in a browser, with real processes: make a schedule and a webhook, and try them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import NewContext
from tests.browser.test_stories import MOMENT, Person
from tests.portal_process import PortalProcess

pytestmark = [pytest.mark.browser, pytest.mark.processes]


@pytest.fixture
def admin(portal_process: PortalProcess, new_context: NewContext) -> Iterator[Person]:
    person = Person(portal_process, new_context, "admin")
    yield person
    assert not person.complaints


def test_a_schedule_is_made_and_tried(admin: Person) -> None:
    page = admin.go("workflows/rfp-response/")
    page.get_by_role("link", name="Triggers").click()
    page.get_by_role("link", name="New schedule").click()
    page.get_by_label("Name").fill("Every morning")
    page.get_by_label("Schedule").fill("0 9 * * 1-5")
    page.get_by_label("Time zone").select_option("Europe/Berlin")
    page.get_by_label("Inputs of the runs").fill(
        json.dumps({"rfp": "Tender of {{ due_at }}: a bridge over the river, to be built within two years."})
    )
    page.get_by_role("button", name="Create and switch on").click()
    expect(page.get_by_role("heading", name="Every morning")).to_be_visible()
    expect(page.get_by_text(re.compile(r"\d{4}, 09:00 CES?T"))).to_have_count(5)
    page.get_by_role("button", name="Show the inputs").click()
    expect(page.get_by_text("It would start with these inputs")).to_be_visible()


def test_a_webhook_is_made_and_starts_a_test_run(admin: Person) -> None:
    page = admin.go("workflows/rfp-response/triggers/new/webhook/")
    page.get_by_label("Name").fill("From the mail room")
    page.get_by_label("Inputs of the runs").fill(json.dumps({"rfp": "{{ body.text }}"}))
    page.get_by_role("button", name="Create and switch on").click()
    expect(page.get_by_text("Copy the secret now")).to_be_visible()
    expect(page.get_by_text(re.compile(r"/hooks/demo/[\w-]{32}")).first).to_be_visible()
    page.get_by_label("Body of the call").fill(
        json.dumps({"text": "We need a bridge over the river by May, with two lanes, a path for bicycles and lights."})
    )
    page.get_by_role("button", name="Start a test run").click()
    expect(page).to_have_url(re.compile(r"/runs/[0-9a-f-]{36}/$"), timeout=MOMENT)
    expect(page.get_by_text("Test", exact=True)).to_be_visible()
    page.get_by_role("link", name="From the mail room").click()
    history = page.locator("#history")
    expect(history.get_by_text("Started")).to_be_visible()
    expect(history.get_by_text("Test", exact=True)).to_be_visible()
