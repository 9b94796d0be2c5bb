"""Runs from start to end, by a real host on a real database."""

import pytest

from orchestration.models import NodeRun
from portal.core.models import Organisation
from tests.engine_host import EngineHost, event_types, make_definition, start
from tests.factories import make_organisation

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def organisation() -> Organisation:
    return make_organisation()


def test_a_chain_completes_and_yields_its_outputs(engine: EngineHost, organisation: Organisation) -> None:
    definition = make_definition(
        [
            {"id": "a", "type": "set", "settings": {"variables": {"greeting": "Hello {{ inputs.name }}"}}},
            {"id": "b", "type": "set", "settings": {"variables": {"greeting": "{{ a.outputs.greeting }}!"}}},
        ],
        ["a -> b"],
        outputs={"text": "{{ vars.greeting }}"},
    )
    run = engine.wait_for(start(organisation, definition, {"name": "Ada"}))
    assert run.outputs == {"text": "Hello Ada!"}
    assert run.nodes_ended == run.nodes_total == 2
    assert run.host_id is None and run.due_at is None and run.claims == 0
    assert event_types(run) == [
        "RunStarted",
        "NodeStarted a",
        "NodeSucceeded a",
        "NodeStarted b",
        "NodeSucceeded b",
        "RunCompleted",
    ]
    assert NodeRun.objects.get(run=run, node="b").inputs == {"variables": {"greeting": "Hello Ada!"}}
