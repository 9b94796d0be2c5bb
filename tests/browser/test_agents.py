"""Agents in a browser, with real processes: find one, try it and see its answer come, manage it."""

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


def test_typing_narrows_the_catalogue_without_loading_the_page_and_the_address_keeps_it(admin: Person) -> None:
    page = admin.go("agents/")
    page.evaluate("window.same = true")
    page.keyboard.press("/")
    page.keyboard.type("pricin", delay=30)
    expect(page).to_have_url(re.compile(r"\?q=pricin$"))
    expect(page.get_by_role("link", name="Pricing analyst")).to_be_visible()
    page.get_by_label("Domain").select_option("legal")
    expect(page.get_by_text("No agent matches")).to_be_visible()
    expect(page).to_have_url(re.compile(r"q=pricin&domain=legal"))
    assert page.evaluate("window.same") is True
    page.go_back()
    expect(page.get_by_role("link", name="Pricing analyst")).to_be_visible()


def test_an_agent_is_tried_and_its_answer_comes_by_itself(admin: Person) -> None:
    page = admin.go("agents/summariser/")
    page.get_by_role("main").get_by_role("link", name="Try it").first.click()
    text = "The bridge closes on 4 May 2027 for nine weeks. Detours lead over the old road. It costs EUR 1.2 million."
    page.locator("textarea[required]").first.fill(text)
    page.get_by_role("button", name="Run the agent").click()
    answer = page.locator("#answer")
    expect(answer.get_by_text("Completed")).to_be_visible(timeout=MOMENT)
    expect(answer).to_contain_text("4 May 2027")
    expect(answer).to_contain_text("offline (not a language model)")
    address = page.url
    assert "?run=" in address
    page.goto(address)
    expect(page.locator("textarea[required]").first).to_have_value(text)
    expect(page.get_by_text("Your earlier trials")).to_be_visible()


def test_a_failure_is_told_with_its_attempts(admin: Person) -> None:
    page = admin.go("agents/flaky/try/")
    page.get_by_label("Failures").fill("9")
    page.get_by_role("button", name="Run the agent").click()
    answer = page.locator("#answer")
    expect(answer.get_by_text("Failed", exact=True)).to_be_visible(timeout=MOMENT)
    expect(answer).to_contain_text("Attempt 3 fails, as asked.")


def test_somebody_who_does_not_program_changes_a_prompt_in_the_administration(admin: Person) -> None:
    page = admin.go("agents/translator/")
    page.get_by_role("main").locator("summary", has_text="More").click()
    page.get_by_role("link", name="Edit in the administration").click()
    prompt = page.get_by_label("System prompt")
    prompt.fill(prompt.input_value() + "\n- Address the reader formally.")
    page.get_by_label("What is new").fill("Formal address")
    expect(page.get_by_label("Settings", exact=True)).to_be_hidden()  # only what the kind uses is shown
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("Version 2 is published.")).to_be_visible()
    admin.go("agents/translator/versions/")
    expect(page.get_by_text("Formal address")).to_be_visible()
    expect(page.get_by_text("+- Address the reader formally.")).to_be_visible()
