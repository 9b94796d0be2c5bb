"""What loops and the run itself yield, and whether a loop goes on: expressions that are read when the time has come."""

from __future__ import annotations

from typing import Any

from orchestration.driving.clock import DatabaseClock
from orchestration.driving.failures import error_json
from orchestration.driving.scope import Scope
from orchestration.driving.seen import evaluated, loaded_of
from orchestration.driving.values import RunValues, inline_bytes_of_results
from orchestration.engine import loops
from orchestration.engine.events import IterationEnded, IterationStarted, LoopClosed, RunCompleted, RunFailed
from orchestration.engine.ids import Path
from orchestration.engine.states import RunState
from orchestration.expressions import ExpressionError, evaluate_late, resolve
from orchestration.expressions.templates import references_in, references_of_late
from orchestration.nodes.base import NodeFailure, RunFacts
from orchestration.nodes.condition import not_a_truth_value
from orchestration.nodes.loop import BREAK_RESULT

JSON = Any


class Results:
    """Of one run."""

    def __init__(self, state: RunState, facts: RunFacts, values: RunValues, clock: DatabaseClock) -> None:
        self.state, self.facts, self.values, self.clock = state, facts, values, clock

    async def check(self, node: str, path: Path, index: int) -> IterationStarted | LoopClosed:
        """Whether the loop's condition holds for one more iteration."""
        scope = Scope(self.state, self.facts, (node, (*path, index)))
        condition = str(self.state.graph.nodes[node].settings.get("while") or "")
        try:
            seen = await self.values.seen(scope, lambda: references_of_late(condition))
            holds = await evaluated(evaluate_late, condition, seen)
            if not isinstance(holds, bool):
                raise not_a_truth_value("The condition of the loop", holds)
        except (ExpressionError, NodeFailure) as found:
            error = error_json(found, "The condition of the loop: ")
            return LoopClosed(at=self.clock.now(), node=node, path=path, error=error)
        return loops.checked(self.state, (node, path), holds, self.clock.now())

    async def iteration_ended(self, node: str, path: Path, index: int) -> IterationEnded:
        loop, inside = self.state.nodes[node, path].loop, (*path, index)
        if loop and loop.ended_by == "break":
            return self._broken(loop.broken_by, node, path, index)
        scope = Scope(self.state, self.facts, (node, inside))
        output = self.state.graph.nodes[node].settings.get("output") or ""
        inline_bytes = inline_bytes_of_results((loop.most or len(loop.items)) if loop else 1)
        result: JSON = None
        error: JSON = None
        try:
            if output:
                seen = await self.values.seen(scope, lambda: references_of_late(output))
                said = await evaluated(evaluate_late, output, seen)
                result = await self.values.keep(
                    said, lambda values: values.kept(said, inline_bytes=inline_bytes), loaded_of(seen)
                )
        except (ExpressionError, NodeFailure) as found:
            error = error_json(found, "The result of the iteration: ")
        return IterationEnded(at=self.clock.now(), node=node, path=path, index=index, result=result, error=error)

    def _broken(self, source: str, node: str, path: Path, index: int) -> IterationEnded:
        """The last iteration of a loop that was broken yields what the break says."""
        said = self.state.node((source, (*path, index))).outputs
        yields = isinstance(said, dict) and BREAK_RESULT in said  # what a person overrode it with may be anything
        result = said[BREAK_RESULT] if yields else None
        return IterationEnded(at=self.clock.now(), node=node, path=path, index=index, result=result, yields=yields)

    async def completed(self) -> RunCompleted | RunFailed:
        now = self.clock.now()
        wanted = dict(self.state.graph.outputs)
        try:
            seen = await self.values.seen(Scope(self.state, self.facts, (None, ())), lambda: references_in(wanted))
            said = await evaluated(resolve, wanted, seen)
            outputs = await self.values.keep(said, lambda values: values.kept(said), loaded_of(seen))
        except (ExpressionError, NodeFailure) as found:
            return RunFailed(at=now, error=error_json(found, "The outputs of the workflow: "))
        return RunCompleted(at=now, outputs=outputs)
