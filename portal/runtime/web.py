"""The web process: Daphne, which on SIGTERM first finishes the requests under way.

Daphne alone drops them. Here it stops listening, tells sockets to come back later (close code 1012) and gives requests
some seconds. `manage.py web` runs it.
"""

import asyncio
import socket
from collections.abc import Callable
from typing import Any

from daphne.http_protocol import WebRequest
from daphne.server import Server
from daphne.ws_protocol import WebSocketProtocol
from twisted.internet import defer, reactor

REQUESTS, SOCKETS = 2.5, 1.0  # seconds for requests under way to end, and for clients to answer the good-bye
SERVICE_RESTART = 1012  # close code, IANA registry of RFC 6455
LARGEST_MESSAGE = 64 * 1024  # bytes; pages send tiny messages over their sockets


class DrainingServer(Server):
    """Daphne's server on one open socket, with an orderly end."""

    def __init__(self, application: Callable[..., Any], listener: socket.socket) -> None:
        super().__init__(
            application,
            endpoints=[listener],
            ready_callable=self._adopt,
            websocket_max_message_size=LARGEST_MESSAGE,
            websocket_max_frame_size=LARGEST_MESSAGE,
            server_name="ensemble",
        )
        listener.setblocking(False)  # the reactor accepts until there is nothing more to accept
        self._listener = listener
        self.endpoints: list[object] = []  # Daphne would parse them as text; the socket is adopted below

    def _adopt(self) -> None:
        self._port = reactor.adoptStreamPort(self._listener.fileno(), self._listener.family, self.http_factory)
        self._listener.close()  # the reactor has its own copy

    def kill_all_applications(self) -> "defer.Deferred[None]":
        """Called by the reactor before it stops, which waits for the answer."""
        return defer.Deferred.fromFuture(asyncio.ensure_future(self._drain()))

    async def _drain(self) -> None:
        self._port.stopListening()
        for protocol in self._open_sockets():
            protocol.sendCloseFrame(code=SERVICE_RESTART)  # `sendClose` allows an application's codes only
        await asyncio.gather(self._finish(WebRequest, REQUESTS), self._finish(WebSocketProtocol, SOCKETS))
        tasks = self._busy(WebRequest) + self._busy(WebSocketProtocol)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=0.5)

    async def _finish(self, kind: type, seconds: float) -> None:
        """Until none of the kind is at work any more; a kept connection may begin another request meanwhile."""
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        while (tasks := self._busy(kind)) and loop.time() < end:
            await asyncio.wait(tasks, timeout=end - loop.time())

    def _open_sockets(self) -> list[Any]:
        return [
            protocol
            for protocol, details in self.connections.items()
            if isinstance(protocol, WebSocketProtocol) and "disconnected" not in details
        ]

    def _busy(self, kind: type) -> list["asyncio.Task[Any]"]:
        tasks = [
            details.get("application_instance")
            for protocol, details in self.connections.items()
            if isinstance(protocol, kind)
        ]
        return [task for task in tasks if task and not task.done()]
