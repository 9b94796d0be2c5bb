"""Connections of the web process are taken from its pool without asking, and never dead."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy

import pytest
from django.db import OperationalError, connection
from psycopg_pool import ConnectionPool

from portal.core.postgresql import base
from tests.engine_host import wait_until

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Process ids of the server's side of connections that were asked whether they live."""
    found: list[int] = []
    check = ConnectionPool.check_connection

    def counted(one: base.Connection) -> None:
        found.append(one.info.backend_pid)
        check(one)

    monkeypatch.setattr(ConnectionPool, "check_connection", staticmethod(counted))
    return found


@pytest.fixture
def pooled(asked: list[int]) -> Iterator[base.DatabaseWrapper]:
    settings = deepcopy(connection.settings_dict)
    settings |= {"CONN_MAX_AGE": 0, "CONN_HEALTH_CHECKS": False}
    settings["OPTIONS"] = {**settings["OPTIONS"], "pool": {"min_size": 2, "max_size": 2, "timeout": 60}}
    wrapper = base.DatabaseWrapper(settings, alias=connection.alias)
    yield wrapper
    wrapper.close()
    wrapper.close_pool()


def request(pooled: base.DatabaseWrapper) -> int:
    """Take a connection, use it, give it back. The process id of the server's side."""
    with pooled.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        (pid,) = cursor.fetchone()
    pooled.close()
    return int(pid)


def end(pids: set[int]) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(pid) FROM unnest(%s) AS pid", [list(pids)])

    def gone() -> bool:
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE pid = ANY(%s)", [list(pids)])
            return bool(cursor.fetchone()[0] == 0)

    wait_until(gone, 10, "the end of the connections")


def test_a_connection_that_rests_is_not_asked(pooled: base.DatabaseWrapper, asked: list[int]) -> None:
    pids = {request(pooled) for _ in range(10)}
    assert len(pids) <= 2
    assert asked == []


def test_one_that_has_rested_for_long_is_asked(
    pooled: base.DatabaseWrapper, asked: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    known = {request(pooled) for _ in range(10)}
    monkeypatch.setattr(base, "ASK_AFTER_SECONDS", 0.0)
    assert request(pooled) in known
    assert len(asked) == 1


def test_connections_that_the_server_has_ended_are_replaced(pooled: base.DatabaseWrapper, asked: list[int]) -> None:
    ended = {request(pooled) for _ in range(10)}
    end(ended)
    assert not {request(pooled) for _ in range(10)} & ended
    assert set(asked) <= ended


def test_without_a_database_it_says_so_as_django_does(pooled: base.DatabaseWrapper) -> None:
    pooled.settings_dict["OPTIONS"]["pool"] |= {"timeout": 0.1}
    pooled.settings_dict["PORT"] = "1"
    pooled.settings_dict["HOST"] = "127.0.0.1"
    with pytest.raises(OperationalError):
        request(pooled)
