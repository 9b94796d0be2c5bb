"""Re-running from any step, with other data if wanted: a new run, linked to the one it comes from.

First the plan, which changes nothing: what is taken over, what happens again, and what of that reaches the outside
world. Then the run, which begins with exactly what the plan said: whoever confirms names the plan's digest, and is
asked again if the origin has gone on meanwhile and the plan is another one.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import transaction

from orchestration.engine.graph import Graph
from orchestration.engine.reuse import Edits, RerunPlan, Why, rerun_plan
from orchestration.engine.statuses import NodeStatus
from orchestration.models import Definition, Run, WorkflowVersion
from orchestration.nodes.base import node_types
from orchestration.queries.effects import Call, calls
from orchestration.queries.state import asks_a_person, folded, graph
from orchestration.services import new_runs, runs, values
from orchestration.services.steering.steps import check_outputs
from orchestration.services.steering.variables import check_variables
from portal.core.actors import Actor
from portal.core.errors import Conflict, UserError

JSON = Any
MOST_CALLS = 5_000


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody wants of a re-run. inputs None: those of the origin; version None: the definition it has."""

    nodes: Sequence[str]
    version: WorkflowVersion | None = None
    inputs: dict[str, JSON] | None = None
    outputs: Mapping[str, JSON] = field(default_factory=dict)
    """Edited outputs of nodes that are taken over."""
    variables: Mapping[str, JSON] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Step:
    """A line of the plan."""

    node: str
    name: str
    type: str
    depth: int
    reused: bool
    edited: bool
    why: str
    """Of what happens again: chosen, depends, unfinished, undone, new, asked_again, inside."""
    before: str
    """Its status in the origin."""
    first_time: bool
    """Nothing of it has been done in the origin."""
    effect: str
    """What it does to the outside world, in words; empty if nothing."""
    at_most_once: bool
    calls: tuple[Call, ...]
    """Calls it made in the origin that took effect, or may have."""
    stands: bool = False
    """It could be undone, in the origin: what it did there stands, and the new run does not undo it."""
    outputs: JSON = None
    ended_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Prepared:
    """The plan of a re-run with all that it rests on."""

    wish: Wish
    plan: RerunPlan
    definition: Definition
    steps: tuple[Step, ...]
    digest: str
    """Of what is taken over and what happens again."""

    @property
    def reused(self) -> list[Step]:
        return [step for step in self.steps if step.reused]

    @property
    def again(self) -> list[Step]:
        return [step for step in self.steps if not step.reused]

    @property
    def outside(self) -> list[Step]:
        """What happens again and reaches the outside world."""
        return [step for step in self.again if step.effect or step.at_most_once]

    @property
    def kept_up(self) -> list[Step]:
        """Reused, and left as it is whatever becomes of the new run."""
        return [step for step in self.reused if step.stands]

    @property
    def done_twice(self) -> list[Step]:
        """Happens again although what it did before has not been undone."""
        return [step for step in self.again if step.stands]


class CannotRerun(UserError):
    status = 422

    def __init__(self, plan: RerunPlan) -> None:
        super().__init__(plan.obstacles[0].message, code="cannot_rerun")
        self.problems = [obstacle.as_json() for obstacle in plan.obstacles]


class PlanChanged(Conflict):
    """`prepared` is the plan as it is now."""

    def __init__(self, run: Run, prepared: Prepared) -> None:
        super().__init__(
            "The run has gone on since this plan was made, and it is another one now. Look at it again.",
            code="plan_changed",
            state=run.status,
        )
        self.prepared = prepared


def plan_of(*, run: Run, wish: Wish) -> Prepared:
    """The dry run. Raises InvalidInputs, InvalidOutcome for edits that do not fit; obstacles are in the plan."""
    definition = wish.version.definition if wish.version else run.definition
    if wish.version and wish.version.workflow_id != run.workflow_id:
        raise UserError("A run can be re-run with versions of its own workflow only.", code="other_workflow")
    if not wish.nodes:
        raise UserError("Choose the step to re-run from.", code="no_step")
    of, known = graph(definition.digest), folded(run)
    _check_edits(run, definition.body, of, wish)
    edits = Edits(inputs=_inputs_differ(run, wish), outputs=wish.outputs, variables=wish.variables)
    plan = rerun_plan(known.state, known.log, of, wish.nodes, asks=asks_a_person(of), edits=edits)
    return Prepared(wish, plan, definition, tuple(_steps(run, of, plan)), _digest(plan, definition.digest))


