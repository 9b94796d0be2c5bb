"""Taking the data folder: one `up` at a time, and nothing of a killed predecessor in the way."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from portal.runtime import leftovers, lock, reset, sockets
from portal.runtime.errors import CannotStart
from portal.runtime.leftovers import Register
from portal.runtime.options import Options
from portal.runtime.postgres import PostgresServer
from portal.runtime.redis import RedisServer


@contextmanager
def taken(options: Options) -> Iterator[None]:
    """Hold the folder; on the way in, end what a predecessor left and empty the folder if that is wished."""
    _make(options.data)
    host = f"[{options.host}]" if ":" in options.host else options.host
    with lock.held(options.data, address=f"http://{host}:{options.port}"):
        _end_predecessor(options.data)
        if options.reset:
            reset.empty(options.data)
        try:
            yield
        finally:
            sockets.tidy(options.data)


def end_server(server: PostgresServer | RedisServer) -> None:
    """Stop a private server that is still running, whoever started it."""
    stubborn = leftovers.end(server.leftovers(), (signal.SIGINT, 8), (signal.SIGQUIT, 3), (signal.SIGKILL, 3))
    if stubborn:
        raise CannotStart(f"An earlier server, process {stubborn[0].pid}, cannot be ended. End it by hand.")


def _make(data: Path) -> None:
    try:
        data.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CannotStart(f"{data} cannot be made: {error.strerror}. Choose another folder with --data.") from error
    if not os.access(data, os.R_OK | os.W_OK | os.X_OK):
        raise CannotStart(f"{data} may not be written by this user. Choose another folder with --data.")


def _end_predecessor(data: Path) -> None:
    """Web and clusters first, then the servers that they use."""
    programs = leftovers.of_register(Register(data))
    stubborn = leftovers.end(programs, (signal.SIGTERM, 4), (signal.SIGKILL, 4))
    if stubborn:
        numbers = ", ".join(str(process.pid) for process in stubborn)
        raise CannotStart(f"Processes of an earlier start cannot be ended: {numbers}. End them by hand.")
    if (data / "postgres").exists():
        end_server(PostgresServer.below(data))
        end_server(RedisServer.below(data))
