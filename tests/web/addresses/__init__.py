"""Every address of the portal with what a viewer of the organisation gets there, one file a subject.

`VIEWER`: {address: {method: status}}. A method that is not named must be refused (405) or harmless (200).
`BODIES`: {address: body} that gets past the checks of form, so that the refusal is that of the gate.
"""

from typing import Any

from tests.web.addresses import agents, approvals, core, events, retention, runs, workflows

VIEWER: dict[str, dict[str, int]] = {
    **core.VIEWER,
    **agents.VIEWER,
    **workflows.VIEWER,
    **runs.VIEWER,
    **events.VIEWER,
    **retention.VIEWER,
    **approvals.VIEWER,
}
BODIES: dict[str, dict[str, Any]] = {
    **agents.BODIES,
    **workflows.BODIES,
    **runs.BODIES,
    **events.BODIES,
    **retention.BODIES,
    **approvals.BODIES,
}
