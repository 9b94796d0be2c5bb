"""The transport of synchronous callers."""

import contextlib
import socket
import time
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any

import httpcore
import httpx

from portal.core.outgoing import tls
from portal.core.outgoing.addresses import allowed_host, checked, with_last
from portal.core.outgoing.errors import AddressRefused
from portal.core.outgoing.limits import Body, Guard, as_httpx, core_request

# When the call that this thread is in must end; a pooled connection serves calls with different deadlines.
_ends: ContextVar[float] = ContextVar("outgoing_ends")


class SyncTransport(httpx.BaseTransport):
    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        self._pool = httpcore.ConnectionPool(ssl_context=tls.context(), network_backend=_SyncBackend())

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        try:
            ends = self._guard.begin(request)
            with as_httpx(request), _ending(ends):
                found = self._pool.handle_request(core_request(request))
        except AddressRefused as error:
            self._guard.refused(request, error)
            raise
        body = Body(list(found.headers), self._guard.max_bytes)
        stream = _SyncBody(found, body, ends, request)
        return httpx.Response(found.status, headers=body.headers, stream=stream, extensions=found.extensions)

    def close(self) -> None:
        self._pool.close()


class _SyncBody(httpx.SyncByteStream):
    def __init__(self, found: httpcore.Response, body: Body, ends: float, request: httpx.Request) -> None:
        self._found, self._body, self._ends, self._request = found, body, ends, request

    def __iter__(self) -> Iterator[bytes]:
        chunks = iter(self._found.iter_stream())
        while True:
            with as_httpx(self._request), _ending(self._ends):
                chunk = next(chunks, None)
            if chunk is None:
                return
            yield self._body.take(chunk)

    def close(self) -> None:
        self._found.close()


@contextlib.contextmanager
def _ending(ends: float) -> Iterator[None]:
    token = _ends.set(ends)
    try:
        yield
    finally:
        _ends.reset(token)


def _left(timeout: float | None) -> float:
    """Seconds this read or write may take."""
    left = _ends.get() - time.monotonic()
    if left <= 0:
        raise httpcore.ReadTimeout("The call took longer than its deadline.")
    return left if timeout is None else min(timeout, left)


class _SyncBackend(httpcore.NetworkBackend):
    def __init__(self) -> None:
        self._inner = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Any = None,
    ) -> httpcore.NetworkStream:
        for last, address in with_last(self._addresses(host, port)):
            try:
                inner = self._inner.connect_tcp(address, port, _left(timeout), local_address, socket_options)
                return _TimedStream(inner)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                if last:
                    raise
        raise httpcore.ConnectError(f"{host} has no address")

    def _addresses(self, host: str, port: int) -> list[str]:
        if allowed_host(host, port):
            return [host]
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (socket.gaierror, UnicodeError) as error:
            raise httpcore.ConnectError(f"The name {host!r} cannot be resolved: {error}") from error
        return checked(host, port, found)

    def connect_unix_socket(self, path: str, *_: Any, **__: Any) -> Any:
        raise AddressRefused("Unix sockets cannot be called.")

    def sleep(self, seconds: float) -> None:
        self._inner.sleep(seconds)


class _TimedStream(httpcore.NetworkStream):
    """A connection on which no single read outlives the call's deadline: dripping servers get nowhere."""

    def __init__(self, inner: httpcore.NetworkStream) -> None:
        self._inner = inner

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._inner.read(max_bytes, _left(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._inner.write(buffer, _left(timeout))

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self, ssl_context: Any, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        return _TimedStream(self._inner.start_tls(ssl_context, server_hostname, _left(timeout)))

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)
