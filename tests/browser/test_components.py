"""The components as people meet them: by mouse, by keyboard, on a phone, in the dark, with a screen reader's rules."""

import json
import re
import time
from collections.abc import Callable
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import BrowserContext, Page, Route, WebSocketRoute, expect
from pytest_django.live_server_helper import LiveServer

from tests.browser.conftest import PATIENCE, NewContext, watch
from tests.cast import make_cast

pytestmark = [pytest.mark.browser, pytest.mark.urls("tests.browser.urls"), pytest.mark.django_db(transaction=True)]

WCAG = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}


@pytest.fixture
def signed_in(live_server: LiveServer) -> dict[str, str]:
    """A session cookie of the organisation's admin."""
    from django.conf import settings
    from django.test import Client

    cast = make_cast()
    client = Client()
    client.force_login(cast.admin)
    name = settings.SESSION_COOKIE_NAME
    return {"name": name, "value": client.cookies[name].value, "url": live_server.url}


@pytest.fixture
def gallery(page: Page, live_server: LiveServer, signed_in: Any) -> Page:
    page.context.add_cookies([signed_in])
    page.goto(f"{live_server.url}/gallery/")
    return page


def violations(page: Page) -> list[str]:
    results = Axe().run(page, options={**WCAG, "resultTypes": ["violations"]}).response
    return [
        f"{found['id']}: {found['help']}: {[node['target'] for node in found['nodes'][:4]]}"
        for found in results["violations"]
    ]


