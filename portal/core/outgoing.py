"""The only way the portal calls an address that somebody typed: nodes, webhooks, agents over HTTP (SEC-05).

A name is resolved once, every address it has must be public, and the connection goes to the very address that was
checked, so a name that answers differently the second time (DNS rebinding) gains nothing. The check sits in httpcore's
network backend: TLS, the Host header and connection reuse still go by name, and every redirect passes it again.
Besides: http and https only, no proxy from the environment, five redirects, none from https to http, credentials stay
with the origin they were meant for, a limit on the decoded body, and one deadline over everything.

`settings.OUTGOING_ALLOW` names what may be reached although it is not public (a local Ollama): `host`, `host:port`,
`10.1.0.0/16`, `10.1.2.3:8080`, `[::1]:8080`.

OutgoingError               what the caller may show
├── AddressRefused          the guard said no; trying again is pointless
└── ResponseTooLarge
Everything else is httpx's own tree, `httpx.TimeoutException` for the deadline included.
"""

import asyncio
import contextlib
import ipaddress
import socket
import time
import zlib
from collections.abc import AsyncIterator, Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpcore
import httpx
import structlog
from django.conf import settings

from portal.core.errors import UserError

if TYPE_CHECKING:
    from portal.core.models import Organisation

log = structlog.get_logger(__name__)

IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

MAX_BYTES = 10 * 1024 * 1024
MAX_REDIRECTS = 5
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
# Headers that may follow a redirect to another origin; all others may be credentials.
_HARMLESS = {b"accept", b"accept-encoding", b"accept-language", b"user-agent", b"content-type", b"content-length"}


class OutgoingError(UserError):
    """Its message names the host, never the query or credentials."""


class AddressRefused(OutgoingError):
    def __init__(self, message: str) -> None:
        super().__init__(message, "address_refused")


class ResponseTooLarge(OutgoingError):
    def __init__(self, limit: int) -> None:
        super().__init__(f"The answer is larger than {limit} bytes.", "response_too_large")


def client(
    organisation: "Organisation | None" = None, *, timeout: float = 30.0, max_bytes: int = MAX_BYTES
) -> httpx.AsyncClient:
    """`async with client(organisation, timeout=20) as http:`. timeout: seconds for the whole call, redirects and body
    included; max_bytes: of the decoded body."""
    guard = _Guard(timeout, max_bytes, organisation.slug if organisation else None)
    return httpx.AsyncClient(transport=_AsyncTransport(guard), **_options(timeout))


def sync_client(
    organisation: "Organisation | None" = None, *, timeout: float = 30.0, max_bytes: int = MAX_BYTES
) -> httpx.Client:
    """The same for synchronous callers."""
    guard = _Guard(timeout, max_bytes, organisation.slug if organisation else None)
    return httpx.Client(transport=_SyncTransport(guard), **_options(timeout))


def check_url(url: str) -> None:
    """Say no early, when an address is saved. Raises AddressRefused. The call itself is checked again."""
    try:
        parsed = httpx.URL(url)
    except (httpx.InvalidURL, TypeError) as error:
        raise AddressRefused(f"{url!r} is not an address: {error}") from None
    _check_scheme(parsed)
    port = parsed.port or (443 if parsed.scheme == "https" else 80)
    if _allowed_host(parsed.host, port):
        return
    try:
        _checked(parsed.host, port, socket.getaddrinfo(parsed.host, port, type=socket.SOCK_STREAM))
    except socket.gaierror:
        raise AddressRefused(f"The name {parsed.host!r} cannot be resolved.") from None


