"""Debian's Chromium, and pages that fail their test when the browser complains.

`page` is for pages of this process (`live_server`), which has no sockets; `watch(page)` collects what went wrong.
"""

import os
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, sync_playwright

# Playwright's synchronous interface keeps a loop in this thread, in which Django would refuse its own database calls.
os.environ.setdefault("DJANGO_ALLOW_ASYNC_UNSAFE", "true")

# The tests' server speaks no WebSocket, which pages must bear; a request that a navigation cuts off is no fault.
EXPECTED = ("WebSocket", "htmx:sendAbort", "htmx:afterRequest")
CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
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
