"""An HTTP client that costs next to nothing: what is measured through it is the server's time."""

from __future__ import annotations

import json
import select
import socket
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

JSON = Any


class Refused(Exception):
    """The answer is no 200, 201 or 202."""


@dataclass(frozen=True)
class Address:
    host: str
    port: int

    @classmethod
    def of(cls, url: str) -> Address:
        parts = urlsplit(url)
        return cls(parts.hostname or "", parts.port or 80)


def request(method: str, path: str, headers: Mapping[str, str] = {}, body: JSON = None) -> bytes:
    """The bytes of a request on a connection that is kept."""
    content = b"" if body is None else json.dumps(body).encode()
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", *(f"{name}: {value}" for name, value in headers.items())]
    if body is not None:
        lines += ["Content-Type: application/json", f"Content-Length: {len(content)}"]
    return "\r\n".join([*lines, "", ""]).encode() + content


class Wire:
    """One kept connection."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._open()

    def _open(self) -> None:
        self._socket = socket.create_connection((self._address.host, self._address.port), timeout=60)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._rest = b""

    def ask(self, sent: bytes) -> bytes:
        """The body of the answer. Raises Refused."""
        if select.select([self._socket], [], [], 0)[0]:  # nothing was asked: the server has closed an idle connection
            self.close()
            self._open()
        self._socket.sendall(sent)
        head = self._until(b"\r\n\r\n").lower()
        status = head.split(None, 2)[1]
        if b"transfer-encoding: chunked" in head:
            body = self._chunks()
        else:
            body = self._bytes(int(head.partition(b"content-length:")[2].split(None, 1)[0]))
        if status not in (b"200", b"201", b"202"):
            raise Refused(f"{status.decode()}: {body[:300]!r}")
        return body

    def close(self) -> None:
        self._socket.close()

    def _chunks(self) -> bytes:
        body = b""
        while size := int(self._until(b"\r\n"), 16):
            body += self._bytes(size + 2)[:-2]
        self._bytes(2)
        return body

    def _until(self, mark: bytes) -> bytes:
        while mark not in self._rest:
            self._more()
        found, _, self._rest = self._rest.partition(mark)
        return found

    def _bytes(self, count: int) -> bytes:
        while len(self._rest) < count:
            self._more()
        found, self._rest = self._rest[:count], self._rest[count:]
        return found

    def _more(self) -> None:
        got = self._socket.recv(1 << 16)
        if not got:
            raise ConnectionError("The server has closed the connection.")
        self._rest += got


def alone(address: Address, sent: bytes, count: int) -> list[float]:
    """Seconds of each of `count` requests, one after the other on one connection."""
    wire, took = Wire(address), []
    for _ in range(count):
        began = time.perf_counter()
        wire.ask(sent)
        took.append(time.perf_counter() - began)
    wire.close()
    return took


def crowd(address: Address, sent: bytes, count: int, clients: int) -> tuple[float, list[float]]:
    """The same by `clients` at once, who share the `count`: how long all took, and each."""
    with ThreadPoolExecutor(clients) as pool:
        began = time.perf_counter()
        parts = list(pool.map(lambda _: alone(address, sent, count // clients), range(clients)))
        return time.perf_counter() - began, [one for part in parts for one in part]
