"""Hosts keep agents in memory, and hear of every change of one, whoever makes it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.db import connection

from agents import snapshots
from portal.core.models import Organisation
from tests.agents.factories import agent, python_draft
from tests.engine_host import EngineHost, make_definition, start, wait_until

pytestmark = pytest.mark.django_db(transaction=True)

ASK = {"id": "ask", "type": "agent", "settings": {"agent": "echo", "inputs": {"a": 1}}}


@pytest.fixture
def head(engine: EngineHost, organisation: Organisation) -> Callable[[], snapshots._Head | None]:
    """What the host has in memory of the agent, after a run that has asked it."""
    agent(organisation, "echo", python_draft("echo"))
    assert engine.wait_for(start(organisation, make_definition([ASK]))).status == "completed"
    return lambda: snapshots._known_head(organisation.pk, "echo")


def test_a_change_that_nobody_here_made_is_heard_of(
    head: Callable[[], snapshots._Head | None], engine: EngineHost, organisation: Organisation
) -> None:
    found = head()
    assert found and found.heard
    with connection.cursor() as cursor:
        cursor.execute("UPDATE agents_agent SET status = 'offline' WHERE organisation_id = %s", [organisation.pk])
    wait_until(lambda: head() is not found, 10, "the change was not heard of")
    run = engine.wait_for(start(organisation, make_definition([ASK])), "failed")
    assert run.error and run.error["code"] == "agent_offline"


def test_what_was_read_while_a_change_came_in_is_not_trusted_for_long(
    head: Callable[[], snapshots._Head | None], organisation: Organisation, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = snapshots.AgentVersion.objects.filter

    def filter_while_it_changes(**wanted: object) -> object:
        snapshots.hear(f"{organisation.pk} echo")
        return real(**wanted)

    monkeypatch.setattr(snapshots.AgentVersion.objects, "filter", filter_while_it_changes)
    found = snapshots._read_head(organisation.pk, "echo")
    assert found and not found.heard


def test_who_does_not_hear_asks_again_soon(engine: EngineHost, organisation: Organisation) -> None:
    agent(organisation, "echo", python_draft("echo"))
    snapshots.hears(False)
    try:
        found = snapshots._read_head(organisation.pk, "echo")
        assert found and not found.heard
    finally:
        snapshots.hears(True)
