"""Writing a workflow as text, by mouse and by keyboard: problems as one types, lines to jump to, nothing lost."""

import re
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, Route, expect
from pytest_django.live_server_helper import LiveServer

from orchestration.definition.canonical import pretty
from orchestration.models import Run, Workflow
from tests.browser.conftest import UNREADY, NewContext, watch
from tests.cast import Cast, make_cast
from tests.workflows import factories as make

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

WCAG = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
AREA = "#definition-text"
PERSON = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "vip": {"type": "boolean"}, "level": {"enum": [1, 2]}},
}
INPUTS = {"type": "object", "properties": {"people": {"type": "array", "items": PERSON}, "text": {"type": "string"}}}


@pytest.fixture
def cast() -> Cast:
    return make_cast()


@pytest.fixture
def cookie(live_server: LiveServer, cast: Cast) -> dict[str, str]:
    from django.conf import settings
    from django.test import Client

    client = Client()
    client.force_login(cast.by_role["designer"])
    name = settings.SESSION_COOKIE_NAME
    return {"name": name, "value": client.cookies[name].value, "url": live_server.url}


@pytest.fixture
def editor(page: Page, live_server: LiveServer, cast: Cast, cookie: Any) -> Page:
    make.published(cast.organisation, make.definition(make.node("first"), make.node("second"), name="Order check"))
    page.context.add_cookies([cookie])
    page.goto(f"{live_server.url}/o/acme/workflows/order-check/edit/")
    expect(page.locator("[data-editor-gutter] span").first).to_have_text("1")
    return page


def test_what_was_typed_is_there_again_after_a_lost_session(editor: Page, cookie: Any):
    editor.route("**/workflows/check/", lambda route: route.fulfill(status=204))  # it would find out first
    text = editor.input_value(AREA).replace("Order check", "Order check, longer")
    editor.fill(AREA, text)
    editor.context.clear_cookies(name=cookie["name"])
    editor.get_by_role("button", name="Save draft").click()
    expect(editor.get_by_role("heading", name="Sign in")).to_be_visible()
    expect(editor.locator("[data-keeps-on=done]")).to_be_visible()
    editor.context.add_cookies([cookie])
    address = editor.url.partition("?")[0].replace("/login/", "/o/acme/workflows/order-check/edit/")
    editor.goto(address)
    expect(editor.locator(AREA)).to_have_value(text)
    before = editor.input_value("[name=revision]")
    editor.get_by_role("button", name="Save draft").click()
    expect(editor.locator("[name=revision]")).not_to_have_value(before)
    assert Workflow.objects.get().draft["name"] == "Order check, longer"


def test_problems_come_while_typing_and_lead_to_their_line(editor: Page):
    expect(editor.get_by_role("heading", name="No problems")).to_be_visible()
    text = pretty(make.definition(make.node("first", "dely"), make.node("second"), name="Order check"))
    editor.fill(AREA, text)
    expect(editor.get_by_role("heading", name="1 error")).to_be_visible()
    line = text.split("\n").index(next(row for row in text.split("\n") if "dely" in row)) + 1
    expect(editor.locator(f"[data-editor-gutter] span:nth-child({line})")).to_have_attribute("data-mark", "error")
    editor.get_by_role("button", name=re.compile("There is no node type dely")).click()
    area = editor.locator(AREA)
    expect(area).to_be_focused()
    chosen = area.evaluate("area => area.value.slice(area.selectionStart, area.selectionEnd)")
    assert "dely" in chosen
    editor.evaluate("window.onbeforeunload = null")
    editor.fill(AREA, pretty(make.definition(name="Order check")))  # unsaved text would ask on leaving


def test_keyboard_alone_writes_saves_and_moves_on(editor: Page):
    area = editor.locator(AREA)
    area.focus()
    editor.keyboard.press("Control+Home")
    for key in ("Enter", "Tab"):
        editor.keyboard.press(key)
    assert area.input_value().startswith("\n  {")
    editor.keyboard.press("Control+z")
    editor.keyboard.press("Control+z")
    assert area.input_value().startswith("{")
    editor.keyboard.press("Escape")
    editor.keyboard.press("Tab")
    expect(area).not_to_be_focused()
    area.fill(area.input_value().replace("Order check", "Order check, better"))
    area.focus()
    editor.keyboard.press("Control+s")
    expect(editor.get_by_text("The draft has been saved.")).to_be_visible()
    assert Workflow.objects.get().name == "Order check, better"


