"""The portal's own programs: how each of the processes of docs/architecture.md is started."""

import socket
import sys
from collections.abc import Mapping
from pathlib import Path

import psutil

from portal.runtime.program import Program

ROOT = Path(__file__).resolve().parents[2]


def command(*arguments: str, environment: Mapping[str, str], process: str, keep_open: tuple[int, ...] = ()) -> Program:
    """`python -m portal ...` of the very code that runs now, in whatever folder. -P: nothing is imported from there."""
    return _python("-P", "-m", "portal", *arguments, environment=environment, process=process, keep_open=keep_open)


def web(listener: socket.socket, *, environment: Mapping[str, str]) -> Program:
    descriptor = listener.fileno()
    arguments = ("-P", "-m", "portal.runtime.web", "--fd", str(descriptor))
    return _python(*arguments, environment=environment, process="web", keep_open=(descriptor,))


def cluster(name: str, *, environment: Mapping[str, str]) -> Program:
    """A django-q2 cluster; its name is also its queue's."""
    return command("qcluster", environment={**environment, "Q_CLUSTER_NAME": name}, process=name)


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


def _python(*arguments: str, environment: Mapping[str, str], process: str, keep_open: tuple[int, ...]) -> Program:
    variables = {
        **environment,
        "PORTAL_PROCESS": process,
        "PYTHONPATH": str(ROOT),
        "PYTHONUNBUFFERED": "1",
        "DJANGO_SETTINGS_MODULE": "portal.settings",
    }
    return Program((sys.executable, *arguments), environment=variables, keep_open=keep_open)
