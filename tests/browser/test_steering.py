"""Steering a run in a browser: the dry run of a re-run, then the linked run; no page breaks a rule of accessibility."""

import os
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from orchestration.models import Run
from orchestration.services import new_runs
from portal.core.actors import Actor
from tests.cast import Cast, make_cast
from tests.driver.test_runs import scripted
from tests.driver.test_steering import published
from tests.engine_host import EngineHost, make_definition

pytestmark = [
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("scripted_nodes"),
]

WCAG = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}


@pytest.fixture
def cast() -> Cast:
    return make_cast()


@pytest.fixture
def run(engine: EngineHost, cast: Cast) -> Run:
    """Two steps done, waiting at the third; a newer version is there."""
    steps = [
        {**scripted("draft", outputs={"text": "A long letter", "words": 420}), "name": "Write the letter"},
        {**scripted("price", outputs={"usd": 12}), "name": "Price it"},
        {"id": "wait", "type": "delay", "name": "Wait for Monday", "settings": {"seconds": 86400}},
        {**scripted("send"), "name": "Send it", "delivery": "at_most_once"},
    ]
    edges = ["draft -> wait", "price -> wait", "wait -> send"]
    variables = {"currency": {"type": "string", "title": "Currency", "default": "USD"}}
    old = make_definition(steps, edges, variables=variables, name="Letters")
    more = [*steps, {**scripted("archive"), "name": "Archive it"}]
    new = make_definition(more, [*edges, "send -> archive"], variables=variables, name="Letters")
    first, _ = published(cast.organisation, old, new)
    started = new_runs.start_run(
        new_runs.NewRun(organisation=cast.organisation, actor=Actor.command(), version=first, inputs={"to": "Eve"})
    )
    return engine.wait_for(started, "waiting")


@pytest.fixture
def signed_in(page: Page, live_server: LiveServer, cast: Cast) -> Page:
    from django.conf import settings
    from django.test import Client

    client = Client()
    client.force_login(cast.by_role["operator"])
    name = settings.SESSION_COOKIE_NAME
    page.context.add_cookies([{"name": name, "value": client.cookies[name].value, "url": live_server.url}])
    return page


def check(page: Page, name: str) -> None:
    """No violation; with SHOTS, a picture of the page."""
    if folder := os.environ.get("SHOTS"):
        for width, scheme in ((1440, "light"), (390, "dark")):
            page.set_viewport_size({"width": width, "height": 900})
            page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            page.screenshot(path=f"{folder}/{name}-{width}-{scheme}.png", full_page=True)
        page.set_viewport_size({"width": 1440, "height": 900})
        page.emulate_media(color_scheme="light")
    found: Any = Axe().run(page, options=WCAG)
    assert not found.response["violations"], found.generate_report()


def test_a_rerun_from_a_step_shows_its_dry_run_and_starts_it(
    signed_in: Page, live_server: LiveServer, run: Run, engine: EngineHost
) -> None:
    page = signed_in
    page.goto(f"{live_server.url}/o/acme/runs/{run.pk}/?step=wait")
    check(page, "run")
    page.get_by_role("link", name="Re-run from here").click()
    again = page.locator("section", has=page.get_by_role("heading", name="Happens again"))
    reused = page.locator("section", has=page.get_by_role("heading", name="Reused"))
    expect(again).to_contain_text("Wait for Monday")
    expect(again).to_contain_text("Send it")
    expect(reused).to_contain_text("Write the letter")
    expect(page.get_by_text("is marked at most once")).to_be_visible()
    check(page, "rerun")
    page.get_by_label("From step").select_option("price")
    page.get_by_role("button", name="Work out the plan again").click()
    expect(again).to_contain_text("Price it")
    page.get_by_role("button", name="Start the re-run").click()
    expect(page.get_by_text("A re-run of")).to_be_visible()
    made = Run.objects.get(origin=run)
    engine.wait_for(made, "waiting")
    page.goto(f"{live_server.url}/o/acme/runs/{run.pk}/")
    expect(page.get_by_role("link", name=str(made.pk)[:8])).to_be_visible()


def test_pages_of_single_acts(signed_in: Page, live_server: LiveServer, run: Run, engine: EngineHost) -> None:
    page, address = signed_in, f"{live_server.url}/o/acme/runs/{run.pk}"
    page.goto(f"{address}/move/")
    expect(page.get_by_text("Archive it")).to_be_visible()
    check(page, "move")
    page.goto(f"{address}/variables/")
    check(page, "variables")
    page.goto(f"{address}/steps/wait/override/")
    check(page, "override")
    page.get_by_label("Outputs").fill("{}")
    page.get_by_label("Why").fill("Monday is a holiday")
    page.get_by_role("button", name="Override").click()
    engine.wait_for(run)
