"""The one HTTP session of a host's event loop, and the check of every address it connects to.

litellm takes an aiohttp session from outside, so all model calls of a loop share one pool of connections. Addresses
that an organisation typed in (`ModelProfile.api_base`) are checked at the moment of connecting, where neither a
redirect nor a name that changes its address between check and use (DNS rebinding) can get past: ASVS 5.0 1.3.6.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from django.conf import settings

from portal.core import outgoing

if TYPE_CHECKING:
    import aiohttp

# A host drives hundreds of runs side by side; the default of 100 would queue them here, unseen.
_CONNECTIONS = 1000
_KEEP_ALIVE_SECONDS = 30.0

_guarded: ContextVar[bool] = ContextVar("model_address_guarded", default=False)
_session: aiohttp.ClientSession | None = None
_loop: asyncio.AbstractEventLoop | None = None


class AddressRefused(OSError):
    """A connection to an address inside the network was asked for by a profile's `api_base`."""


@contextmanager
def guarded(on: bool) -> Iterator[None]:
    """Within: connections only to public addresses, if `on`. Holds for the tasks begun within, too."""
    token = _guarded.set(on)
    try:
        yield
    finally:
        _guarded.reset(token)


def session() -> tuple[aiohttp.ClientSession, bool]:
    """The session of the running loop, and whether it is a new one (then cached clients of an older loop must go)."""
    import aiohttp

    global _session, _loop
    loop = asyncio.get_running_loop()
    if _session is not None and _loop is loop and not _session.closed:
        return _session, False
    connector = aiohttp.TCPConnector(
        limit=_CONNECTIONS, keepalive_timeout=_KEEP_ALIVE_SECONDS, socket_factory=_socket, loop=loop
    )
    # Cookies would tie calls of different organisations together.
    _session = aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar(), trust_env=True)
    _loop = loop
    return _session, True


async def close() -> None:
    """Give back the connections; a host calls it when its shift ends."""
    global _session, _loop
    if _session is not None and _loop is asyncio.get_running_loop():
        await _session.close()
    _session = _loop = None


def check(url: str) -> bool:
    """Refuse at once what needs no look-up: other schemes, user data in the address, private literals.

    Raises ValueError with a sentence. True: the operator's OUTGOING_ALLOW names this host, so it needs no guard. Names
    are checked when they are connected to.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("The address of a model must begin with https:// or http://.")
    if parts.username or parts.password:
        raise ValueError("The address of a model must not hold a user name or password; use a secret for the key.")
    port = parts.port or (443 if parts.scheme == "https" else 80)
    entries = [outgoing.parse_entry(word) for word in settings.OUTGOING_ALLOW]
    if any(entry.network is None and entry.host == parts.hostname and entry.port in (None, port) for entry in entries):
        return True
    try:
        address = ipaddress.ip_address(parts.hostname)
    except ValueError:
        return False
    if not _may_connect(address, port):
        raise ValueError(f"The address {address} is inside the network. The operator can allow it with OUTGOING_ALLOW.")
    return False


def _may_connect(address: ipaddress.IPv4Address | ipaddress.IPv6Address, port: int) -> bool:
    if outgoing.is_public(address):
        return True
    entries = [outgoing.parse_entry(word) for word in settings.OUTGOING_ALLOW]
    return any(
        entry.network is not None and address in entry.network and entry.port in (None, port) for entry in entries
    )


def _socket(info: tuple[Any, ...]) -> socket.socket:
    family, kind, protocol, _name, target = info
    if _guarded.get() and not _may_connect(ipaddress.ip_address(target[0].partition("%")[0]), target[1]):
        raise AddressRefused(f"The address {target[0]} is inside the network and not allowed for models.")
    opened = socket.socket(family, kind, protocol)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    return opened
