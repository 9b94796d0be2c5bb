"""What one call may use up, and what travels with it."""

import contextlib
import time
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

import httpcore
import httpx
import structlog

from portal.core.outgoing.addresses import check_scheme
from portal.core.outgoing.errors import AddressRefused, ResponseTooLarge

log = structlog.get_logger(__name__)

# Headers that may follow a redirect to another origin; all others may be credentials.
_HARMLESS = {b"accept", b"accept-encoding", b"accept-language", b"user-agent", b"content-type", b"content-length"}


@dataclass(frozen=True)
class Guard:
    """What one client may use up."""

    timeout: float
    max_bytes: int
    organisation: str | None

    def begin(self, request: httpx.Request) -> float:
        """The moment (monotonic) at which the call ends. httpx hands `extensions` on to the redirected request, so the
        first request's deadline and origin hold for all."""
        check_scheme(request.url)
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


class Body:
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
def as_httpx(request: httpx.Request) -> Iterator[None]:
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


def core_request(request: httpx.Request) -> httpcore.Request:
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
