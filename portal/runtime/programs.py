"""The portal's own programs: how each of the processes of docs/architecture.md is started."""

import socket
import sys
from collections.abc import Mapping
from pathlib import Path

import psutil

from portal.runtime.program import Program

ROOT = Path(__file__).resolve().parents[2]


def command(*arguments: str, environment: Mapping[str, str], keep_open: tuple[int, ...] = ()) -> Program:
    """`python -m portal ...` of the very code that runs now, in whatever folder. -P: nothing is imported from there."""
    variables = {**environment, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", "PORTAL_PROCESS": "command"}
    return Program((sys.executable, "-P", "-m", "portal", *arguments), environment=variables, keep_open=keep_open)


def web(listener: socket.socket, *, environment: Mapping[str, str]) -> Program:
    descriptor = listener.fileno()
    return command("web", "--fd", str(descriptor), environment=environment, keep_open=(descriptor,))


def host_names(host: str) -> list[str]:
    """Names by which browsers may ask for the portal when it listens on `host`: all of the machine's for 0.0.0.0."""
    names = ["localhost", "127.0.0.1", "[::1]"]
    if host in {"0.0.0.0", "::"}:  # noqa: S104
        names.append(socket.gethostname())
        for addresses in psutil.net_if_addrs().values():
            names += [a.address for a in addresses if a.family == socket.AF_INET]
            names += [f"[{a.address.split('%')[0]}]" for a in addresses if a.family == socket.AF_INET6]
    else:
        names.append(f"[{host}]" if ":" in host else host)
    return list(dict.fromkeys(names))
