"""Django under ASGI: a request goes through all middleware, the view and back in one thread, and waits for it once.

Django's own handler keeps the chain of middleware on the event loop, and since nearly all middleware and every view of
ours is synchronous, it crosses from the loop to a thread and back for each of them, twice, and makes a thread for every
request besides. That was most of what an answer took. Here the loop only reads requests and sends answers; what is
streamed (files of runs, events) it sends piece by piece, and what a view awaits runs on it as well.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import IO, Any, cast

from asgiref.sync import sync_to_async
from django.core import signals
from django.core.exceptions import RequestAborted
from django.core.handlers.asgi import ASGIHandler, get_script_prefix
from django.db import close_old_connections
from django.http import HttpResponseBase
from django.urls import set_script_prefix

MOST_THREADS = 200
"""Far more than there are connections to the database (WEB_DB_POOL): when it hangs, requests that wait for it must not
keep others, such as the question whether the process lives, from being answered. Threads are made when needed."""

Message = Mapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class Handler(ASGIHandler):
    def __init__(self) -> None:
        self.load_middleware(is_async=False)
        threads = ThreadPoolExecutor(MOST_THREADS, thread_name_prefix="request")
        self._answered = sync_to_async(self._answer, thread_sensitive=False, executor=threads)
        self._closed = sync_to_async(HttpResponseBase.close, thread_sensitive=False, executor=threads)

    async def handle(self, scope: Message, receive: Receive, send: Send) -> None:
        try:
            body = await self.read_body(receive)
        except RequestAborted:
            return
        with closing(body):
            response = await self._answered(scope, body)
            if response.streaming:
                await self._stream(response, receive, send)
            else:
                await self.send_response(response, send)

    def _answer(self, scope: Message, body: IO[bytes]) -> HttpResponseBase:
        """In a thread. The thread's connection to the database is given back when this ends."""
        set_script_prefix(get_script_prefix(scope))
        signals.request_started.send(sender=type(self), scope=scope)
        request, refusal = self.create_request(scope, body)
        response: Any = self.get_response(request) if request else refusal
        response._handler_class = type(self)  # the sender of the signal that it has finished
        if response.streaming:
            close_old_connections()  # closing the response will, but in another thread
        else:
            response.close()  # its content can still be read
        return cast(HttpResponseBase, response)

    async def _stream(self, response: HttpResponseBase, receive: Receive, send: Send) -> None:
        """Until it is sent or the client has gone."""
        gone = asyncio.create_task(self.listen_for_disconnect(receive))
        sent = asyncio.create_task(self.send_response(response, send))
        try:
            await asyncio.wait([gone, sent], return_when=asyncio.FIRST_COMPLETED)
        finally:
            gone.cancel()
            sent.cancel()
            _, failure = await asyncio.gather(gone, sent, return_exceptions=True)
            await self._closed(response)
        if isinstance(failure, Exception):
            raise failure