@transaction.atomic
def rerun_from(
    *, run: Run, wish: Wish, actor: Actor, source: str = "", reason: str = "", digest: str | None = None
) -> Run:
    """Start the linked run. One lock (the origin's row), so that it stands still while the plan is made.

    Raises CannotRerun, PlanChanged (when `digest` is given and is not that of the plan), and what `plan_of` raises.
    """
    origin = runs.locked_run(run.pk)
    prepared = plan_of(run=origin, wish=wish)
    plan = prepared.plan
    if plan.obstacles:
        raise CannotRerun(plan)
    if digest is not None and digest != prepared.digest:
        raise PlanChanged(origin, prepared)
    inputs = wish.inputs
    if inputs is None:
        inputs = values.whole_of(origin.organisation_id, origin.inputs, most_bytes=None)
    draft = new_runs.drafted(
        new_runs.NewRun(
            organisation=origin.organisation,
            actor=actor,
            version=wish.version or origin.version,
            definition=prepared.definition,
            inputs=inputs,
            name=origin.name,
            workflow=origin.workflow,
            source=source,
            priority=origin.priority,
            kind=origin.kind,
        )
    )
    edited = values.prepared({"outputs": dict(wish.outputs), "variables": dict(wish.variables)})
    draft.values.extend(edited.values)
    draft.run.origin = origin
    draft.run.origin_node = ",".join(wish.nodes)[:200]
    draft.run.beginning = _beginning(plan, edited.kept)
    made = new_runs.insert(
        draft,
        origin=str(origin.pk),
        nodes=list(wish.nodes),
        reason=reason,
        reused=[taken.node for taken in plan.reused],
        edited={"inputs": wish.inputs is not None, **edited.kept},
    )
    values.adopt(made.pk, made.organisation_id, draft.run.beginning)
    return made


def _beginning(plan: RerunPlan, edited: Mapping[str, JSON]) -> dict[str, JSON]:
    """As runs carry data: what was edited has passed through `values.prepared`."""
    reused = [taken.as_json() for taken in plan.reused]
    for taken in reused:
        if taken.get("edited"):
            taken["outputs"] = edited["outputs"][taken["node"]]
    variables = {name: edited["variables"].get(name, value) for name, value in plan.variables.items()}
    return {"reused": reused, "variables": variables}


def _check_edits(run: Run, body: dict[str, JSON], of: Graph, wish: Wish) -> None:
    if wish.inputs is not None:
        new_runs.check_inputs(body, wish.inputs)
    check_variables(body, wish.variables)
    for node, outputs in wish.outputs.items():
        if node in of.nodes:
            check_outputs(run.organisation, of, node, outputs)


def _inputs_differ(run: Run, wish: Wish) -> bool:
    return wish.inputs is not None and values.prepared(wish.inputs).kept != run.inputs


def _steps(run: Run, of: Graph, plan: RerunPlan) -> list[Step]:
    """In the order of the graph, bodies of loops under them."""
    made: dict[str, list[Call]] = {}
    for call in calls(run, limit=MOST_CALLS):
        if call.may_have_happened:
            made.setdefault(call.node, []).append(call)
    taken = {found.node: found for found in plan.reused}
    again = {found.node: found for found in plan.again}
    standing = _standing(of, plan)
    steps: list[Step] = []
    for node in (inner for root in of.bodies[None] for inner in (root, *of.inside(root))):
        root = of.outermost(node)
        if node in again or node in taken:
            found = taken.get(node)
            steps.append(
                Step(
                    node=node,
                    name=of.nodes[node].name,
                    type=of.nodes[node].type,
                    depth=_depth(of, node),
                    reused=root in taken,
                    edited=bool(found and found.edited),
                    why=str(again[node].why) if node in again else "",
                    before=str(found.status if found else again[node].before),
                    first_time=bool(node in again and not again[node].attempts and not made.get(node)),
                    effect=effect_of(of.nodes[node].type),
                    at_most_once=of.nodes[node].delivery == "at_most_once",
                    calls=tuple(made.get(node, ())),
                    stands=node in standing,
                    outputs=found.outputs if found else None,
                    ended_at=found.ended_at if found else None,
                )
            )
    return steps


def _standing(of: Graph, plan: RerunPlan) -> set[str]:
    """What succeeded and can be undone, and was not; of a loop, where that is true of something inside."""
    succeeded = [found.node for found in plan.reused if found.status is NodeStatus.SUCCEEDED]
    succeeded += [one.node for one in plan.again if one.before is NodeStatus.SUCCEEDED and one.why is not Why.UNDONE]
    return {
        node for node in succeeded if any(of.nodes[one].compensate_with is not None for one in (node, *of.inside(node)))
    }


def _depth(of: Graph, node: str) -> int:
    depth = 0
    while (parent := of.nodes[node].parent) is not None:
        node, depth = parent, depth + 1
    return depth


def effect_of(kind: str) -> str:
    found = node_types().get(kind)
    return found.effect if found else ""


def _digest(plan: RerunPlan, definition: str) -> str:
    facts = [definition, [taken.node for taken in plan.reused], [again.node for again in plan.again]]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]


WHY_WORDS = {
    Why.CHOSEN: "you chose it",
    Why.DEPENDS: "it lies behind something that happens again",
    Why.UNFINISHED: "the run has no result of it",
    Why.UNDONE: "what it did was undone",
    Why.NEW: "it is new in this version",
    Why.ASKED_AGAIN: "the decision was made on other data",
    Why.INSIDE: "it is inside of a loop that runs again",
}
