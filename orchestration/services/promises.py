"""Asking before a workflow's contract is broken for those who rely on it."""

from __future__ import annotations

from orchestration.models import Workflow
from orchestration.queries.dependants import Breaking
from portal.core.errors import Conflict


class BreaksContract(Conflict):
    """Publishing would take back what the published version promises. `breaking` names the changes and who relies on
    them; `problems` are the changes as JSON.
    """

    def __init__(self, workflow: Workflow, breaking: Breaking) -> None:
        dependants = [row.as_json() for row in breaking.dependants]
        super().__init__(words(breaking), "breaking_change", workflow=workflow.slug, dependants=dependants)
        self.breaking = breaking
        self.problems = [{"code": "breaking_change", **change.as_json()} for change in breaking.changes]


def words(breaking: Breaking) -> str:
    """The warning: what breaks, and for whom."""
    found, rows = breaking.changes, breaking.dependants
    told = "; ".join(map(str, found[:5])) + (f"; and {len(found) - 5} more" if len(found) > 5 else "")
    names = ", ".join(f"{row.kind} “{row.name}”" for row in rows[:5])
    more = f" and {len(rows) - 5} more" if len(rows) > 5 else ""
    if not rows:
        relying = "Nothing is known to rely on it. Mend the draft, or confirm."
    else:
        relying = (
            f"It is relied upon by {names}{more}. Pin them to the present version first, mend the draft, or confirm."
        )
    return f"The draft breaks what the published version promises ({told}). {relying}"
