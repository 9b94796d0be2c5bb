"""What recovery and control look like to a person at a browser: child runs, the bell, a failed step, undoing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from orchestration.models import NodeRun, Run
from tests.browser.conftest import NewContext, watch
from tests.browser.test_steering import cast, check, signed_in
from tests.cast import Cast
from tests.driver.test_runs import scripted
from tests.engine_host import EngineHost, make_definition, start, wait_until
from tests.nodes.test_subworkflow import begin, child_of, publish, sub

pytestmark = [
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("scripted_nodes"),
]
__all__ = ["cast", "signed_in"]


@pytest.fixture
def page(new_context: NewContext) -> Iterator[Page]:
    """Here a form is refused, which the browser notes as an error."""
    page = new_context().new_page()
    problems = watch(page)
    yield page
    assert not [problem for problem in problems if "422" not in problem]


def the_page_of(run: Run, live_server: LiveServer) -> str:
    return f"{live_server.url}/o/acme/runs/{run.pk}/"


def named(name: str, node: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {**node, "name": name, **more}


def test_from_a_run_to_the_one_it_began_and_back(
    signed_in: Page, live_server: LiveServer, cast: Cast, engine: EngineHost
) -> None:
    hour = {"id": "hour", "type": "delay", "name": "Wait an hour", "settings": {"seconds": 3600}}
    publish(cast.organisation, "child", named("Look it up", scripted("look")), hour)
    run = begin(publish(cast.organisation, "parent", named("Check the supplier", sub())))
    child = engine.wait_for(child_of(run), "waiting")
    engine.wait_for(run, "waiting")
    page = signed_in
    page.goto(the_page_of(run, live_server))
    page.get_by_role("row", name=re.compile("Check the supplier")).get_by_role("link").first.click()
    panel = page.get_by_role("complementary", name="Check the supplier")
    expect(panel).to_contain_text("Waits for run")
    check(page, "parent")
    panel.get_by_role("link", name=re.compile(str(child.pk)[:8])).click()
    expect(page.get_by_role("row", name=re.compile("Wait an hour"))).to_be_visible()
    page.get_by_text("Part of").get_by_role("link").first.click()
    expect(panel).to_be_visible()
    expect(page).to_have_url(re.compile(f"{run.pk}/\\?step=sub"))


def test_the_bell_counts_and_leads_to_what_it_tells(
    signed_in: Page, live_server: LiveServer, cast: Cast, engine: EngineHost
) -> None:
    page = signed_in
    page.goto(f"{live_server.url}/o/acme/notifications/")
    expect(page.get_by_text("Nobody has told you anything yet")).to_be_visible()
    tell = {"users": ["operator"], "title": "The bill is paid", "message": "**4,200 USD** have gone out."}
    run = engine.wait_for(
        start(cast.organisation, make_definition([{"id": "tell", "type": "notify", "settings": tell}]))
    )
    page.goto(the_page_of(run, live_server))
    bell = page.get_by_role("navigation", name="Main").get_by_role("link", name=re.compile("Notifications"))
    expect(bell.locator("[data-count=notifications]")).to_have_text("1")
    bell.click()
    told = page.get_by_role("listitem").filter(has_text="The bill is paid")
    expect(told.locator("strong")).to_have_text("4,200 USD")
    check(page, "notifications")
    told.get_by_role("button", name="Open The bill is paid").click()
    expect(page).to_have_url(re.compile(str(run.pk)))
    expect(bell.locator("[data-count=notifications]")).to_be_empty()


def test_a_failed_step_is_mended_and_tried_again(
    signed_in: Page, live_server: LiveServer, cast: Cast, engine: EngineHost
) -> None:
    broken = scripted("charge", crash="", fail_times=99, retryable=False, outputs={"paid": True})
    nodes = [
        named("Charge the card", broken, escalate={"role": "operator"}),
        named("Send the ticket", scripted("send")),
    ]
    run = start(cast.organisation, make_definition(nodes, ["charge -> send"]))
    engine.wait_for(run, "waiting")
    page = signed_in
    page.goto(the_page_of(run, live_server))
    page.get_by_role("link", name="Open the request").first.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("“Charge the card” has failed")
    page.locator("summary", has_text="Edit and try again").focus()
    page.keyboard.press("Enter")
    settings = page.get_by_label("Settings of the step")
    wanted = settings.input_value().replace('"fail_times": 99', '"fail_times": 0')
    check(page, "escalation")
    settings.fill("{ not json")
    page.get_by_label("Comment").fill("The limit was raised")
    with page.expect_response(lambda answer: answer.status == 422):
        page.get_by_role("button", name="Try again with these").click()
    expect(page.get_by_text("This is not JSON")).to_be_visible()
    expect(settings).to_have_value("{ not json")
    expect(settings).to_have_attribute("aria-invalid", "true")
    expect(settings).to_be_focused()
    expect(page.get_by_label("Comment")).to_have_value("The limit was raised")
    settings.fill(wanted)
    page.get_by_role("button", name="Try again with these").click()
    expect(page.get_by_text("The run goes on")).to_be_visible()
    engine.wait_for(run)
    page.goto(f"{the_page_of(run, live_server)}?step=charge")
    expect(page.get_by_text("try again with other settings.")).to_be_visible()


def test_a_run_is_cancelled_and_undone(
    signed_in: Page, live_server: LiveServer, cast: Cast, engine: EngineHost
) -> None:
    nodes = [
        named("Reserve the seat", scripted("seat"), compensate_with="release"),
        named("Release the seat", scripted("release")),
        {"id": "day", "type": "delay", "name": "Hold for a day", "settings": {"seconds": 86400}},
    ]
    run = engine.wait_for(start(cast.organisation, make_definition(nodes, ["seat -> day"])), "waiting")
    page = signed_in
    page.goto(the_page_of(run, live_server))
    undo = page.locator('#run-graph [data-node="release"] .graph-undo')
    expect(undo).to_have_attribute("data-status", "pending")
    expect(page.get_by_role("row", name=re.compile("Release the seat"))).to_contain_text("Only to undo")
    button = page.get_by_role("button", name="Cancel and undo")
    button.click()
    dialog = page.get_by_role("dialog", name="Cancel this run and undo what it did?")
    expect(dialog).to_contain_text("Reserve the seat")
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(button).to_be_focused()
    button.click()
    with page.expect_response(lambda answer: "hx-request" in answer.request.headers):
        page.evaluate("document.body.dispatchEvent(new CustomEvent('live:run'))")  # while the question is open
    dialog.get_by_role("button", name="Cancel and undo").click()
    engine.wait_for(run, "cancelled")
    wait_until(lambda: NodeRun.objects.filter(run=run, node="release", status="succeeded").exists(), 10, "the undoing")
    page.goto(the_page_of(run, live_server))
    expect(page.get_by_text("Undone, the latest first: Reserve the seat.")).to_be_visible()
    expect(page.get_by_role("row", name=re.compile("^Reserve the seat"))).to_contain_text("Undone")
    expect(undo).to_have_attribute("data-status", "succeeded")
    check(page, "undone")