def is_public(address: IpAddress) -> bool:
    """Whether an address belongs to the open internet. An IPv4 address wrapped into IPv6 is judged by itself."""
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return is_public(address.ipv4_mapped)
        if address in _NAT64:
            return is_public(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
        # Tunnels lead to an IPv4 address of the sender's choice; site-local is the old private range.
        if address.sixtofour is not None or address.teredo is not None or address.is_site_local:
            return False
    return address.is_global and not address.is_multicast and not address.is_reserved and not address.is_unspecified


# -- what is allowed --------------------------------------------------------------------------------------------------


def _check_scheme(url: httpx.URL) -> None:
    if url.scheme not in {"http", "https"}:
        raise AddressRefused(f"Only http and https addresses can be called, not {url.scheme or 'one without'!r}.")
    if not url.host:
        raise AddressRefused("The address names no host.")


def _checked(host: str, port: int, found: list[Any]) -> list[str]:
    """The addresses to connect to. One bad address condemns the name: the next answer could bring just that one."""
    addresses = list(dict.fromkeys(str(sockaddr[0]) for *_, sockaddr in found))
    for text in addresses:
        address = ipaddress.ip_address(text.partition("%")[0])
        if not is_public(address) and not _allowed_address(address, port):
            raise AddressRefused(
                f"{host} leads to {address}, which is not a public address. An administrator of the installation can "
                "allow it with OUTGOING_ALLOW."
            )
    return addresses


def _allowed_host(host: str, port: int) -> bool:
    name = host.strip("[]").rstrip(".").lower()
    return any(name == entry.host and entry.port in {None, port} for entry in _entries() if entry.network is None)


def _allowed_address(address: IpAddress, port: int) -> bool:
    return any(
        entry.network is not None and address in entry.network and entry.port in {None, port} for entry in _entries()
    )


@dataclass(frozen=True)
class _Entry:
    host: str
    network: ipaddress.IPv4Network | ipaddress.IPv6Network | None
    port: int | None


def _entries() -> list[_Entry]:
    return [parse_entry(text) for text in settings.OUTGOING_ALLOW]


def parse_entry(text: str) -> _Entry:
    """One word of OUTGOING_ALLOW. Raises ValueError."""
    with contextlib.suppress(ValueError):
        return _Entry("", ipaddress.ip_network(text.strip("[]"), strict=False), None)
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit():
        host, port = text, ""
    number = int(port) if port else None
    with contextlib.suppress(ValueError):
        return _Entry("", ipaddress.ip_network(host.strip("[]"), strict=False), number)
    if "/" in host or ":" in host or not host:
        raise ValueError(f"{text!r} is neither a host, a host:port nor a network")
    return _Entry(host.rstrip(".").lower(), None, number)


# -- limits -----------------------------------------------------------------------------------------------------------


def _options(timeout: float) -> dict[str, Any]:
    return {
        "timeout": httpx.Timeout(timeout),
        "follow_redirects": True,
        "max_redirects": MAX_REDIRECTS,
        "trust_env": False,
        "headers": {"User-Agent": "Ensemble", "Accept-Encoding": "gzip"},
    }


@dataclass(frozen=True)
class _Guard:
    """What one client may use up."""

    timeout: float
    max_bytes: int
    organisation: str | None

    def begin(self, request: httpx.Request) -> float:
        """The moment (monotonic) at which the call ends. httpx hands `extensions` on to the redirected request, so the
        first request's deadline and origin hold for all."""
        _check_scheme(request.url)
        origin = (request.url.scheme, request.url.host, request.url.port)
        first = request.extensions.setdefault("ensemble", (time.monotonic() + self.timeout, origin))
        if first[1][0] == "https" and request.url.scheme == "http":
            raise AddressRefused(f"A redirect leads from https to http ({request.url.host}).")
        if origin != first[1]:
            kept = [(key, value) for key, value in request.headers.raw if key.lower() in {*_HARMLESS, b"host"}]
            request.headers = httpx.Headers(kept)
        return float(first[0])

    def refused(self, request: httpx.Request, error: AddressRefused) -> None:
        log.warning(
            "outgoing call refused", host=request.url.host, organisation=self.organisation, reason=error.message
        )


class _Body:
    """Counts and, where the server compressed, unpacks: a small answer must not unfold into gigabytes."""

    def __init__(self, headers: list[tuple[bytes, bytes]], limit: int) -> None:
        encodings = {value.strip().lower() for key, value in headers if key.lower() == b"content-encoding"}
        unknown = encodings - {b"gzip", b"x-gzip", b"identity", b""}
        if unknown:
            raise httpx.DecodingError(
                f"The answer is packed as {unknown.pop().decode(errors='replace')!r}, not asked for."
            )
        packed = bool(encodings & {b"gzip", b"x-gzip"})
        self._unpack = zlib.decompressobj(wbits=31) if packed else None
        self._limit, self._seen = limit, 0
        # The length on the wire says nothing about the length of what is unpacked.
        gone = {b"content-encoding", b"content-length"} if packed else set()
        self.headers = [(key, value) for key, value in headers if key.lower() not in gone]

    def take(self, chunk: bytes) -> bytes:
        if self._unpack is not None:
            try:
                chunk = self._unpack.decompress(chunk, self._limit - self._seen + 1)
            except zlib.error as error:
                raise httpx.DecodingError(f"The answer is not valid gzip: {error}") from None
        self._seen += len(chunk)
        if self._seen > self._limit:
            raise ResponseTooLarge(self._limit)
        return chunk


@contextlib.contextmanager
def _as_httpx(request: httpx.Request) -> Iterator[None]:
    """httpcore's exceptions have the names of httpx's."""
    try:
        yield
    except (
        httpcore.TimeoutException,
        httpcore.NetworkError,
        httpcore.ProtocolError,
        httpcore.UnsupportedProtocol,
    ) as error:
        kind = getattr(httpx, type(error).__name__, httpx.TransportError)
        raise kind(str(error) or type(error).__name__, request=request) from error


def _core_request(request: httpx.Request) -> httpcore.Request:
    url = httpcore.URL(
        scheme=request.url.raw_scheme, host=request.url.raw_host, port=request.url.port, target=request.url.raw_path
    )
    return httpcore.Request(
        method=request.method,
        url=url,
        headers=request.headers.raw,
        content=request.stream,
        extensions=request.extensions,
    )


# -- asynchronous -----------------------------------------------------------------------------------------------------


class _AsyncTransport(httpx.AsyncBaseTransport):
    def __init__(self, guard: _Guard) -> None:
        self._guard = guard
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=httpx.create_ssl_context(trust_env=False), network_backend=_AsyncBackend()
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        try:
            ends = self._guard.begin(request)
            with _as_httpx(request):
                async with _until(ends, request):
                    found = await self._pool.handle_async_request(_core_request(request))
        except AddressRefused as error:
            self._guard.refused(request, error)
            raise
        body = _Body(list(found.headers), self._guard.max_bytes)
        stream = _AsyncBody(found, body, ends, request)
        return httpx.Response(found.status, headers=body.headers, stream=stream, extensions=found.extensions)

    async def aclose(self) -> None:
        await self._pool.aclose()


class _AsyncBody(httpx.AsyncByteStream):
    def __init__(self, found: httpcore.Response, body: _Body, ends: float, request: httpx.Request) -> None:
        self._found, self._body, self._ends, self._request = found, body, ends, request

    async def __aiter__(self) -> AsyncIterator[bytes]:
        chunks = self._found.aiter_stream().__aiter__()
        while True:
            with _as_httpx(self._request):
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
        for last, address in _with_last(await self._addresses(host, port)):
            try:
                return await self._inner.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                if last:
                    raise
        raise httpcore.ConnectError(f"{host} has no address")

    async def _addresses(self, host: str, port: int) -> list[str]:
        if _allowed_host(host, port):
            return [host]
        try:
            found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (socket.gaierror, UnicodeError) as error:
            raise httpcore.ConnectError(f"The name {host!r} cannot be resolved: {error}") from error
        return _checked(host, port, found)

    async def connect_unix_socket(self, path: str, *_: Any, **__: Any) -> Any:
        raise AddressRefused("Unix sockets cannot be called.")

    async def sleep(self, seconds: float) -> None:
        await self._inner.sleep(seconds)


# -- synchronous ------------------------------------------------------------------------------------------------------

# When the call that this thread is in must end; a pooled connection serves calls with different deadlines.
_ends: ContextVar[float] = ContextVar("outgoing_ends")


class _SyncTransport(httpx.BaseTransport):
    def __init__(self, guard: _Guard) -> None:
        self._guard = guard
        self._pool = httpcore.ConnectionPool(
            ssl_context=httpx.create_ssl_context(trust_env=False), network_backend=_SyncBackend()
        )

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        try:
            ends = self._guard.begin(request)
            with _as_httpx(request), _ending(ends):
                found = self._pool.handle_request(_core_request(request))
        except AddressRefused as error:
            self._guard.refused(request, error)
            raise
        body = _Body(list(found.headers), self._guard.max_bytes)
        stream = _SyncBody(found, body, ends, request)
        return httpx.Response(found.status, headers=body.headers, stream=stream, extensions=found.extensions)

    def close(self) -> None:
        self._pool.close()


class _SyncBody(httpx.SyncByteStream):
    def __init__(self, found: httpcore.Response, body: _Body, ends: float, request: httpx.Request) -> None:
        self._found, self._body, self._ends, self._request = found, body, ends, request

    def __iter__(self) -> Iterator[bytes]:
        chunks = iter(self._found.iter_stream())
        while True:
            with _as_httpx(self._request), _ending(self._ends):
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
        for last, address in _with_last(self._addresses(host, port)):
            try:
                inner = self._inner.connect_tcp(address, port, _left(timeout), local_address, socket_options)
                return _TimedStream(inner)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                if last:
                    raise
        raise httpcore.ConnectError(f"{host} has no address")

    def _addresses(self, host: str, port: int) -> list[str]:
        if _allowed_host(host, port):
            return [host]
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (socket.gaierror, UnicodeError) as error:
            raise httpcore.ConnectError(f"The name {host!r} cannot be resolved: {error}") from error
        return _checked(host, port, found)

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


def _with_last(addresses: list[str]) -> Iterator[tuple[bool, str]]:
    for index, address in enumerate(addresses):
        yield index == len(addresses) - 1, address
