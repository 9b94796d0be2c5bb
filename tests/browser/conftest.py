"""Debian's Chromium, and pages that fail their test when the browser complains.

`page` is for pages of this process (`live_server`), which has no sockets; `watch(page)` collects what went wrong.
"""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, sync_playwright

# The tests' server speaks no WebSocket, which pages must bear; a request that a navigation cuts off is no fault.
EXPECTED = ("WebSocket", "htmx:sendAbort", "htmx:afterRequest")
CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")


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
    """`new_context(width=390, color_scheme="dark")`: a browser profile of its own."""
    contexts: list[BrowserContext] = []

    def make(*, width: int = 1440, height: int = 900, **options: object) -> BrowserContext:
        context = chromium.new_context(viewport={"width": width, "height": height}, **options)  # type: ignore[arg-type]
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


def watch(page: Page) -> list[str]:
    """Errors of the console (CSP violations among them) and of scripts, as they come."""
    problems: list[str] = []

    def heard(message: ConsoleMessage) -> None:
        if message.type == "error" and not any(word in message.text for word in EXPECTED):
            problems.append(f"{message.text} ({message.location.get('url')})")

    page.on("console", heard)
    page.on("pageerror", lambda error: problems.append(str(error)))
    return problems