@pytest.mark.parametrize("width", [1440, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_gallery_has_no_axe_violation(
    new_context: NewContext, live_server: LiveServer, signed_in: Any, width: int, scheme: str
) -> None:
    context = new_context(width=width, color_scheme=scheme, reduced_motion="reduce")
    context.add_cookies([signed_in])
    page = context.new_page()
    problems = watch(page)
    page.goto(f"{live_server.url}/gallery/")
    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width, "the page scrolls sideways"
    assert not problems


@pytest.mark.parametrize("width", [1440, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_login_has_no_axe_violation(new_context: NewContext, live_server: LiveServer, width: int, scheme: str) -> None:
    page = new_context(width=width, color_scheme=scheme, reduced_motion="reduce").new_page()
    problems = watch(page)
    page.goto(f"{live_server.url}/login/")
    assert violations(page) == []
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_text("This field is required.").first).to_be_visible()
    assert violations(page) == []
    assert not problems


def test_open_dialogs_and_menus_have_no_axe_violation(gallery: Page) -> None:
    gallery.emulate_media(reduced_motion="reduce")
    gallery.keyboard.press("?")
    expect(gallery.get_by_role("dialog", name="Keyboard shortcuts")).to_be_visible()
    assert violations(gallery) == []
    gallery.keyboard.press("Escape")
    gallery.locator(".side-foot summary").click()
    assert violations(gallery) == []


def test_a_click_asks_and_the_answer_counts(gallery: Page) -> None:
    asked: list[str] = []
    gallery.on("request", lambda request: asked.append(request.url) if "confirmed" in request.url else None)
    button = gallery.get_by_role("button", name="Ask first")
    button.click()
    dialog = gallery.get_by_role("dialog", name="Cancel this run?")
    expect(dialog).to_contain_text("What is finished stays finished.")
    dialog.get_by_role("button", name="Back").click()
    expect(dialog).to_be_hidden()
    expect(button).to_be_focused()
    assert asked == []
    button.click()
    with gallery.expect_response(re.compile("confirmed=1")):
        dialog.get_by_role("button", name="Cancel run").click()


def test_keys_lead_around_and_are_letters_while_typing(gallery: Page, live_server: LiveServer) -> None:
    gallery.keyboard.press("/")
    search = gallery.get_by_role("searchbox", name="Search")
    expect(search).to_be_focused()
    gallery.keyboard.type("gh?")
    expect(search).to_have_value("gh?")
    assert "/gallery/" in gallery.url
    gallery.keyboard.press("Escape")
    gallery.keyboard.press("?")
    table = gallery.get_by_role("dialog", name="Keyboard shortcuts")
    expect(table).to_contain_text("Start a run (example)")
    gallery.keyboard.press("g")
    gallery.keyboard.press("h")
    assert "/gallery/" in gallery.url, "keys are inert behind a dialog"
    gallery.keyboard.press("Escape")
    with gallery.expect_navigation(url=re.compile("/o/[a-z0-9-]+/$")):
        gallery.keyboard.press("g")
        gallery.keyboard.press("h")


def test_filters_fill_the_list_and_the_address(gallery: Page) -> None:
    gallery.get_by_role("searchbox", name="Search").fill("northwind")
    expect(gallery.locator("#gallery-results")).to_contain_text("1 run")
    expect(gallery).to_have_url(re.compile(r"\?q=northwind$"))
    expect(gallery.locator("[data-announce]")).to_have_text("1 run")
    gallery.get_by_label("Status").select_option("failed")
    expect(gallery.locator("#gallery-results")).to_contain_text("Nothing matches")
    gallery.reload()
    expect(gallery.get_by_role("searchbox", name="Search")).to_have_value("northwind")
    gallery.go_back()
    expect(gallery.locator("#gallery-results")).to_contain_text("1 run")


def test_the_theme_is_kept_and_painted_by_the_server(gallery: Page) -> None:
    gallery.locator(".side-foot summary").click()
    gallery.get_by_role("button", name="Dark").click()
    assert gallery.evaluate("document.documentElement.dataset.theme") == "dark"
    dark = gallery.evaluate("getComputedStyle(document.body).color")
    html = gallery.goto(gallery.url).text()  # type: ignore[union-attr]
    assert '<html lang="en" data-theme="dark">' in html
    assert gallery.evaluate("getComputedStyle(document.body).color") == dark


def test_a_menu_is_walked_by_arrows_and_left_by_escape(gallery: Page) -> None:
    summary = gallery.locator("summary", has_text=re.compile("^\\s*Menu\\s*$"))
    summary.focus()
    gallery.keyboard.press("ArrowDown")
    expect(gallery.get_by_role("link", name="Duplicate")).to_be_focused()
    gallery.keyboard.press("ArrowUp")
    expect(gallery.get_by_role("button", name="Delete")).to_be_focused()
    gallery.keyboard.press("Escape")
    expect(summary).to_be_focused()
    expect(gallery.get_by_role("link", name="Duplicate")).to_be_hidden()


def test_a_file_is_read_into_the_field_and_a_wrong_one_is_refused(gallery: Page) -> None:
    area = gallery.get_by_label("Document").first
    with gallery.expect_file_chooser() as chooser:
        gallery.get_by_role("button", name="Read a file").first.click()
    chooser.value.set_files({"name": "rfp.txt", "mimeType": "text/plain", "buffer": "Tender — 84 pages".encode()})
    expect(area).to_have_value("Tender — 84 pages")
    with gallery.expect_file_chooser() as chooser:
        gallery.get_by_role("button", name="Read a file").first.click()
    chooser.value.set_files({"name": "x.pdf", "mimeType": "application/pdf", "buffer": b"\xff\xfe\x00\x81"})
    expect(gallery.get_by_text("x.pdf is not a text file in UTF-8.")).to_be_visible()
    expect(area).to_have_value("Tender — 84 pages")


def test_toasts_come_are_dismissed_and_lie_over_dialogs(gallery: Page) -> None:
    gallery.get_by_role("button", name="Toast").click()
    toast = gallery.locator(".toast")
    expect(toast).to_contain_text("Run started.")
    gallery.get_by_role("button", name="Dismiss").click()
    expect(toast).to_have_count(0)
    gallery.keyboard.press("n")
    gallery.evaluate(
        """document.body.dispatchEvent(
            new CustomEvent("toast", { bubbles: true, detail: { text: "Over it", level: "error" } }))"""
    )
    box = gallery.locator(".toast").bounding_box()
    assert box
    inside = gallery.evaluate(
        "([x, y]) => document.elementFromPoint(x, y)?.closest('.toast') !== null", [box["x"] + 40, box["y"] + 10]
    )
    assert inside


def test_the_drawing_zooms_by_key_and_comes_back(gallery: Page) -> None:
    view = gallery.locator("#gallery-graph")
    view.scroll_into_view_if_needed()
    view.focus()
    before = view.locator("svg.graph").get_attribute("viewBox")
    gallery.keyboard.press("+")
    gallery.keyboard.press("ArrowLeft")
    assert view.locator("svg.graph").get_attribute("viewBox") != before
    gallery.keyboard.press("0")
    assert view.locator("svg.graph").get_attribute("viewBox") == before


def test_text_of_a_model_does_not_act(gallery: Page) -> None:
    leaks: list[str] = []
    gallery.on("request", lambda request: leaks.append(request.url) if "evil.example" in request.url else None)
    gallery.on("dialog", lambda dialog: leaks.append(dialog.message))
    gallery.goto(gallery.url)
    assert leaks == []
    assert gallery.locator(".model-output img, .model-output script").count() == 0


def test_the_navigation_of_a_phone_opens_takes_focus_and_gives_it_back(
    new_context: NewContext, live_server: LiveServer, signed_in: Any
) -> None:
    page = phone(new_context, live_server, signed_in)
    expect(page.locator("#side")).to_be_hidden()
    opener = page.get_by_role("button", name="Navigation")
    opener.click()
    expect(page.get_by_role("link", name="Home", exact=True)).to_be_visible()
    expect(page.get_by_role("link", name="Home", exact=True)).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator("#side")).to_be_hidden()
    expect(opener).to_be_focused()


def phone(new_context: NewContext, live_server: LiveServer, signed_in: Any) -> Page:
    context: BrowserContext = new_context(width=390, height=844, has_touch=True, is_mobile=True)
    context.add_cookies([signed_in])
    page = context.new_page()
    page.goto(f"{live_server.url}/gallery/")
    return page


def test_the_skip_link_is_first_and_leads_to_the_content(gallery: Page) -> None:
    gallery.keyboard.press("Tab")
    expect(gallery.get_by_role("link", name="Skip to content")).to_be_focused()
    gallery.keyboard.press("Enter")
    expect(gallery.locator("main")).to_be_focused()


def wait_for(page: Page, condition: Callable[[], object]) -> None:
    end = time.monotonic() + PATIENCE / 1000
    while not condition():
        assert time.monotonic() < end, f"it did not come; heard {page.evaluate('window.heard')}"
        page.wait_for_timeout(20)


def until(page: Page, condition: str) -> None:
    """Wait for an expression of the page. Playwright's own wait evaluates text in the page, which the CSP refuses."""
    wait_for(page, lambda: page.evaluate(condition))


# -- live ------------------------------------------------------------------------------------------------------------


class Line:
    """The server's end of the page's socket, played by the test."""

    def __init__(self, page: Page) -> None:
        self.sockets: list[WebSocketRoute] = []
        self.heard: list[str] = []
        page.route_web_socket(re.compile(r"/ws/"), self._opened)

    def _opened(self, socket: WebSocketRoute) -> None:
        self.sockets.append(socket)
        socket.on_message(lambda message: self.heard.append(str(message)))

    def say(self, **message: object) -> None:
        self.sockets[-1].send(json.dumps(message))


LISTEN = """
window.heard = [];
for (const name of ["run", "runs", "inbox", "tokens"])
  document.addEventListener(`live:${name}`, ({ detail }) => heard.push([name, detail.seq ?? detail.reason]));
"""


@pytest.fixture
def line(page: Page, live_server: LiveServer, signed_in: Any) -> Line:
    page.context.add_cookies([signed_in])
    played = Line(page)
    page.add_init_script(LISTEN)
    page.goto(f"{live_server.url}/gallery/")
    until(page, "window.heard.length >= 3")
    assert page.evaluate("window.heard.map(([, why]) => why)") == ["connected", "connected", "connected"]
    page.evaluate("() => { window.heard = []; }")
    return played


def test_hints_become_events_and_those_that_come_together_become_one(line: Line, page: Page) -> None:
    page.evaluate("() => { window.held = []; window.setTimeout = (call) => held.push(call); }")  # time stands still
    for seq in range(1, 30):
        line.say(type="hint", run="r", seq=seq)
    line.say(type="hint", topic="inbox")
    until(page, "window.held.length >= 2")
    line.say(type="ping")
    wait_for(page, lambda: line.heard)  # what was said before has come too
    assert page.evaluate("window.heard") == []
    page.evaluate("() => { for (const call of held) call(); }")
    assert page.evaluate("window.heard") == [["run", 29], ["inbox", None]]


def test_tokens_are_passed_on_one_by_one(line: Line, page: Page) -> None:
    for offset in (0, 5, 9):
        line.say(type="tokens", run="r", node="n", path="", offset=offset, text="hello", seq=offset)
    until(page, "window.heard.length === 3")


def test_a_ping_is_answered(line: Line, page: Page) -> None:
    line.say(type="ping")
    wait_for(page, lambda: line.heard)
    assert line.heard == ['{"type":"pong"}']


def test_after_a_loss_everything_is_asked_for_once(line: Line, page: Page) -> None:
    line.sockets[-1].close(code=1012)
    until(page, "window.heard.length >= 3")
    assert len(line.sockets) == 2
    assert page.evaluate("window.heard.filter(([name]) => name === 'run')") == [["run", "reconnected"]]


def test_a_refresh_never_overtakes_itself(line: Line, page: Page, live_server: LiveServer) -> None:
    """While one refresh is under way, five hints become one more."""
    held: list[Route] = []
    page.route("**/slow-partial", lambda route: held.append(route))
    page.evaluate(
        """() => { const box = document.createElement("div");
        box.setAttribute("hx-get", "/slow-partial"); box.setAttribute("hx-trigger", "live:run from:body");
        document.querySelector("main").append(box); htmx.process(box); }"""
    )
    line.say(type="hint", run="r", seq=1)
    wait_for(page, lambda: len(held) == 1)
    for seq in range(2, 7):
        line.say(type="hint", run="r", seq=seq)
        until(page, f"window.heard.at(-1)[1] === {seq}")
    assert len(held) == 1
    held[0].fulfill(status=200, content_type="text/html", body="<p>fresh</p>")
    wait_for(page, lambda: len(held) == 2)
    held[1].fulfill(status=200, content_type="text/html", body="<p>fresher</p>")
    expect(page.get_by_text("fresher")).to_be_visible()
    page.wait_for_timeout(300)
    assert len(held) == 2


def test_a_refresh_leaves_what_the_person_opened_and_wrote(gallery: Page) -> None:
    gallery.evaluate(
        """() => {
        const box = document.createElement("div");
        box.innerHTML = `<details id="d"><summary>More</summary>Inside</details><textarea id="t"></textarea>
            <input type="checkbox" id="c"><p id="n">1</p>`;
        document.querySelector("main").append(box);
        box.querySelector("#d").open = true;
        box.querySelector("#t").value = "half written";
        box.querySelector("#c").checked = true;
        const fresh = document.createElement("div");
        fresh.innerHTML = `<details id="d"><summary>More</summary>Inside</details><textarea id="t"></textarea>
            <input type="checkbox" id="c"><p id="n">2</p>`;
        Idiomorph.morph(box, fresh.children, { morphStyle: "innerHTML" });
        }"""
    )
    expect(gallery.locator("#n")).to_have_text("2")
    expect(gallery.locator("#d")).to_have_attribute("open", "")
    expect(gallery.locator("#t")).to_have_value("half written")
    expect(gallery.locator("#c")).to_be_checked()
