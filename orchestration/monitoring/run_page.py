"""All that the page of one run shows, gathered once: frozen values, ready for the template."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from django.urls import reverse
from django.utils.safestring import SafeString

from orchestration import graph_svg
from orchestration.engine.statuses import RunStatus
from orchestration.models import LegalHold, Run
from orchestration.monitoring import large, queries, sharing
from orchestration.monitoring import steps as step_rows
from orchestration.monitoring.control import Control, control, reused_nodes
from orchestration.monitoring.downloads import outputs_of
from orchestration.monitoring.links import Links, links_of
from orchestration.monitoring.sharing import SharedKey
from orchestration.monitoring.step_panel import Step, acts_on, open_step
from orchestration.monitoring.steps import StepRow
from orchestration.monitoring.undoing import Undoing, may_be_undone, undoing
from orchestration.monitoring.why import Reason
from orchestration.monitoring.words import names_of
from orchestration.queries import retention, triggers
from portal.core import clock
from portal.core.ui.json_tree import Large

DOCUMENT_LENGTH = 200
"""Characters from which a text counts as a document."""


@dataclass(frozen=True, slots=True)
class Output:
    name: str
    value: Any
    kind: str
    """fact (a number, a short text), document (Markdown), data (an object, a list), large (only its beginning)"""
    opened: bool
    """The first document, else the first that is data."""


@dataclass(frozen=True, slots=True)
class RunPage:
    """Everything that the template shows of the run."""

    definition: dict[str, Any]
    steps: list[StepRow]
    graph: SafeString
    """The drawn workflow, painted with the states of its nodes."""
    reasons: list[Reason]
    outputs: list[Output]
    inputs: Any
    shared: list[SharedKey]
    cost_by_agent: list[dict[str, Any]]
    step: Step | None
    elapsed: timedelta | None
    progress: int
    """Percent of the node runs known so far that have ended."""
    is_test: bool
    """A trigger's test button has started it."""
    can_cancel: bool
    can_undo: bool
    """Cancelling could undo steps: the definition says how, and that has not begun."""
    would_undo: str
    """The names of steps that have succeeded and can be undone."""
    can_pause: bool
    can_resume: bool
    can_retry: bool
    can_start_again: bool
    can_rerun: bool
    can_change_variables: bool
    newer_version: int | None
    """Number of the published version, if the run is under way with another one and may be moved."""
    control: Control
    undoing: Undoing | None
    failed_step: str
    """The name of the step the run failed with."""
    reused: frozenset[str]
    """Of a re-run: nodes whose results were taken over."""
    links: Links
    acts: frozenset[str]
    """What may be done with the opened step: skip, override, retry-now, rerun."""
    holds: list[LegalHold]
    """What keeps the run from being archived and deleted; its own comes first."""
    may_hold: bool

    @property
    def facts(self) -> list[Output]:
        return [output for output in self.outputs if output.kind == "fact"]

    @property
    def documents(self) -> list[Output]:
        return [output for output in self.outputs if output.kind != "fact"]


def build(
    run: Run, *, step: str, path: str, iterations_page: str, may_control: bool, may_start: bool, may_hold: bool
) -> RunPage:
    """About nine queries, whatever the size of the run."""
    definition = run.definition.body
    rows, names = step_rows.steps(run, definition), names_of(definition)
    status = RunStatus(run.status)
    reused = reused_nodes(run)
    opened = open_step(run, definition, step, path, iterations_page) if step else None
    under_way = status in (RunStatus.RUNNING, RunStatus.WAITING, RunStatus.PAUSED)
    return RunPage(
        definition=definition,
        steps=rows,
        graph=_drawing(run, definition, rows),
        reasons=[reason for reason in queries.reasons(run) if reason.kind != "paused"],  # the page says that by itself
        outputs=_outputs(run),
        inputs=large.shown(run, run.inputs)[0],
        shared=_shared(run, definition),
        cost_by_agent=queries.cost_by_agent(run),
        step=opened,
        elapsed=(run.ended_at or clock.now()) - run.started_at if run.started_at else None,
        progress=100 if status is RunStatus.COMPLETED else _progress(run),
        is_test=triggers.is_test(run),
        can_cancel=may_control and not status.ended,
        can_undo=may_control and not status.ended and status is not RunStatus.COMPENSATING and _undoes(definition),
        would_undo=", ".join(_undoable(definition, rows, reused)),
        can_pause=may_control
        and status in (RunStatus.QUEUED, RunStatus.RUNNING, RunStatus.WAITING, RunStatus.COMPENSATING),
        can_resume=may_control and status is RunStatus.PAUSED,
        can_retry=may_control and (status in (RunStatus.FAILED, RunStatus.CANCELLED) or run.incident is not None),
        can_start_again=may_start and run.workflow_id is not None,
        can_rerun=may_control and may_start,
        can_change_variables=may_control and under_way and bool(definition.get("variables")),
        newer_version=_newer_version(run) if may_control and under_way else None,
        control=control(run),
        undoing=undoing(run, definition),
        failed_step=names.get((run.error or {}).get("node", ""), ""),
        reused=reused,
        links=links_of(run, names),
        acts=acts_on(run, opened, definition, may_start) if may_control and opened else frozenset(),
        holds=retention.holds_of_run(run),
        may_hold=may_hold,
    )


def _newer_version(run: Run) -> int | None:
    if run.workflow is None or run.workflow.published_id in (None, run.version_id):
        return None
    found = run.workflow.versions.filter(pk=run.workflow.published_id).first()
    return found.number if found else None


def _undoable(definition: dict[str, Any], rows: list[StepRow], reused: Collection[str]) -> list[str]:
    """Names of what a cancel with that wish would undo. What was taken over from another run is that one's."""
    undone = {node["id"] for node in definition["nodes"] if node.get("compensate_with")} - set(reused)
    return [
        row.name for row in rows if row.node in undone and (row.status == "succeeded" or row.tally.get("succeeded"))
    ]


def _undoes(definition: dict[str, Any]) -> bool:
    return any(map(may_be_undone, definition["nodes"]))


def _outputs(run: Run) -> list[Output]:
    values = {name: large.readable(run, value) for name, value in outputs_of(run).items()}
    kinds = {name: _kind(value) for name, value in values.items()}
    long = [name for wanted in ("document", "data", "large") for name, kind in kinds.items() if kind == wanted]
    return [Output(name, value, kinds[name], name in long[:1]) for name, value in values.items()]


def _shared(run: Run, definition: dict[str, Any]) -> list[SharedKey]:
    keys = sharing.of_run(run, definition)
    values = large.shown(run, *(key.value for key in keys))
    return [replace(key, value=value) for key, value in zip(keys, values, strict=True)]


def _kind(value: Any) -> str:
    if isinstance(value, str):
        return "document" if len(value) >= DOCUMENT_LENGTH or "\n" in value else "fact"
    if isinstance(value, Large):
        return "large"
    return "data" if isinstance(value, dict | list) else "fact"


def _drawing(run: Run, definition: dict[str, Any], rows: list[StepRow]) -> SafeString:
    address = reverse("runs:detail", args=[run.organisation.slug, run.pk])
    return graph_svg.render(
        definition,
        statuses=step_rows.statuses(rows),
        ports={row.node: row.node_run.port for row in rows if row.node_run},
        link=f"{address}?step={{}}#step",
    )


def _progress(run: Run) -> int:
    """Of the node runs known so far: a loop adds its iterations as it opens."""
    return min(100, 100 * run.nodes_ended // run.nodes_total) if run.nodes_total else 0
