"""Run another workflow.

The child is a run of its own, with its own events, page and control. Its row appears in the commit that records that
the node waits, and its end wakes the node in the commit that records the end (`store/children.py`), so neither can
happen without the other, or twice. The parent holds no worker meanwhile.

The child's id follows from (run, node, path, attempt), from what it is to do, from how many children that attempt had
before (a retried run numbers its attempts anew), and from how often the node was undone. What an earlier life has left
is used again where it is the same work: a child that has completed gives its outputs at once, one that was cut short
goes on from there.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pydantic import Field

from orchestration.definition.canonical import digest
from orchestration.definition.fields import Literal, NodeSettings
from orchestration.engine.events import (
    CompensationEnded,
    CompensationStarted,
    NodeCancelled,
    NodeOverridden,
    NodeResumed,
    NodeSkipped,
    NodeStarted,
    NodeSucceeded,
    NodeWaiting,
    RunCancelled,
    RunCompleted,
    RunFailed,
    RunPaused,
    RunResumed,
)
from orchestration.engine.ids import path_text
from orchestration.engine.signals import SignalKind
from orchestration.nodes.base import Context, Done, NodeFailure, NodeType, Result, RunFacts, Wait, register
from orchestration.nodes.commit_hooks import in_commit_of
from orchestration.store import children
from portal.core.in_threads import in_database

if TYPE_CHECKING:
    import psycopg

    from orchestration.engine.events import Event, NodeEvent
    from orchestration.models import Run, Workflow, WorkflowVersion

JSON = Any
MOST_LEVELS = 10
_NAMESPACE = uuid.UUID("6f1f6a52-0a3c-4d0e-9d6e-6b0b5b1d9c11")


class SubworkflowSettings(NodeSettings):
    workflow: Literal = Field(title="Workflow", description="Its short name, as in its address.", min_length=1)
    version: int | None = Field(
        None, title="Version", description="Empty: the one that was published when this run began.", ge=1
    )
    inputs: dict[str, JSON] = Field(
        default_factory=dict, title="Inputs", description="What the workflow is given, by the names of its inputs."
    )


@register
class Subworkflow(NodeType):
    """Run a workflow and wait for its end. Outputs: those of the workflow.

    Codes: unknown_workflow, not_published, invalid_inputs, recursion, too_deep; subworkflow_failed and
    subworkflow_cancelled, with `detail` {"run": id, "node", "path", "error"}.
    """

    kind, label, icon, category = "subworkflow", "Subworkflow", "subtask", "logic"
    description = "Runs another workflow and goes on with its outputs."
    effect = "starts another run"
    Settings = SubworkflowSettings

    def output_schema(self, settings: Mapping[str, JSON]) -> dict[str, JSON] | None:
        """Not known here: validation looks the workflow up by itself."""
        return None

    async def execute(self, ctx: Context) -> Result:
        return await in_database(_begin, ctx)

    async def resume(self, ctx: Context, signal: JSON | None) -> Result:
        waits_for = ctx.wait_data["run"]
        if signal is None:
            raise NodeFailure("The workflow did not end in time.", code="timeout")
        if signal.get("run") != waits_for:  # an earlier child, cancelled long ago, has ended at last
            return _wait({**ctx.wait_data, "again": False})
        return _outcome(ctx.wait_data["name"], signal)

    def commits_alone(self, events: Sequence[NodeEvent]) -> bool:
        return any(_ends_the_wait(event) for event in events)

    def in_commit(self, connection: psycopg.Connection[Any], run: RunFacts, events: Sequence[NodeEvent]) -> None:
        for event in events:
            if isinstance(event, NodeWaiting) and event.reason == "subworkflow":
                _make(connection, run, event)
            elif _ends_the_wait(event):
                _cancel(connection, run, event)


def _ends_the_wait(event: NodeEvent) -> bool:
    """Whatever else may happen to the node run, now or in versions to come."""
    return not isinstance(event, NodeStarted | NodeWaiting | NodeResumed | NodeSucceeded)


def _cancel(connection: psycopg.Connection[Any], run: RunFacts, event: NodeEvent) -> None:
    """A child that is stopped before its end undoes what it has done, like one that fails: nobody will make use of it.
    Not if a person has settled the step, or has cancelled the run without that wish; the latter stops an undoing, too.
    """
    reason = getattr(event, "reason", "") or (getattr(event, "error", None) or {}).get("code", "")
    why = f"The run above it does not wait for it any more ({reason or type(event).__name__})."
    match event:
        case NodeOverridden() | NodeSkipped(reason="by_person"):
            undo = cancelled = False
        case NodeCancelled(reason="cancelled"):
            undo = children.is_undoing_wished(connection, run.id)
            cancelled = not undo
        case _:
            undo, cancelled = True, False
    children.cancel(connection, run.id, event.node, event.path, why, undo=undo, even_undoing=cancelled)


def _make(connection: psycopg.Connection[Any], run: RunFacts, event: NodeWaiting) -> None:
    child = uuid.UUID(event.data["run"])
    if event.data["again"]:
        children.begin_again(connection, run, node=event.node, path=event.path, child=child)
    else:
        attempt = event.data["attempt"]
        children.begin(connection, run, node=event.node, path=event.path, attempt=attempt, data=event.data)


# Before the wait


def _begin(ctx: Context) -> Result:
    """Look everything up, refuse what cannot work. Raises NodeFailure."""
    from orchestration.queries import children as queries  # models: not before the apps are loaded
    from orchestration.services.new_runs import nodes_total

    settings: SubworkflowSettings = ctx.settings
    workflow = queries.workflow(ctx.run.organisation_id, settings.workflow)
    if workflow is None:
        raise NodeFailure(f"There is no workflow {settings.workflow}.", code="unknown_workflow")
    _check_line(ctx, workflow)
    version = queries.version(workflow, settings.version, ctx.run_started_at)
    if version is None:
        what = f"no version {settings.version}" if settings.version else "no version that was published by then"
        raise NodeFailure(f"The workflow {settings.workflow} has {what}.", code="not_published")
    inputs = _checked(version, settings)
    work = digest({"definition": version.definition_id, "inputs": inputs})
    before = queries.earlier(ctx.run.id, ctx.node, path_text(ctx.path), ctx.attempt)
    last = before[-1] if before else None
    again = last is not None and last.pk == _child_id(ctx, work, len(before) - 1) and _goes_on(last)
    data = {
        "run": str(_child_id(ctx, work, len(before) - again)),
        "again": again,
        "attempt": ctx.attempt,
        "workflow": workflow.slug,
        "workflow_id": str(workflow.pk),
        "version": version.number,
        "version_id": version.pk,
        "definition": version.definition_id,
        "name": workflow.name,
        "inputs": inputs,
        "nodes_total": nodes_total(version.body),
        "budget": (version.body.get("settings") or {}).get("budget"),
        "undoes": any(map(_may_be_undone, version.body["nodes"])),
    }
    return _wait(data)


def _may_be_undone(node: Mapping[str, JSON]) -> bool:
    return bool(node.get("compensate_with")) or node["type"] == Subworkflow.kind


def _wait(data: Mapping[str, JSON]) -> Wait:
    """`undoes`: whether the run has something to undo, or may have below. A wait of an earlier version does not say."""
    return Wait(reason="subworkflow", data=dict(data), below=data["run"] if data.get("undoes") else "")


def _child_id(ctx: Context, work: str, earlier: int) -> uuid.UUID:
    """Another one after the node was undone: what its earlier child has yielded is no longer so."""
    undone = "".join(ctx.idempotency_key.partition("/again-")[1:])
    place = f"{ctx.run.id}/{ctx.node}/{path_text(ctx.path)}/{ctx.attempt}"
    return uuid.uuid5(_NAMESPACE, f"{place}/{work}/{earlier}{undone}")


def _goes_on(child: Run) -> bool:
    """A run that was cancelled before it began has nothing to go on from."""
    return child.status == "completed" or (child.status in ("failed", "cancelled") and child.started_at is not None)


def _check_line(ctx: Context, workflow: Workflow) -> None:
    """A workflow must not contain itself, and subworkflows nest so deep at most. Raises NodeFailure."""
    from orchestration.queries import children as queries

    above = queries.line_above(ctx.run.id, MOST_LEVELS)
    names = [one.slug or one.name for one in reversed(above)]
    way = " → ".join([*names, workflow.slug])
    if workflow.pk in {one.workflow for one in above}:
        raise NodeFailure(f"A workflow cannot run itself: {way}.", code="recursion", detail={"way": names})
    if ctx.run.depth + 1 > MOST_LEVELS:
        message = f"Subworkflows nest {MOST_LEVELS} levels deep at most; this would be one more: {way}."
        raise NodeFailure(message, code="too_deep", detail={"way": names})


def _checked(version: WorkflowVersion, settings: SubworkflowSettings) -> dict[str, JSON]:
    from orchestration.services.new_runs import InvalidInputs, check_inputs

    try:
        return check_inputs(version.body, settings.inputs)
    except InvalidInputs as error:
        message = error.message.replace("The inputs are", f"The inputs for {settings.workflow} are", 1)
        raise NodeFailure(message, code="invalid_inputs", detail={"problems": error.problems}) from None


# After it


def _outcome(name: str, signal: Mapping[str, JSON]) -> Done:
    """Raises NodeFailure when the child did not complete."""
    child = signal["run"]
    match signal["status"]:
        case "completed":
            return Done(outputs=signal["outputs"] or {})
        case "cancelled":
            raise NodeFailure(f"“{name}” was cancelled.", code="subworkflow_cancelled", detail={"run": child})
    error = signal.get("error") or {}
    where = f" at {error['node']}" if error.get("node") else ""
    raise NodeFailure(
        f"“{name}” failed{where}: {error.get('message', '')}",
        code="subworkflow_failed",
        # whether to try again is for the node's policy to say: each attempt is a run of its own
        retryable=True,
        detail={"run": child, "node": error.get("node", ""), "path": error.get("path", ""), "error": error},
    )


# What ends, pauses and resumes


@in_commit_of(RunCompleted, RunFailed, RunCancelled, when=lambda run: run.parent_id is not None, alone=True)
def _tell_parent(connection: psycopg.Connection[Any], run: RunFacts, events: Sequence[Event]) -> None:
    match events[-1]:
        case RunFailed(error=error, node=node, path=path):
            told = {**error, "node": node, "path": path_text(path)} if node else error
            children.tell_parent(connection, run.id, "failed", error=told)
        case RunCancelled():
            children.tell_parent(connection, run.id, "cancelled")
        case RunCompleted(outputs=outputs):
            children.tell_parent(connection, run.id, "completed", outputs=outputs)


@in_commit_of(CompensationStarted, alone=True)
def _wait_for_those_below(connection: psycopg.Connection[Any], run: RunFacts, events: Sequence[Event]) -> None:
    """Each that has ended by now is told at once; the others tell it themselves (`_tell_parent`)."""
    for event in events:
        if isinstance(event, CompensationStarted) and event.below:
            children.tell_of_ended(connection, run.id, event.below)


@in_commit_of(CompensationEnded, alone=True)
def _stop_those_below(connection: psycopg.Connection[Any], run: RunFacts, events: Sequence[Event]) -> None:
    """The undoing was stopped, and stops below, too."""
    for event in events:
        if isinstance(event, CompensationEnded):
            left = [one["run"] for one in event.left if one.get("run")]
            children.stop(connection, left, "The undoing of the run above it was stopped.")


@in_commit_of(RunPaused, RunResumed, alone=True)
def _pause_children(connection: psycopg.Connection[Any], run: RunFacts, events: Sequence[Event]) -> None:
    if isinstance(events[-1], RunPaused):
        children.pass_on(connection, run.id, SignalKind.PAUSE, "The run above it was paused.")
    else:
        children.pass_on(connection, run.id, SignalKind.RESUME, "The run above it was resumed.")
