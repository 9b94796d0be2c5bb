"""Queries for coroutines: sockets, streams, the engine."""

from collections.abc import Callable
from typing import ParamSpec, TypeVar

from asgiref.sync import sync_to_async
from django.db import connections

P = ParamSpec("P")
T = TypeVar("T")


async def in_database(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run a query outside of the loop, in a thread of the executor, and close its connection (or give it back).

    Not thread-sensitive: one slow query must not stall every open socket. The threads come and go, and what they leave
    open nobody closes.
    """

    def call() -> T:
        try:
            return function(*args, **kwargs)
        finally:
            connections.close_all()

    return await sync_to_async(call, thread_sensitive=False)()
