"""Two people who make a workflow of the same name in the same moment both have one."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection, connections, transaction

from orchestration.services.workflows import SlugTaken, create_workflow
from portal.core.actors import Actor
from portal.core.models import Organisation
from tests.engine_host import wait_until
from tests.workflows.factories import definition, node

pytestmark = pytest.mark.django_db(transaction=True)


def somebody_waits() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
        (waiting,) = cursor.fetchone()
    return bool(waiting)


def made_together(organisation: Organisation, slug: str = "") -> list[Any]:
    """What the first gets, and what the second gets, who begins before the first has committed."""
    created, may_commit = threading.Event(), threading.Event()

    def create(first: bool) -> Any:
        body = definition(node("note", "set", settings={"variables": {"a": 1}}))
        try:
            with transaction.atomic():
                made = create_workflow(organisation=organisation, definition=body, actor=Actor.command(), slug=slug)
                created.set()
                if first:
                    may_commit.wait(20)
            return made.slug
        except SlugTaken as error:
            return error
        finally:
            connections.close_all()

    with ThreadPoolExecutor(2) as threads:
        one = threads.submit(create, True)
        assert created.wait(20)
        other = threads.submit(create, False)
        wait_until(somebody_waits, 20, "the second to wait for the first")
        may_commit.set()
        return [one.result(20), other.result(20)]


def test_of_the_same_name(organisation: Organisation) -> None:
    assert made_together(organisation) == ["a-workflow", "a-workflow-2"]


def test_with_the_same_slug(organisation: Organisation) -> None:
    first, second = made_together(organisation, "orders")
    assert first == "orders" and isinstance(second, SlugTaken)
