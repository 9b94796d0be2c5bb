"""Checks of servers that are not ours: a DATABASE_URL or REDIS_URL given by the environment."""

from urllib.parse import urlsplit

import psycopg
import redis
from psycopg.conninfo import conninfo_to_dict

from portal.runtime.errors import CannotStart

OLDEST_POSTGRESQL = 14  # the oldest that Django 5.2 supports
PATIENCE = 5  # seconds


def require_database(url: str) -> None:
    """Raises CannotStart with one sentence; it names the server, never the password."""
    try:
        parts = conninfo_to_dict(url)
    except psycopg.Error as error:
        raise CannotStart(
            "DATABASE_URL cannot be read. It looks like postgresql://user:password@host:5432/database."
        ) from error
    place = f"{parts.get('host', 'localhost')}:{parts.get('port', 5432)}/{parts.get('dbname', parts.get('user', ''))}"
    try:
        with psycopg.connect(url, connect_timeout=PATIENCE) as connection:
            version = connection.info.server_version // 10_000
    except psycopg.OperationalError as error:
        raise CannotStart(f"PostgreSQL at {place} (DATABASE_URL) cannot be used: {_reason(error)}") from error
    if version < OLDEST_POSTGRESQL:
        raise CannotStart(
            f"PostgreSQL at {place} (DATABASE_URL) is version {version}; {OLDEST_POSTGRESQL} or later is needed. "
            "Upgrade it, or unset DATABASE_URL for a private one."
        )


def require_redis(url: str) -> None:
    """Raises CannotStart with one sentence; it names the server, never the password."""
    try:
        client = redis.Redis.from_url(url, socket_connect_timeout=PATIENCE, socket_timeout=PATIENCE)
    except ValueError as error:
        raise CannotStart("REDIS_URL cannot be read. It looks like redis://:password@host:6379/0.") from error
    parts = urlsplit(url)
    place = f"{parts.hostname}:{parts.port or 6379}" if parts.hostname else parts.path
    try:
        with client:
            client.ping()
    except redis.RedisError as error:
        raise CannotStart(f"Redis at {place} (REDIS_URL) cannot be used: {_reason(error)}") from error


def _reason(error: Exception) -> str:
    """The last line of a driver's message: libpq puts the cause there."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[-1] if lines else type(error).__name__).rstrip(".") + "."
