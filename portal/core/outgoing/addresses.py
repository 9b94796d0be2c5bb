"""Which addresses may be called, and the one look-up a call gets."""

import contextlib
import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
from django.conf import settings

from portal.core.outgoing.errors import AddressRefused

IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

_NAT64 = ipaddress.ip_network("64:ff9b::/96")


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


def check_scheme(url: httpx.URL) -> None:
    if url.scheme not in {"http", "https"}:
        raise AddressRefused(f"Only http and https addresses can be called, not {url.scheme or 'one without'!r}.")
    if not url.host:
        raise AddressRefused("The address names no host.")


def checked(host: str, port: int, found: list[Any]) -> list[str]:
    """The addresses to connect to. One bad address condemns the name: the next answer could bring just that one."""
    addresses = list(dict.fromkeys(str(sockaddr[0]) for *_, sockaddr in found))
    for text in addresses:
        address = ipaddress.ip_address(text.partition("%")[0])
        if not is_public(address) and not _allowed_address(address, port):
            raise AddressRefused(
                f"{host} {'is' if host == str(address) else f'leads to {address}, which is'} not a public address. An "
                "administrator of the installation can allow it with OUTGOING_ALLOW."
            )
    return addresses


def allowed_host(host: str, port: int) -> bool:
    name = host.strip("[]").rstrip(".").lower()
    return any(name == entry.host and entry.port in {None, port} for entry in _entries() if entry.network is None)


def _allowed_address(address: IpAddress, port: int) -> bool:
    return any(
        entry.network is not None and address in entry.network and entry.port in {None, port} for entry in _entries()
    )


@dataclass(frozen=True)
class Entry:
    host: str
    network: ipaddress.IPv4Network | ipaddress.IPv6Network | None
    port: int | None


def _entries() -> list[Entry]:
    return [parse_entry(text) for text in settings.OUTGOING_ALLOW]


def parse_entry(text: str) -> Entry:
    """One word of OUTGOING_ALLOW. Raises ValueError."""
    with contextlib.suppress(ValueError):
        return Entry("", ipaddress.ip_network(text.strip("[]"), strict=False), None)
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit():
        host, port = text, ""
    number = int(port) if port else None
    with contextlib.suppress(ValueError):
        return Entry("", ipaddress.ip_network(host.strip("[]"), strict=False), number)
    if "/" in host or ":" in host or not host:
        raise ValueError(f"{text!r} is neither a host, a host:port nor a network")
    return Entry(host.rstrip(".").lower(), None, number)


def with_last(addresses: list[str]) -> Iterator[tuple[bool, str]]:
    for index, address in enumerate(addresses):
        yield index == len(addresses) - 1, address
