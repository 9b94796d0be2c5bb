"""Where mail goes out: `smtp://user:password@host:587`, or `smtps://…` for TLS from the first byte."""

from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

_PORTS = {"smtp": 25, "smtps": 465}


def settings_of(url: str) -> dict[str, Any]:
    """Django's settings for a mail server. STARTTLS unless `?tls=no`, or the port is 25 and nobody signs in."""
    parts = urlsplit(url)
    if parts.scheme not in _PORTS or not parts.hostname:
        raise ImproperlyConfigured("EMAIL_URL must look like smtp://user:password@host:587 or smtps://host.")
    port = parts.port or _PORTS[parts.scheme]
    asked = parse_qs(parts.query).get("tls", [""])[0]
    starttls = parts.scheme == "smtp" and asked != "no" and (port != 25 or bool(parts.username) or asked == "yes")
    return {
        "EMAIL_HOST": parts.hostname,
        "EMAIL_PORT": port,
        "EMAIL_HOST_USER": unquote(parts.username or ""),
        "EMAIL_HOST_PASSWORD": unquote(parts.password or ""),
        "EMAIL_USE_SSL": parts.scheme == "smtps",
        "EMAIL_USE_TLS": starttls,
    }
