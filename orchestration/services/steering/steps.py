"""Steps of a live run: go on without one, say what it yields, do not wait for its next try."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.db import transaction

from agents.contracts import Fault, data_faults
from orchestration.engine.graph import Graph
from orchestration.engine.ids import Path, path_text
from orchestration.engine.moving import ASKS_A_PERSON
from orchestration.engine.signals import Signal, SignalKind, refusal_of
from orchestration.engine.states import RunState
from orchestration.models import NodeRun, Run
from orchestration.nodes.base import node_type
from orchestration.queries.contracts import contracts
from orchestration.queries.state import asked_inside, folded
from orchestration.services.runs import locked_run, post_signal
from orchestration.services.steering.asking import be_first, raise_refusal, record
from orchestration.services.steering.refusals import AsksPerson, InvalidOutcome, StepConflict
from portal.core import clock
from portal.core.actors import Actor
from portal.core.models import Organisation

JSON = Any
_VERBS = {SignalKind.SKIP: "skipped", SignalKind.OVERRIDE: "overridden", SignalKind.RETRY: "retried_now"}


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
    be_first(run, node=node, path=path_text(path))
    raise_refusal(run, state, Signal(0, kind, clock.now(), by=actor.label, node=node, path=path, data=data))
    before = state.node((node, path))
    record(
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
