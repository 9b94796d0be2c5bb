"""Debian's Chromium, and pages that fail their test when the browser complains.

`page` is for pages of this process (`live_server`), which has no sockets; `watch(page)` collects what went wrong.

Nothing here depends on how fast the machine is: pages wait by themselves until their behaviours are attached, nothing
moves, and what is expected has half a minute.
"""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Response, expect, sync_playwright

# The tests' server speaks no WebSocket, which pages must bear; a request that a navigation cuts off is no fault.
EXPECTED = ("WebSocket", "htmx:sendAbort", "htmx:afterRequest")
CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")

PATIENCE = 30_000
"""Milliseconds; Playwright's own five seconds are too few for a machine that runs other tests beside."""
expect.set_options(timeout=PATIENCE)

UNREADY = 'html:not([data-ready]):has(script[type=module][src*="/static/js/app"])'
"""A page of the portal before app.js has attached the behaviours: it can be seen and pressed, and does not answer."""


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """One browser a file, not a session: Playwright's synchronous interface keeps a loop in this thread as long as it
    lives, in which Django refuses database calls unless told otherwise, and asynchronous tests cannot run at all."""
    if not Path(CHROMIUM).exists():
        pytest.skip(f"{CHROMIUM} is not there; install chromium or name it in CHROMIUM")
    with sync_playwright() as playwright, pytest.MonkeyPatch.context() as patch:
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


NewContext = Callable[..., BrowserContext]


@pytest.fixture
def new_context(chromium: Browser) -> Iterator[NewContext]:
    """`new_context(width=390, color_scheme="dark")`: a browser profile of its own. Nothing moves in it, as for people
    who ask for that: an element that still fades in has other colours and another place than a moment later."""
    contexts: list[BrowserContext] = []

    def make(*, width: int = 1440, height: int = 900, **options: object) -> BrowserContext:
        shown = {"viewport": {"width": width, "height": height}, "reduced_motion": "reduce", **options}
        context = chromium.new_context(**shown)  # type: ignore[arg-type]
        context.set_default_timeout(PATIENCE)
        context.on("page", wait_for_behaviours)
        contexts.append(context)
        return context

    yield make
    for context in contexts:
        context.close()


@pytest.fixture
def page(new_context: NewContext) -> Iterator[Page]:
    page = new_context().new_page()
    problems = watch(page)
    yield page
    assert not problems


def wait_for_behaviours(page: Page) -> None:
    """Before each act and each expectation, and when it has been led to an address, the page waits for its scripts.

    Keys and `evaluate` do not wait: expect something of a page first that a click has led to."""
    page.add_locator_handler(page.locator(UNREADY), lambda: None)
    go = page.goto

    def goto(address: str, **options: Any) -> Response | None:
        response = go(address, **options)
        if options.get("wait_until") != "commit":
            page.locator(UNREADY).wait_for(state="detached")
        return response

    page.goto = goto  # type: ignore[method-assign]


def watch(page: Page) -> list[str]:
    """Errors of the console (CSP violations among them) and of scripts, as they come."""
    problems: list[str] = []

    def heard(message: ConsoleMessage) -> None:
        if message.type == "error" and not any(word in message.text for word in EXPECTED):
            problems.append(f"{message.text} ({message.location.get('url')})")

    page.on("console", heard)
    page.on("pageerror", lambda error: problems.append(str(error)))
    return problems
