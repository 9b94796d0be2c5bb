"""Another version for a live run."""

from __future__ import annotations

from django.db import transaction

from orchestration.engine.moving import MovePlan, move_plan, people_left_out
from orchestration.engine.signals import SignalKind
from orchestration.engine.states import RunState
from orchestration.models import Run, WorkflowVersion
from orchestration.queries.state import asks_a_person, folded, graph
from orchestration.services.runs import locked_run, post_signal
from orchestration.services.steering.asking import be_first, record
from orchestration.services.steering.refusals import CannotMove, StepConflict
from portal.core.actors import Actor
from portal.core.errors import UserError


def plan_move(*, run: Run, version: WorkflowVersion) -> tuple[RunState, MovePlan]:
    """The dry run; nothing is changed."""
    state = folded(run).state
    return state, move_plan(state, graph(version.definition_id))


@transaction.atomic
def move_run(*, run: Run, version: WorkflowVersion, actor: Actor, reason: str = "") -> Run:
    """Let a live run go on with another published version of its workflow. Raises CannotMove, AskedAlready."""
    locked = locked_run(run.pk)
    if version.workflow_id != locked.workflow_id:
        raise UserError("A run can be moved to versions of its own workflow only.", code="other_workflow")
    if version.definition_id == locked.definition_id:
        raise StepConflict(locked, f"The run has version {version.number} already.")
    be_first(locked, kind=SignalKind.MOVE)
    state, plan = plan_move(run=locked, version=version)
    if plan.obstacles:
        raise CannotMove(locked, plan)
    before = locked.version.number if locked.version else None
    left_out = people_left_out(state, graph(version.definition_id), asks_a_person(state.graph))
    record(
        locked,
        actor,
        "orchestration.run.moved",
        before={"version": before, "definition": locked.definition_id},
        after={"version": version.number, "definition": version.definition_id},
        data={"reason": reason, "not_asked": left_out},
    )
    data = {
        "definition": version.definition_id,
        "version": version.number,
        "previous": locked.definition_id,
        "previous_version": before,
    }
    post_signal(run_id=locked.pk, kind=SignalKind.MOVE, by=actor.label, reason=reason, data=data)
    return locked_run(run.pk)
