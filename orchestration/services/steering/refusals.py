"""Why what somebody asks of a live run is not done, in words for them."""

from __future__ import annotations

from agents.contracts import Fault
from orchestration.engine.moving import MovePlan
from orchestration.models import Run, RunSignal
from portal.core.errors import Conflict, NotAllowed, UserError


class AskedAlready(Conflict):
    """Somebody else was first, and it has not been carried out yet."""

    def __init__(self, run: Run, first: RunSignal) -> None:
        who = first.by or "Somebody"
        what = f"{first.kind} “{first.node}”" if first.node else f"change this run ({first.kind})"
        super().__init__(f"{who} has already asked to {what}. Look again in a moment.", "asked", state=run.status)


class StepConflict(Conflict):
    """The step, or the run, is not in a state for it. The message says why."""

    def __init__(self, run: Run, message: str) -> None:
        super().__init__(message, code="step_state", state=run.status)


class AsksPerson(NotAllowed):
    """No path leads round a decision."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"“{name}” asks a person, and no path leads round that: decide it in the inbox, or cancel the run.",
            code="asks_person",
        )


class DecidedOn(NotAllowed):
    def __init__(self, name: str, variable: str) -> None:
        super().__init__(
            f"“{name}” shows the variable {variable} to the person who decides, so it stays as they saw it. "
            "Re-run from a step before it, and they are asked again.",
            code="decided_on",
        )


class InvalidOutcome(UserError):
    """`problems`: [{"path": "$.score", "message": "must be a number"}]."""

    status = 422

    def __init__(self, what: str, faults: list[Fault]) -> None:
        more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
        super().__init__(f"{what}: {faults[0]}{more}.", code="invalid_outcome")
        self.problems = [fault.as_json() for fault in faults]


class CannotMove(Conflict):
    """`problems` say why; `plan` is the whole of it."""

    def __init__(self, run: Run, plan: MovePlan) -> None:
        first = plan.obstacles[0].message
        more = f" ({len(plan.obstacles) - 1} more)" if len(plan.obstacles) > 1 else ""
        super().__init__(f"The run cannot be moved as it stands. {first}{more}", code="cannot_move", state=run.status)
        self.plan = plan
        self.problems = [obstacle.as_json() for obstacle in plan.obstacles]
