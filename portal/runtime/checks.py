"""Checks of what an installation's environment could get wrong. `manage.py check --deploy` runs those tagged so."""

import os
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register


@register(Tags.security)
def public_url(**_: Any) -> list[CheckMessage]:
    """Links in mail and the secure flag of cookies follow from PUBLIC_URL."""
    parts = urlsplit(settings.PUBLIC_URL)
    if parts.scheme in {"http", "https"} and parts.hostname:
        return []
    hint = "Set it to the address people use, such as https://portal.example.org"
    return [Error(f"PUBLIC_URL is no web address: {settings.PUBLIC_URL!r}.", hint=hint, id="runtime.E001")]


@register(Tags.security, deploy=True)
def shared_keys(**_: Any) -> list[CheckMessage]:
    """With a database of their own several hosts may serve one portal, and then need the same keys."""
    missing = [name for name in ("SECRET_KEY", "SECRETS_KEYS") if not _given(name)]
    if not missing or not _given("DATABASE_URL"):
        return []
    hint = f"Copy the values out of {settings.DATA_DIR / 'keys.json'} into the environment of every host."
    message = f"{' and '.join(missing)} come from this host's data folder."
    return [Warning(message, hint=hint, id="runtime.W001")]


def _given(name: str) -> bool:
    return bool(os.environ.get(name) or os.environ.get(f"{name}_FILE"))
