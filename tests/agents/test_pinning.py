"""A run keeps the versions of the agents it began with, whatever is published meanwhile; with the real engine."""

import pytest

from agents import services
from orchestration.models import NodeRun
from portal.core.actors import Actor
from tests.agents import factories

pytestmark = pytest.mark.django_db(transaction=True)


def definition():
    step = {"type": "agent", "settings": {"agent": "sleep", "inputs": {"seconds": 0.5}}}
    return {
        "format": "ensemble.workflow/1",
        "name": "Two steps",
        "nodes": [{"id": "first", **step}, {"id": "second", **step}],
        "edges": [{"source": "first", "target": "second"}],
    }


def test_the_second_step_uses_the_version_the_run_began_with(engine):
    from orchestration.services import definitions, new_runs

    org = factories.organisation()
    agent = factories.agent(org, "sleep", factories.python_draft("sleep")).version.agent
    body = definitions.checked(organisation=org, definition=definition())
    run = new_runs.start_run(
        new_runs.NewRun(organisation=org, actor=Actor.command(), definition=definitions.kept(body), inputs={})
    )
    engine.wait_for(run, "running")
    services.publish_version(
        agent=agent, draft=factories.python_draft("sleep", timeout_seconds=9), actor=Actor.command()
    )
    engine.wait_for(run, "completed")
    used = NodeRun.objects.filter(run=run).order_by("id").values_list("node", "agent_version")
    assert list(used) == [("first", 1), ("second", 1)]
    later = new_runs.start_run(
        new_runs.NewRun(organisation=org, actor=Actor.command(), definition=definitions.kept(body), inputs={})
    )
    engine.wait_for(later, "completed")
    assert set(NodeRun.objects.filter(run=later).values_list("agent_version", flat=True)) == {2}
