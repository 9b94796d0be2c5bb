"""Connections of the engine: to Django's database, but raw and never pooled.

A pool inherited by forked workers crosses connections, and Django's connection belongs to a thread. Keepalives let a
host that lost its network notice within seconds instead of hours.
"""

from __future__ import annotations

from typing import Any

import psycopg
from django.db import connections

_KEEPALIVE = {"keepalives": 1, "keepalives_idle": 5, "keepalives_interval": 2, "keepalives_count": 3}


def parameters(purpose: str) -> dict[str, Any]:
    """Arguments of psycopg's connect. `purpose` shows in pg_stat_activity."""
    settings = connections["default"].settings_dict
    given = {
        "dbname": settings["NAME"],
        "user": settings["USER"],
        "password": settings["PASSWORD"],
        "host": settings["HOST"],
        "port": settings["PORT"],
    }
    options = {key: value for key, value in settings["OPTIONS"].items() if key not in {"pool", "server_side_binding"}}
    return {
        "autocommit": True,
        "connect_timeout": 5,
        "application_name": f"ensemble engine {purpose}",
        **_KEEPALIVE,
        **{key: value for key, value in given.items() if value},
        **options,
    }


def connect(purpose: str) -> psycopg.Connection[Any]:
    connection = psycopg.connect(**parameters(purpose))
    _prepare(connection)
    return connection


async def connect_async(purpose: str) -> psycopg.AsyncConnection[Any]:
    connection = await psycopg.AsyncConnection.connect(**parameters(purpose))
    _prepare(connection)
    return connection


def _prepare(connection: psycopg.Connection[Any] | psycopg.AsyncConnection[Any]) -> None:
    connection.prepare_threshold = 1  # the same few statements all day
