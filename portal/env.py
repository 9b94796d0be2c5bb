"""Typed readers of environment variables. A value that cannot be read stops the start with one clear sentence."""

import os
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

_TRUE, _FALSE = {"1", "true", "yes", "on"}, {"0", "false", "no", "off"}


def text(name: str, default: str = "") -> str:
    """The variable, or what the file named by `<name>_FILE` holds (for container secrets), or the default."""
    file = os.environ.get(f"{name}_FILE")
    if file:
        try:
            return Path(file).read_text(encoding="utf-8").strip()
        except OSError as error:
            raise ImproperlyConfigured(f"{name}_FILE names {file!r}, which cannot be read: {error}") from error
    return os.environ.get(name, default)


def integer(name: str, default: int) -> int:
    """Raises ImproperlyConfigured."""
    raw = text(name)
    if not raw:
        return default
    try:
        return int(raw)
    except ValueError as error:
        raise ImproperlyConfigured(f"{name} must be a whole number, not {raw!r}.") from error


def boolean(name: str, default: bool) -> bool:
    """true, 1, yes, on or their opposites. Raises ImproperlyConfigured."""
    raw = text(name).lower()
    if not raw:
        return default
    if raw in _TRUE | _FALSE:
        return raw in _TRUE
    raise ImproperlyConfigured(f"{name} must be one of true, false, 1, 0, yes, no, on, off, not {raw!r}.")


def words(name: str, default: tuple[str, ...] = ()) -> list[str]:
    """A comma-separated list."""
    raw = text(name)
    return [word.strip() for word in raw.split(",") if word.strip()] if raw else list(default)


def choice(name: str, allowed: tuple[str, ...], default: str) -> str:
    value = text(name, default)
    if value in allowed:
        return value
    raise ImproperlyConfigured(f"{name} must be one of {', '.join(allowed)}, not {value!r}.")
