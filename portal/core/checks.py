"""What a wrong setting could break, said at the start."""

from typing import Any

from cryptography.fernet import Fernet
from django.conf import settings
from django.core.checks import Error, Tags, Warning, register

from portal.core import outgoing


@register(Tags.security)
def secrets_keys(app_configs: Any, **_: Any) -> list[Error]:
    """core.E001 none, core.E002 one that is no Fernet key."""
    if not settings.SECRETS_KEYS:
        return [Error("SECRETS_KEYS is empty.", hint="Set at least one Fernet key, the newest first.", id="core.E001")]
    errors = []
    for number, key in enumerate(settings.SECRETS_KEYS, start=1):
        try:
            Fernet(key)
        except ValueError:
            hint = "Make one: python -c 'from cryptography.fernet import Fernet as F; print(F.generate_key().decode())'"
            errors.append(Error(f"Key {number} of SECRETS_KEYS is no Fernet key.", hint=hint, id="core.E002"))
    return errors


@register(Tags.security)
def outgoing_allow(app_configs: Any, **_: Any) -> list[Error]:
    """core.E003 an entry that names no host and no network."""
    errors = []
    for entry in settings.OUTGOING_ALLOW:
        try:
            outgoing.parse_entry(entry)
        except ValueError as error:
            errors.append(
                Error(f"OUTGOING_ALLOW: {error}.", hint="Write host, host:port or a network.", id="core.E003")
            )
    return errors


@register(Tags.security, deploy=True)
def public_address(app_configs: Any, **_: Any) -> list[Warning]:
    """core.W001 no TLS; only with `check --deploy`."""
    if settings.HTTPS or settings.DEBUG:
        return []
    return [
        Warning(
            "PUBLIC_URL does not begin with https://, so cookies travel unprotected.",
            hint="Put the portal behind TLS and set PUBLIC_URL to its address.",
            id="core.W001",
        )
    ]
