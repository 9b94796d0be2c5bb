"""Whether the web process answers."""

import http.client
from urllib.parse import urlsplit

LIVE = "/health/live"


def answers(address: str, *, seconds: float = 3) -> bool:
    """Ask the liveness address once. Any answer of the application counts, except a server error."""
    parts = urlsplit(address)
    connection = http.client.HTTPConnection(parts.hostname or "127.0.0.1", parts.port, timeout=seconds)
    try:
        connection.request("GET", LIVE, headers={"Host": "localhost"})
        return connection.getresponse().status < 500
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
