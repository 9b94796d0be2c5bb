"""How long a run may take, from what agents took, delays and timeouts."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from orchestration.models import NodeRun, Run
from orchestration.queries.estimates import expected
from portal.core import clock
from portal.core.models import Organisation
from tests.cast import Cast
from tests.engine_host import make_definition
from tests.workflows.factories import definition, edge, node, workflow

pytestmark = pytest.mark.django_db


def agent(id: str, slug: str, **more: Any) -> dict[str, Any]:
    return {**node(id, "agent", settings={"agent": slug}), **more}


def took(organisation: Organisation, slug: str, seconds: float) -> None:
    run = Run.objects.create(
        organisation=organisation, definition=make_definition([{"id": "a", "type": "parallel"}]), name="Earlier"
    )
    now = clock.now()
    NodeRun.objects.create(
        run=run,
        node="a",
        path="",
        type="agent",
        agent=slug,
        status="succeeded",
        started_at=now - timedelta(seconds=seconds),
        ended_at=now,
    )


def test_what_agents_took_adds_up_along_the_longest_way(cast: Cast) -> None:
    took(cast.organisation, "slow", 40)
    took(cast.organisation, "slow", 20)
    took(cast.organisation, "quick", 2)
    body = definition(
        agent("read", "quick", name="Read"),
        agent("think", "slow", name="Think"),
        node("wait", settings={"seconds": 5}),
        node("end", "join"),
        edges=[edge("read", "think"), edge("read", "wait"), edge("think", "end"), edge("wait", "end")],
    )
    found = expected(cast.organisation.pk, body)
    assert found is not None and (found.seconds, found.path) == (32, ("Read", "Think"))
    assert (found.unknown, found.waits, found.loops) == ((), False, False)


def test_a_timeout_stands_in_for_figures_and_what_is_unknown_is_named(cast: Cast) -> None:
    body = definition(
        agent("a", "new", timeout_seconds=60), agent("b", "new", name="B"), node("c", "approval", settings={})
    )
    found = expected(cast.organisation.pk, body)
    assert found is not None and (found.seconds, found.unknown, found.waits) == (60, ("B",), True)


@pytest.mark.parametrize(
    "body", [definition(agent("a", "new")), {"nodes": 5}, definition(node("a", retry={"tries": 1}))]
)
def test_nothing_is_said_where_nothing_is_known(cast: Cast, body: Any) -> None:
    found = expected(cast.organisation.pk, body)
    assert found is None


def test_the_page_of_a_workflow_says_it(cast: Cast, client: Client) -> None:
    drawn = workflow(cast.organisation, definition(node("a", settings={"seconds": 90})))
    client.force_login(cast.viewer)
    page = client.get(reverse("workflows:detail", args=[cast.organisation.slug, drawn.slug])).content.decode()
    assert "1 min 30 s" in page.split('id="workflow-expected"')[1].split("</p>")[0]
