"""A request goes through middleware and view in one thread; what is streamed is sent from the loop."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator

import pytest
from asgiref.testing import ApplicationCommunicator
from django.conf import settings
from django.core.signals import request_finished, request_started
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.urls import path
from django.utils.module_loading import import_string

from portal.core.handler import Handler

Seen = list[tuple[str, str]]
seen: Seen = []
closed = threading.Event()


def note(what: str) -> None:
    seen.append((what, threading.current_thread().name))


def first(get_response):
    def middleware(request: HttpRequest) -> HttpResponse:
        note("in")
        response = get_response(request)
        note("out")
        return response

    return middleware


def page(request: HttpRequest) -> HttpResponse:
    note("view")
    return HttpResponse(request.body.upper(), headers={"X-Path": request.path})


async def awaiting(request: HttpRequest) -> HttpResponse:
    note("awaited")
    await asyncio.sleep(0)
    return HttpResponse("done")


def stream(request: HttpRequest) -> StreamingHttpResponse:
    async def pieces() -> AsyncIterator[bytes]:
        try:
            yield b"one"
            yield b"two"
            if "endless" in request.path:
                await asyncio.Event().wait()
        finally:
            closed.set()

    return StreamingHttpResponse(pieces())


def broken(request: HttpRequest) -> StreamingHttpResponse:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"one"
        raise RuntimeError("no more")

    return StreamingHttpResponse(pieces())


urlpatterns = [
    path("page", page),
    path("awaiting", awaiting),
    path("stream", stream),
    path("endless", stream),
    path("broken", broken),
]


def finished(**_: object) -> None:
    note("finished")


def started(**_: object) -> None:
    note("started")


@pytest.fixture
def handler(settings) -> Iterator[Handler]:
    settings.ROOT_URLCONF = __name__
    settings.MIDDLEWARE = [f"{__name__}.first", "portal.core.middleware.StaticFilesMiddleware"]
    seen.clear()
    closed.clear()
    request_started.connect(started)
    request_finished.connect(finished)
    yield Handler()
    request_started.disconnect(started)
    request_finished.disconnect(finished)


def ask(handler: Handler, address: str, method: str = "POST") -> ApplicationCommunicator:
    headers = [(b"host", b"localhost")]
    scope = {"type": "http", "http_version": "1.1", "method": method, "path": address, "query_string": b""}
    return ApplicationCommunicator(handler, {**scope, "headers": headers})


async def answer(handler: Handler, address: str, body: bytes = b"") -> tuple[int, dict[bytes, bytes], bytes]:
    line = ask(handler, address)
    await line.send_input({"type": "http.request", "body": body})
    head = await line.receive_output(60)
    got, more = b"", True
    while more:
        message = await line.receive_output(60)
        got, more = got + message.get("body", b""), message.get("more_body", False)
    await line.wait(60)
    return head["status"], {name.lower(): value for name, value in head["headers"]}, got


async def test_middleware_view_and_signals_share_one_thread(handler: Handler) -> None:
    status, headers, body = await answer(handler, "/page", b"hello")
    assert (status, headers[b"x-path"], body) == (200, b"/page", b"HELLO")
    assert [what for what, _ in seen] == ["started", "in", "view", "out", "finished"]
    (thread,) = {name for _, name in seen}
    assert thread.startswith("request")


async def test_threads_are_kept(handler: Handler) -> None:
    for _ in range(50):
        await answer(handler, "/page")
    # A thread gives its answer a moment before it counts as free, so the next request may make one more.
    assert len({name for _, name in seen}) < 10


async def test_what_a_view_awaits_runs_on_the_loop_of_the_server(handler: Handler) -> None:
    assert (await answer(handler, "/awaiting"))[2] == b"done"
    assert ("awaited", threading.current_thread().name) in seen


async def test_a_stream_is_sent_and_ended_once(handler: Handler) -> None:
    assert (await answer(handler, "/stream"))[2] == b"onetwo"
    assert closed.is_set()
    assert [what for what, _ in seen].count("finished") == 1


async def test_a_stream_ends_when_its_client_goes_away(handler: Handler) -> None:
    line = ask(handler, "/endless")
    await line.send_input({"type": "http.request"})
    assert [(await line.receive_output(60)).get("body") for _ in range(3)] == [None, b"one", b"two"]
    await line.send_input({"type": "http.disconnect"})
    await line.wait(60)
    assert closed.is_set()
    assert [what for what, _ in seen].count("finished") == 1


async def test_a_stream_that_breaks_is_told_to_the_server(handler: Handler) -> None:
    line = ask(handler, "/broken")
    await line.send_input({"type": "http.request"})
    with pytest.raises(RuntimeError, match="no more"):
        await line.wait(60)
    assert [what for what, _ in seen].count("finished") == 1


async def test_a_client_that_goes_before_its_request_is_whole_asks_nothing(handler: Handler) -> None:
    line = ask(handler, "/page")
    await line.send_input({"type": "http.request", "body": b"hel", "more_body": True})
    await line.send_input({"type": "http.disconnect"})
    await line.wait(60)
    assert seen == []


async def test_static_files_are_served_and_carry_their_headers(settings) -> None:
    settings.SERVESTATIC_USE_FINDERS = True
    line = ask(Handler(), f"/{settings.STATIC_URL.strip('/')}/css/base.css", "GET")
    await line.send_input({"type": "http.request"})
    head = await line.receive_output(60)
    headers = {name.lower(): value for name, value in head["headers"]}
    assert head["status"] == 200
    assert headers[b"content-type"].startswith(b"text/css")
    assert headers[b"x-content-type-options"] == b"nosniff"
    assert b"max-age=31536000" in headers[b"cache-control"]
    await line.wait(60)


def test_all_middleware_is_synchronous() -> None:
    """One that is not makes each request cross from its thread to the loop and back."""
    assert [name for name in settings.MIDDLEWARE if not getattr(import_string(name), "sync_capable", True)] == []
