"""Variables of a live run, set by a person."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db import transaction

from agents.contracts import Fault, data_faults
from orchestration.engine.signals import Signal, SignalKind
from orchestration.engine.states import RunState
from orchestration.engine.statuses import NodeStatus
from orchestration.expressions.templates import references_in
from orchestration.models import Run
from orchestration.queries.state import asks_a_person, folded
from orchestration.services.runs import locked_run, post_signal
from orchestration.services.steering.asking import be_first, raise_refusal, record
from orchestration.services.steering.refusals import DecidedOn, InvalidOutcome, StepConflict
from portal.core import clock
from portal.core.actors import Actor

JSON = Any


@transaction.atomic
def change_variables(
    *, run: Run, values: Mapping[str, JSON], actor: Actor, reason: str = "", seen: Mapping[str, JSON] | None = None
) -> Run:
    """Set variables of a live run; what is resolved from now on reads them.

    seen: what the person saw before changing them; if somebody has changed one of them meanwhile, nothing is done.
    Raises StepConflict, InvalidOutcome, DecidedOn, AskedAlready.
    """
    locked = locked_run(run.pk)
    state = folded(locked).state
    be_first(locked, kind=SignalKind.VARIABLES)
    check_variables(locked.definition.body, values)
    raise_refusal(locked, state, Signal(0, SignalKind.VARIABLES, clock.now(), data={"values": dict(values)}))
    before = {name: state.variables.get(name) for name in values}
    if seen is not None and (stale := [name for name in values if name in seen and seen[name] != before[name]]):
        raise StepConflict(locked, f"{', '.join(stale)} has changed since you looked. Look at it again.")
    _check_decisions(state, values)
    record(
        locked,
        actor,
        "orchestration.run.variables_changed",
        before=before,
        after=dict(values),
        data={"reason": reason},
    )
    post_signal(
        run_id=locked.pk, kind=SignalKind.VARIABLES, by=actor.label, reason=reason, data={"values": dict(values)}
    )
    return locked_run(run.pk)


def check_variables(body: Mapping[str, JSON], values: Mapping[str, JSON]) -> None:
    """Against the declared schemas. Raises InvalidOutcome."""
    declared = body.get("variables") or {}
    faults: list[Fault] = []
    for name, value in values.items():
        if name not in declared:
            known = ", ".join(declared) or "none"
            faults.append(Fault(f"$.{name}", f"is not a variable of this workflow; there are: {known}"))
            continue
        found = data_faults({"type": "object", "properties": {name: declared[name]}}, {name: value})
        faults.extend(found)
    if faults:
        raise InvalidOutcome("The variables are not right", faults)


def _check_decisions(state: RunState, values: Mapping[str, JSON]) -> None:
    """A variable that a person was shown for a decision, open or taken, stays as they saw it."""
    for node in asks_a_person(state.graph):
        spec = state.graph.nodes[node]
        asked = any(
            key[0] == node and found.status in (NodeStatus.WAITING, NodeStatus.RUNNING, NodeStatus.SUCCEEDED)
            for key, found in state.nodes.items()
        )
        if not asked:
            continue
        for reference in references_in(dict(spec.settings)):
            if reference.root == "vars" and (not reference.path or reference.path[0] in values):
                name = str(reference.path[0]) if reference.path else next(iter(values))
                raise DecidedOn(spec.name, name)
