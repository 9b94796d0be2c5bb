"""Django's PostgreSQL, whose pooled connections are taken without a journey to the database. ENGINE of the web process.

Django asks the server a question with each connection that it takes from the pool, for every request. But one that is
good is silent while it rests: what a server says unasked is that it ends the connection, and a server that dies closes
it. So only a connection that has something to read is asked, or one that has rested for so long that a firewall in
between may have forgotten it.
"""

from __future__ import annotations

import select
import time
from typing import Any
from weakref import WeakKeyDictionary

import psycopg
from django.db.backends.postgresql import base
from psycopg_pool import ConnectionPool

ASK_AFTER_SECONDS = 30.0

Connection = psycopg.Connection[Any]


class DatabaseWrapper(base.DatabaseWrapper):
    def get_new_connection(self, conn_params: dict[str, Any]) -> Connection:
        """Raises psycopg_pool.PoolTimeout, an OperationalError, when the database does not answer."""
        connection: Connection
        while True:
            connection = super().get_new_connection(conn_params)
            if not self.pool or _usable(connection):
                return connection
            connection.close()
            self.pool.putconn(connection)  # which makes another in its place


_taken_at: WeakKeyDictionary[Connection, float] = WeakKeyDictionary()


def _usable(connection: Connection) -> bool:
    now = time.monotonic()
    rested = now - _taken_at.get(connection, now)
    _taken_at[connection] = now
    if rested < ASK_AFTER_SECONDS and not _has_something_to_read(connection):
        return True
    try:
        ConnectionPool.check_connection(connection)
    except psycopg.Error:
        return False
    return True


def _has_something_to_read(connection: Connection) -> bool:
    readable = select.poll()
    readable.register(connection.fileno(), select.POLLIN)
    return bool(readable.poll(0))
