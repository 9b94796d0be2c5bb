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

import socket
from typing import TYPE_CHECKING, Any

import httpx

from portal.core.outgoing.addresses import allowed_host, check_scheme, checked, is_public, parse_entry
from portal.core.outgoing.asynchronous import AsyncTransport
from portal.core.outgoing.errors import AddressRefused, OutgoingError, ResponseTooLarge
from portal.core.outgoing.limits import Guard
from portal.core.outgoing.synchronous import SyncTransport

if TYPE_CHECKING:
    from portal.core.models import Organisation

__all__ = [
    "AddressRefused",
    "OutgoingError",
    "ResponseTooLarge",
    "check_url",
    "client",
    "is_public",
    "parse_entry",
    "sync_client",
]

MAX_BYTES = 10 * 1024 * 1024
MAX_REDIRECTS = 5


def client(
    organisation: "Organisation | None" = None, *, timeout: float = 30.0, max_bytes: int = MAX_BYTES
) -> httpx.AsyncClient:
    """`async with client(organisation, timeout=20) as http:`. timeout: seconds for the whole call, redirects and body
    included; max_bytes: of the decoded body."""
    guard = Guard(timeout, max_bytes, organisation.slug if organisation else None)
    return httpx.AsyncClient(transport=AsyncTransport(guard), **_options(timeout))


def sync_client(
    organisation: "Organisation | None" = None, *, timeout: float = 30.0, max_bytes: int = MAX_BYTES
) -> httpx.Client:
    """The same for synchronous callers."""
    guard = Guard(timeout, max_bytes, organisation.slug if organisation else None)
    return httpx.Client(transport=SyncTransport(guard), **_options(timeout))


def check_url(url: str) -> None:
    """Say no early, when an address is saved. Raises AddressRefused. The call itself is checked again."""
    try:
        parsed = httpx.URL(url)
    except (httpx.InvalidURL, TypeError) as error:
        raise AddressRefused(f"{url!r} is not an address: {error}") from None
    check_scheme(parsed)
    port = parsed.port or (443 if parsed.scheme == "https" else 80)
    if allowed_host(parsed.host, port):
        return
    try:
        checked(parsed.host, port, socket.getaddrinfo(parsed.host, port, type=socket.SOCK_STREAM))
    except socket.gaierror:
        raise AddressRefused(f"The name {parsed.host!r} cannot be resolved.") from None


def _options(timeout: float) -> dict[str, Any]:
    return {
        "timeout": httpx.Timeout(timeout),
        "follow_redirects": True,
        "max_redirects": MAX_REDIRECTS,
        "trust_env": False,
        "headers": {"User-Agent": "Ensemble", "Accept-Encoding": "gzip"},
    }
