"""What failed and was handled by nothing goes to the error handler of its body, by a real host."""

from typing import Any

import pytest

from orchestration.models import NodeRun, Run
from portal.core.models import Organisation
from tests.driver.test_runs import scripted
from tests.engine_host import EngineHost, event_types, make_definition, start

pytestmark = pytest.mark.django_db(transaction=True)

TELLS = {"id": "tells", "type": "set", "settings": {"variables": {"said": "{{ error.node }}: {{ error.code }}"}}}


def handled(then: str) -> list[dict[str, Any]]:
    return [
        scripted("slow", seconds=3600),
        scripted("fails", fail_times=9, retryable=False),
        {"id": "caught", "type": "error_handler", "settings": {"then": then}},
        TELLS,
    ]


def test_a_run_whose_failure_is_handled_completes_with_its_outputs(
    engine: EngineHost, organisation: Organisation
) -> None:
    definition = make_definition(handled("complete"), ["caught -> tells"], outputs={"said": "{{ vars.said }}"})
    run = engine.wait_for(start(organisation, definition))
    assert run.outputs == {"said": "fails: scripted"}
    assert statuses(run)["slow"] == "cancelled"
    assert "ErrorHandled caught" in event_types(run)


def test_a_run_that_only_cleans_up_fails_with_its_own_error(engine: EngineHost, organisation: Organisation) -> None:
    run = engine.wait_for(start(organisation, make_definition(handled("fail"), ["caught -> tells"])), "failed")
    assert (run.error["node"], run.error["code"]) == ("fails", "scripted")
    assert statuses(run)["tells"] == "succeeded"


def test_without_a_failure_the_handler_is_not_asked(engine: EngineHost, organisation: Organisation) -> None:
    nodes = [scripted("works"), *handled("complete")[2:]]
    run = engine.wait_for(start(organisation, make_definition(nodes, ["caught -> tells"])))
    assert "NodeStarted caught" not in event_types(run) and "NodeStarted tells" not in event_types(run)


def statuses(run: Run) -> dict[str, str]:
    return {str(row): row.status for row in NodeRun.objects.filter(run=run)}
