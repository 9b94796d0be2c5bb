"""People steer a live run: skip or override a step, do not wait for its next try, change variables, move it.

Each call checks what can be known now, writes an audit entry, and posts a signal; the driver takes it in once and says
in the run's history what came of it. Two people at once: the second is told who was first, and nothing is posted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.db import transaction

from agents.contracts import Fault, data_faults
from orchestration.engine.graph import Graph
from orchestration.engine.ids import Path, path_text
from orchestration.engine.moving import ASKS_A_PERSON, MovePlan, move_plan, people_left_out
from orchestration.engine.signals import Signal, SignalKind, refusal_of
from orchestration.engine.states import RunState
from orchestration.engine.statuses import NodeStatus, RunStatus
from orchestration.expressions.templates import references_in
from orchestration.models import NodeRun, Run, RunSignal, WorkflowVersion
from orchestration.nodes.base import node_type
from orchestration.queries.contracts import contracts
from orchestration.queries.state import asked_inside, asks_a_person, folded, graph
from orchestration.services.runs import RunStateConflict, locked_run, post_signal
from portal.core import clock
from portal.core.actors import Actor
from portal.core.errors import Conflict, NotAllowed, UserError
from portal.core.models import Organisation
from portal.core.services import audit

JSON = Any


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


# Steps


@transaction.atomic
def skip_step(*, run: Run, node: str, path: Path = (), actor: Actor, reason: str = "") -> Run:
    """Go on without the step: its `out` edges live. Raises StepConflict, AsksPerson, AskedAlready.

    A step whose way out is chosen (a condition) is not skipped but overridden, with the port.
    """
    locked = locked_run(run.pk)
    state = folded(locked).state
    _check_step(locked, state, node)
    of = state.graph
    if of.outgoing[node] and not of.successors(node, "out"):
        ports = ", ".join(dict.fromkeys(edge.port for edge in of.outgoing[node]))
        message = f"“{of.nodes[node].name}” decides where the run goes on ({ports}): override it and name the port."
        raise StepConflict(locked, message)
    return _steer_step(locked, state, SignalKind.SKIP, node, path, actor, reason, None)


@transaction.atomic
def override_step(
    *, run: Run, node: str, path: Path = (), outputs: JSON, port: str = "out", actor: Actor, reason: str = ""
) -> Run:
    """Say what comes of the step instead of letting it say so itself.

    Raises StepConflict, AsksPerson, AskedAlready, and InvalidOutcome if outputs or port are not what the step's type
    (or its agent's contract) promises to the steps behind it.
    """
    locked = locked_run(run.pk)
    state = folded(locked).state
    _check_step(locked, state, node)
    _check_outcome(locked, state.graph, node, outputs, port)
    data = {"outputs": outputs, "port": port}
    return _steer_step(locked, state, SignalKind.OVERRIDE, node, path, actor, reason, data)


@transaction.atomic
def retry_step_now(*, run: Run, node: str, path: Path = (), actor: Actor, reason: str = "") -> Run:
    """Do not wait for the time of the step's next try. Raises StepConflict, AskedAlready."""
    locked = locked_run(run.pk)
    return _steer_step(locked, folded(locked).state, SignalKind.RETRY, node, path, actor, reason, None)


def _check_step(run: Run, state: RunState, node: str) -> None:
    if node not in state.graph.nodes:
        raise StepConflict(run, f"The run has no step {node!r}.")
    if asked := asked_inside(state.graph, node):
        raise AsksPerson(state.graph.nodes[asked[0]].name)
    if waiting := _waits_below(run, (node, *state.graph.inside(node))):
        raise AsksPerson(waiting)


def _waits_below(run: Run, nodes: Sequence[str]) -> str:
    """The name of a step of a run below these nodes (a subworkflow's, however deep) that waits for a person; or ""."""
    below = list(Run.objects.unfinished().filter(parent=run, parent_node__in=nodes).values_list("pk", flat=True))
    while below:
        waiting = NodeRun.objects.filter(run__in=below, waiting__reason__in=list(ASKS_A_PERSON)).first()
        if waiting is not None:
            return waiting.name
        below = list(Run.objects.unfinished().filter(parent__in=below).values_list("pk", flat=True))
    return ""


def _check_outcome(run: Run, of: Graph, node: str, outputs: JSON, port: str) -> None:
    """Raises InvalidOutcome."""
    spec = of.nodes[node]
    kind = node_type(spec.type)
    ports = kind.ports(spec.settings)
    if port not in ports:
        fault = Fault("$.port", f"must be one of {', '.join(ports)}, but is {port!r}")
        raise InvalidOutcome("The port is not right", [fault])
    check_outputs(run.organisation, of, node, outputs)


def check_outputs(organisation: Organisation, of: Graph, node: str, outputs: JSON) -> None:
    """Against what the node's type, or its agent's contract, promises. Raises InvalidOutcome."""
    schema = _output_schema(organisation, of, node)
    if schema and (faults := data_faults(schema, outputs)):
        raise InvalidOutcome(f"The outputs of “{of.nodes[node].name}” are not right", faults)


def _output_schema(organisation: Organisation, of: Graph, node: str) -> Mapping[str, JSON] | None:
    spec = of.nodes[node]
    if spec.type != "agent":
        return node_type(spec.type).output_schema(spec.settings)
    slug = str(spec.settings.get("agent"))
    known = contracts(organisation, {"nodes": [{"type": "agent", "settings": dict(spec.settings)}]}).get(slug)
    found = known.contract(spec.settings.get("version")) if known else None
    return found.outputs if found else None


def _steer_step(
    run: Run,
    state: RunState,
    kind: SignalKind,
    node: str,
    path: Path,
    actor: Actor,
    reason: str,
    data: JSON,
) -> Run:
    """Ask the engine what it would make of it, so that a refusal is told to the person and not only to the history."""
    _be_first(run, node=node, path=path_text(path))
    _raise_refusal(run, state, Signal(0, kind, clock.now(), by=actor.label, node=node, path=path, data=data))
    before = state.node((node, path))
    _audit(
        run,
        actor,
        f"orchestration.run.step_{_VERBS[kind]}",
        before={"status": str(before.status), "attempt": before.attempt},
        after=data,
        data={"reason": reason, "node": node, "path": path_text(path)},
    )
    post_signal(
        run_id=run.pk,
        kind=kind,
        node=node,
        path=path_text(path),
        by=actor.label,
        reason=reason,
        data=data,
        ended_too=True,
    )
    return locked_run(run.pk)


_VERBS = {SignalKind.SKIP: "skipped", SignalKind.OVERRIDE: "overridden", SignalKind.RETRY: "retried_now"}


def step_choices(state: RunState, node: str, path: Path) -> frozenset[str]:
    """What a person may do with a step as it stands: skip, override, retry_now. For pages."""
    if node not in state.graph.nodes:
        return frozenset()
    wanted = {"skip": SignalKind.SKIP, "override": SignalKind.OVERRIDE, "retry_now": SignalKind.RETRY}
    found = {name for name, kind in wanted.items() if not _refusal(state, kind, node, path)}
    if asked_inside(state.graph, node):
        return frozenset(found - {"skip", "override"})
    if state.graph.outgoing[node] and not state.graph.successors(node, "out"):
        found.discard("skip")
    return frozenset(found)


def _refusal(state: RunState, kind: SignalKind, node: str, path: Path) -> str:
    return refusal_of(state, Signal(0, kind, clock.now(), node=node, path=path, data={"outputs": None}))


# Variables


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
    _be_first(locked, kind=SignalKind.VARIABLES)
    check_variables(locked.definition.body, values)
    _raise_refusal(locked, state, Signal(0, SignalKind.VARIABLES, clock.now(), data={"values": dict(values)}))
    before = {name: state.variables.get(name) for name in values}
    if seen is not None and (stale := [name for name in values if name in seen and seen[name] != before[name]]):
        raise StepConflict(locked, f"{', '.join(stale)} has changed since you looked. Look at it again.")
    _check_decisions(state, values)
    _audit(
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


# Another version


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
    _be_first(locked, kind=SignalKind.MOVE)
    state, plan = plan_move(run=locked, version=version)
    if plan.obstacles:
        raise CannotMove(locked, plan)
    before = locked.version.number if locked.version else None
    left_out = people_left_out(state, graph(version.definition_id), asks_a_person(state.graph))
    _audit(
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


# Helpers


def _be_first(run: Run, **which: Any) -> None:
    """Lock order: the run's row is locked already, so nobody posts one meanwhile."""
    wanted = RunSignal.objects.filter(run=run, applied_at=None, **which)
    if "node" in which:
        wanted = wanted.filter(kind__in=list(_VERBS))
    if first := wanted.first():
        raise AskedAlready(run, first)


def _raise_refusal(run: Run, state: RunState, signal: Signal) -> None:
    if refusal := refusal_of(state, signal):
        if RunStatus(run.status).ended and signal.kind is SignalKind.VARIABLES:
            raise RunStateConflict(run, "changed")
        raise StepConflict(run, refusal)


def _audit(run: Run, actor: Actor, verb: str, *, before: JSON, after: JSON, data: JSON) -> None:
    audit.record(
        organisation=run.organisation, actor=actor, verb=verb, target=run, before=before, after=after, data=data
    )
