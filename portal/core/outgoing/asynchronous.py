"""The transport of asynchronous callers."""

import asyncio
import contextlib
import socket
import time
from collections.abc import AsyncIterator
from typing import Any

import httpcore
import httpx

from portal.core.outgoing import tls
from portal.core.outgoing.addresses import allowed_host, checked, with_last
from portal.core.outgoing.errors import AddressRefused
from portal.core.outgoing.limits import Body, Guard, as_httpx, core_request


class AsyncTransport(httpx.AsyncBaseTransport):
    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        self._pool = httpcore.AsyncConnectionPool(ssl_context=tls.context(), network_backend=_AsyncBackend())

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        try:
            ends = self._guard.begin(request)
            with as_httpx(request):
                async with _until(ends, request):
                    found = await self._pool.handle_async_request(core_request(request))
        except AddressRefused as error:
            self._guard.refused(request, error)
            raise
        body = Body(list(found.headers), self._guard.max_bytes)
        stream = _AsyncBody(found, body, ends, request)
        return httpx.Response(found.status, headers=body.headers, stream=stream, extensions=found.extensions)

    async def aclose(self) -> None:
        await self._pool.aclose()


class _AsyncBody(httpx.AsyncByteStream):
    def __init__(self, found: httpcore.Response, body: Body, ends: float, request: httpx.Request) -> None:
        self._found, self._body, self._ends, self._request = found, body, ends, request

    async def __aiter__(self) -> AsyncIterator[bytes]:
        chunks = self._found.aiter_stream().__aiter__()
        while True:
            with as_httpx(self._request):
                async with _until(self._ends, self._request):
                    try:
                        chunk = await chunks.__anext__()
                    except StopAsyncIteration:
                        return
            yield self._body.take(chunk)

    async def aclose(self) -> None:
        await self._found.aclose()


@contextlib.asynccontextmanager
async def _until(ends: float, request: httpx.Request) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(max(0.0, ends - time.monotonic())):
            yield
    except TimeoutError:
        raise httpx.ReadTimeout("The call took longer than its deadline.", request=request) from None


class _AsyncBackend(httpcore.AsyncNetworkBackend):
    def __init__(self) -> None:
        self._inner = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109  httpcore's interface
        local_address: str | None = None,
        socket_options: Any = None,
    ) -> httpcore.AsyncNetworkStream:
        for last, address in with_last(await self._addresses(host, port)):
            try:
                return await self._inner.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                if last:
                    raise
        raise httpcore.ConnectError(f"{host} has no address")

    async def _addresses(self, host: str, port: int) -> list[str]:
        if allowed_host(host, port):
            return [host]
        try:
            found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (socket.gaierror, UnicodeError) as error:
            raise httpcore.ConnectError(f"The name {host!r} cannot be resolved: {error}") from error
        return checked(host, port, found)

    async def connect_unix_socket(self, path: str, *_: Any, **__: Any) -> Any:
        raise AddressRefused("Unix sockets cannot be called.")

    async def sleep(self, seconds: float) -> None:
        await self._inner.sleep(seconds)
