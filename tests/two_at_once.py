"""Two people who do something in the same moment, each in a transaction of their own."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from django.db import connection, connections, transaction

from portal.core.errors import UserError
from tests.engine_host import PATIENCE, wait_until


def together(first: Callable[[], Any], second: Callable[[], Any]) -> tuple[Any, Any]:
    """What each gets, be it a UserError: the second begins before the first has committed, and has to wait for it.

    The database must be a committed one (`django_db(transaction=True)`).
    """
    done, may_commit = threading.Event(), threading.Event()

    def act(what: Callable[[], Any], *, waits: bool) -> Any:
        try:
            with transaction.atomic():
                made = what()
                if waits:
                    done.set()
                    may_commit.wait(PATIENCE)
            return made
        except UserError as error:
            return error
        finally:
            connections.close_all()

    with ThreadPoolExecutor(2) as threads:
        one = threads.submit(act, first, waits=True)
        assert done.wait(PATIENCE)
        other = threads.submit(act, second, waits=False)
        wait_until(_somebody_waits, PATIENCE, "the second to wait for the first")
        may_commit.set()
        return one.result(PATIENCE), other.result(PATIENCE)


def _somebody_waits() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT EXISTS (SELECT 1 FROM pg_locks WHERE NOT granted)")
        (waiting,) = cursor.fetchone()
    return bool(waiting)
