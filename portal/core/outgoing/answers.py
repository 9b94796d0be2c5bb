"""What an answer of another server, or the want of one, means for whoever may ask again."""

from datetime import datetime
from email.utils import parsedate_to_datetime

import httpx

from portal.core.outgoing.errors import AddressRefused
from portal.core.redaction import redact

NEVER_REACHED = (
    AddressRefused,
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.UnsupportedProtocol,
    httpx.LocalProtocolError,
    httpx.InvalidURL,
)
"""Failures before anything was sent. After any other, an answer that is too large for one, it may have an effect."""
DID_NOTHING = frozenset({408, 425, 429, 503})
"""The other side says that it did nothing yet."""
TRANSIENT = frozenset({500, 502, 504, 520, 522, 524, 529})
"""Nobody knows whether the request took effect; asked once more, it may be answered."""
CODES = {
    400: "bad_request", 401: "authentication", 403: "forbidden", 404: "not_found", 408: "timeout", 409: "conflict",
    413: "too_large", 422: "bad_request", 425: "busy", 429: "rate_limited",
}  # fmt: skip
"""What statuses are called in errors."""
_EXCERPT = 500
_LONGEST_WAIT_SECONDS = 31 * 24 * 3600.0
"""A server that asks for more means never, or is wrong."""


def retry_after(header: str | None, now: datetime) -> float | None:
    """Seconds to wait, of the Retry-After header's two forms (RFC 9110, 10.2.3): a month at most. None if absent or
    unreadable.
    """
    if not header:
        return None
    if header.strip().isascii() and header.strip().isdigit():
        return min(float(header), _LONGEST_WAIT_SECONDS)
    try:
        seconds = (parsedate_to_datetime(header) - now).total_seconds()
    except (TypeError, ValueError):
        return None
    return min(max(0.0, seconds), _LONGEST_WAIT_SECONDS)


def excerpt(response: httpx.Response) -> str:
    """The beginning of the answer. Some endpoints repeat the request's headers in their errors: secrets come out."""
    return str(redact(response.text[: _EXCERPT * 2]))[:_EXCERPT]
