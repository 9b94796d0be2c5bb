"""A run that waits for a person."""

from typing import Any

from approvals.models import ApprovalRequest
from orchestration.models import Definition
from tests.cast import Cast
from tests.engine_host import EngineHost, make_definition, start, wait_until


def approval(**settings: Any) -> Definition:
    """input → ask → done; the other way out of `ask` ends in a failure."""
    asked = {
        "title": "Release {{ inputs.amount }}?",
        "message": "The amount is **{{ inputs.amount }}**.",
        "assignee": {"role": "approver"},
        "context": [{"label": "Amount", "value": "{{ inputs }}", "format": "json"}],
        **settings,
    }
    return make_definition(
        [
            {"id": "ask", "type": "approval", "settings": asked},
            {"id": "refused", "type": "fail", "settings": {"message": "Refused."}},
        ],
        ["ask:reject -> refused"],
        outputs={"by": "{{ ask.outputs.decided_by }}", "said": "{{ ask.outputs.comment }}"},
    )


def ask(engine: EngineHost, cast: Cast, definition: Definition, inputs: dict[str, Any]) -> ApprovalRequest:
    """Start a run and wait until somebody is asked."""
    run = start(cast.organisation, definition, inputs)
    wait_until(lambda: ApprovalRequest.objects.filter(run=run, status="open").exists(), 10, "a request")
    return ApprovalRequest.objects.select_related("organisation", "run").get(run=run, status="open")