def test_publishing_from_the_editor(editor: Page):
    editor.fill(AREA, editor.input_value(AREA).replace("Order check", "Order check 2"))
    editor.get_by_role("button", name="Publish…").click()
    dialog = editor.get_by_role("dialog")
    dialog.get_by_label("What has changed").fill("A better name")
    dialog.get_by_role("button", name="Save and publish").click()
    expect(editor.get_by_text("Version 2 has been published.")).to_be_visible()


def test_a_file_is_opened_into_the_text(editor: Page, live_server: LiveServer):
    editor.goto(f"{live_server.url}/o/acme/workflows/new/")
    expect(editor.locator("[data-editor-gutter] span").first).to_have_text("1")
    body = pretty(make.definition(make.node("only"), name="From a file"))
    editor.set_input_files(
        "[data-editor-file]", {"name": "wf.json", "mimeType": "application/json", "buffer": body.encode()}
    )
    expect(editor.locator(AREA)).to_have_value(body)
    expect(editor.get_by_role("heading", name="No problems")).to_be_visible()
    expect(editor.locator('#findings [data-node="only"]')).to_be_visible()
    editor.get_by_role("button", name="Create").click()
    editor.wait_for_url(re.compile("from-a-file"))


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 390])
def test_the_pages_keep_the_accessibility_rules(
    new_context: NewContext, live_server: LiveServer, cast: Cast, cookie: Any, scheme: str, width: int
):
    wrong = make.definition(make.node("first", "dely"), edges=[make.edge("first", "nowhere")], name="Wrong")
    make.workflow(cast.organisation, wrong)
    make.published(cast.organisation, make.definition(name="Right", inputs=INPUTS))
    context = new_context(width=width, color_scheme=scheme)
    context.add_cookies([cookie])
    page = context.new_page()
    problems = watch(page)
    for path in ("", "new/", "wrong/edit/", "right/", "right/?tab=versions", "right/?tab=definition", "right/start/"):
        page.goto(f"{live_server.url}/o/acme/workflows/{path}")
        found = Axe().run(page, options=WCAG).response["violations"]
        told = [(path, item["id"], node["html"][:160]) for item in found for node in item["nodes"]]
        assert not told
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{path} scrolls sideways"
    assert not problems


def test_rows_are_added_and_removed_by_keyboard(page: Page, live_server: LiveServer, cast: Cast, cookie: Any):
    make.published(cast.organisation, make.definition(name="People", inputs=INPUTS))
    page.context.add_cookies([cookie])
    page.goto(f"{live_server.url}/o/acme/workflows/people/start/")
    page.get_by_label("Name, row 1").fill("Ann")
    page.keyboard.press("Enter")
    expect(page.get_by_label("Name, row 2")).to_be_focused()
    page.keyboard.type("Bob")
    page.keyboard.press("Enter")
    expect(page.get_by_label("Name, row 3")).to_be_focused()
    page.keyboard.type("Cleo")
    page.get_by_role("button", name="Remove row 2").click()
    page.get_by_role("button", name="Start").click()
    page.wait_for_url(re.compile("/runs/"))
    assert [row["name"] for row in Run.objects.get().inputs["people"]] == ["Ann", "Cleo"]


def test_a_page_is_ready_when_its_own_modules_are(page: Page, live_server: LiveServer, cast: Cast, cookie: Any):
    make.published(cast.organisation, make.definition(name="People", inputs=INPUTS))
    page.context.add_cookies([cookie])
    held: list[Route] = []
    page.route(re.compile("/rows_input.js"), lambda route: held.append(route))
    with page.expect_request(re.compile("/rows_input.js")):
        page.goto(f"{live_server.url}/o/acme/workflows/people/start/", wait_until="commit")
    page.remove_locator_handler(page.locator(UNREADY))  # this test looks at it before
    expect(page.get_by_label("Name, row 1")).to_be_visible()
    assert page.locator("html[data-ready]").count() == 0
    held[0].continue_()
    expect(page.locator("html[data-ready]")).to_be_attached()
