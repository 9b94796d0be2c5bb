"""The listening socket of the web process.

`up` opens it and hands it down, so no connection is refused while the web process restarts.
"""

import errno
import socket

from portal.runtime.errors import CannotStart

WAITING_CONNECTIONS = 256


def listen(host: str, port: int) -> socket.socket:
    """Raises CannotStart when the port is taken or the host is none of this machine's addresses."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except socket.gaierror as error:
        raise CannotStart(f"{host} is no address of this machine ({error.strerror}). Choose another --host.") from error
    listener = socket.socket(family, kind, protocol)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(address)
    except OSError as error:
        listener.close()
        raise CannotStart(_why_not(host, port, error)) from error
    listener.listen(WAITING_CONNECTIONS)
    return listener


def address_of(listener: socket.socket) -> str:
    """The address to type into a browser on this machine."""
    host, port = listener.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)  # noqa: S104
    return f"http://{host}:{port}"


def _why_not(host: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"Port {port} on {host} is in use by another program. Choose another with --port."
    if error.errno == errno.EACCES:
        return f"Port {port} may be opened by root only. Choose another with --port."
    if error.errno == errno.EADDRNOTAVAIL:
        return f"{host} is no address of this machine. Choose another --host."
    return f"Port {port} on {host} cannot be opened: {error.strerror}."
