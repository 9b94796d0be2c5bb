"""What the examples of `test_any_run.py` really reach: every event, every rule, every way a node or a run can end.

A property holds for nothing if no example comes there. The same examples on every machine, so the counts are too.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestration.engine import events
from orchestration.engine.events import TYPES
from orchestration.engine.events.rows import from_row
from orchestration.engine.signals import SignalKind
from tests.engine.definitions import Definition
from tests.engine.simulator import Simulation
from tests.engine.strategies import definitions
from tests.engine.test_any_run import live

EXAMPLES = 1000
RULES = ("all", "any", "first_success", "n_of_m", "all_settled")


@pytest.fixture(scope="module")
def reached() -> Counter[str]:
    found: Counter[str] = Counter()

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    @given(definition=definitions(), seed=st.integers(0, 2**32))
    def count(definition: Definition, seed: int) -> None:
        found.update(set(_facts(live(definition, seed))))

    count()
    return found


def _facts(simulation: Simulation) -> list[str]:
    graph, found = simulation.graph, [f"run {simulation.state.status}"]
    log = [from_row(row) for row in simulation.log if row.type != "RunMoved"]
    found += [row.type for row in simulation.log]
    found += ["held back" for _, _, held, _ in simulation.plans if held]
    compensated = handled = paused = False
    for event in log:
        data: dict[str, Any] = getattr(event, "error", None) or {}
        if data and not isinstance(event, events.AttemptFailed):
            found.append(f"{type(event).__name__} {data['code']}")
        match event:
            case events.NodeStarted():
                spec = graph.nodes[event.node]
                found += [f"{spec.type} started", f"depth {len(event.path)}"]
                if len(graph.incoming[event.node]) > 1:
                    found.append(f"join {spec.join.rule} {spec.join.losers}")
                if event.attempt > 1:
                    found.append("another attempt")
            case events.AttemptFailed() | events.AttemptAbandoned():
                once = graph.nodes[event.node].delivery == "at_most_once"
                found.append(f"{type(event).__name__}{' at most once' * once}, acted: {event.acted or 'no'}")
            case events.NodeFailed():
                spec = graph.nodes[event.node]
                outcome = "handled" if event.handled else "taken" if event.taken_by else "unhandled"
                found.append(f"failure {outcome}")
                if graph.nodes[event.node].parent is not None and outcome == "unhandled":
                    found.append("failure in a loop")
            case events.NodeSkipped() | events.NodeCancelled():
                found.append(f"{type(event).__name__} {event.reason}")
            case events.EscalationAnswered():
                found.append(f"answer {event.action}")
            case events.NodeSucceeded() if graph.nodes[event.node].container:
                found.append(f"loop ended by {(event.outputs or {}).get('ended_by')}")
            case events.NodeSucceeded():
                found.append(f"{graph.nodes[event.node].type} {event.port}")
            case events.LoopOpened():
                found.append("while" if event.most is not None else f"for each, {min(event.limit, 2)} side by side")
            case events.CompensationStarted():
                compensated = True
            case events.ErrorHandled():
                handled = True
            case events.RunPaused():
                paused = True
                found.append("paused while undoing" if compensated else "paused")
            case events.RunRetried():
                found += ["retried after undoing"] * compensated + ["retried after a handler"] * handled
                compensated = handled = False
            case events.RunCancelRequested():
                found += ["cancelled while undoing"] * compensated + ["cancelled while paused"] * paused
                found.append("cancelled with a wish to undo" if event.undo else "cancelled")
            case events.RunResumed():
                paused = False
            case events.SignalIgnored():
                found.append(f"ignored {event.kind}")
    return found


WANTED = {
    "every event": list(TYPES),
    "every end": ["run completed", "run failed", "run cancelled"],
    "every rule with every fate of losers": [
        f"join {rule} {losers}" for rule in RULES for losers in ("cancel", "finish", "ignore")
    ],
    "every type": [
        f"{kind} started"
        for kind in ("work", "branch", "join", "parallel", "ask", "delay", "event", "loop", "break", "error_handler")
    ],
    "every way out": ["branch true", "branch false", "ask yes", "ask no", "event out", "event timeout", "delay out"],
    "loops": [
        *(f"loop ended by {how}" for how in ("items", "condition", "break")),
        *("while", "for each, 1 side by side", "for each, 2 side by side", "depth 1", "depth 2", "depth 3"),
        *("failure in a loop", "NodeCancelled loop_broken", "NodeCancelled loop_stopped"),
        *("NodeCancelled iteration_failed", "LoopClosed expression"),
    ],
    "joins": [
        *("NodeFailed too_few_branches", "NodeFailed no_branch_succeeded", "NodeCancelled lost_join"),
        *("NodeCancelled failed_join", "NodeSkipped dead_path", "NodeSkipped failed_path"),
    ],
    "recovery": [
        *("another attempt", "failure handled", "failure taken", "failure unhandled", "NodeSkipped optional"),
        *(f"answer {action}" for action in ("retry", "retry_with", "skip", "fail")),
        *("retried after undoing", "retried after a handler", "NodeEscalated outcome_unknown"),
        *(
            f"{kind} at most once, acted: {how}"
            for kind in ("AttemptFailed", "AttemptAbandoned")
            for how in ("no", "maybe")
        ),
        *("AttemptFailed at most once, acted: yes", "AttemptFailed, acted: yes"),
        *("NodeFailed timeout", "NodeFailed node_timeout", "RunFailed run_timeout"),
    ],
    "control": [
        *("paused", "paused while undoing", "cancelled", "cancelled with a wish to undo", "cancelled while undoing"),
        *("cancelled while paused", "NodeSkipped by_person", "held back"),
        *(f"ignored {kind}" for kind in SignalKind),
    ],
}


@pytest.mark.parametrize("names", WANTED.values(), ids=WANTED.keys())
def test_the_examples_reach(names: list[str], reached: Counter[str]) -> None:
    assert not {name: reached[name] for name in names if not reached[name]}
