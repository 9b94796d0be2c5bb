"""What a retry of a run that has failed or was cancelled would reuse, and what would happen again. Changes nothing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from orchestration.engine.ids import Key, path_of, path_text
from orchestration.engine.reopening import from_nothing, reopened_by_retry
from orchestration.engine.states import RunState
from orchestration.engine.statuses import NodeStatus, RunStatus
from orchestration.models import Run
from orchestration.queries.effects import Call, NodeRunFact, calls, consequences
from orchestration.queries.state import folded
from orchestration.services.rerun import MOST_CALLS, effect_of
from orchestration.services.runs import RunStateConflict


@dataclass(frozen=True, slots=True)
class RetriedStep:
    """A node run, of what is under way in open iterations; iterations that have ended are kept as they are."""

    node: str
    path: str
    name: str
    before: str
    """Its status."""
    undone: bool
    """It had been done, and was undone, or stands on what was: it begins from nothing."""
    effect: str
    """What it does to the outside world, in words; empty if nothing."""
    at_most_once: bool
    calls: tuple[Call, ...]
    """Calls it made that took effect, or may have."""


@dataclass(frozen=True, slots=True)
class RetryPlan:
    """In the order of the graph; what has not begun yet is in neither."""

    reused: tuple[RetriedStep, ...]
    again: tuple[RetriedStep, ...]

    @property
    def outside(self) -> list[RetriedStep]:
        """What begins again and reaches the outside world."""
        return [step for step in self.again if step.effect or step.at_most_once or step.calls]


def retry_plan(run: Run) -> RetryPlan:
    """Reads the whole log. Raises RunStateConflict for a run that cannot be retried."""
    if run.status not in (RunStatus.FAILED, RunStatus.CANCELLED) or run.started_at is None:
        raise RunStateConflict(run, "retried")
    state = folded(run).state
    anew = from_nothing(state)
    opened = set(reopened_by_retry(state))
    again = {key for key in opened if key in anew or state.nodes[key].loop is None}
    shown = [key for key in _in_order(state) if key in again or _is_kept(state, key, opened)]
    facts = [NodeRunFact(node, path_text(path), str(state.nodes[node, path].status)) for node, path in shown]
    found = consequences(facts, calls(run, limit=MOST_CALLS), lambda fact: (fact.node, path_of(fact.path)) in again)

    def step(node: str, path: str, made: tuple[Call, ...]) -> RetriedStep:
        key, spec = (node, path_of(path)), state.graph.nodes[node]
        return RetriedStep(
            node=node,
            path=path,
            name=spec.name + (f" [{path}]" if path else ""),
            before=str(state.nodes[key].status),
            undone=key in anew,
            effect=effect_of(spec.type),
            at_most_once=spec.delivery == "at_most_once",
            calls=made,
        )

    return RetryPlan(
        reused=tuple(step(one.node, one.path, one.calls) for one in found.reused),
        again=tuple(step(one.node, one.path, one.calls) for one in found.again),
    )


def _is_kept(state: RunState, key: Key, opened: set[Key]) -> bool:
    return key not in opened and state.nodes[key].status is NodeStatus.SUCCEEDED


def _in_order(state: RunState) -> Iterable[Key]:
    """Of the graph; without the nodes that undo others."""
    place = {node: at for at, node in enumerate(state.graph.nodes)}
    flow = (key for key in state.nodes if key[0] not in state.graph.compensators)
    return sorted(flow, key=lambda key: (place[key[0]], key[1]))
