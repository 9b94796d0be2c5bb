"""Every problem of a definition at once.

    problems = validate(definition, agents=contracts, workflows=workflows)
    if any(problem.is_error for problem in problems): ...

Each check is a module that reads the definition as far as it can be read (`view.py`) and gives its problems; none
stops the others. Nothing is looked up: what is known of agents and workflows is handed in. 1,000 nodes take well below
a second.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from orchestration.definition import agents as agent_checks
from orchestration.definition import (
    alternatives,
    graph,
    ids,
    interface,
    recovery,
    references,
    settings,
    shape,
    sharing,
    subworkflows,
)
from orchestration.definition.contracts import AgentContract, Workflows
from orchestration.definition.problems import Code, Problem
from orchestration.definition.schema import MAX_NODES
from orchestration.definition.view import View
from orchestration.nodes.base import NodeType, node_types

JSON = Any
MOST_PROBLEMS = 500


def validate(
    definition: JSON,
    *,
    agents: Mapping[str, AgentContract],
    workflows: Workflows | None = None,
    types: Mapping[str, NodeType] | None = None,
) -> list[Problem]:
    """All problems, errors and warnings, in the order of their places; at most 500. `types` default to the registered
    ones; without `workflows` nothing is said about those it runs.
    """
    if not isinstance(definition, Mapping):
        return [Problem(Code.NOT_AN_OBJECT, "A definition is a JSON object.")]
    if shape.too_deep(definition):
        return [Problem(Code.TOO_LARGE, f"The definition is nested deeper than {shape.MAX_DEPTH} levels.")]
    known = dict(node_types() if types is None else types)
    found = dict.fromkeys(_problems(definition, agents, workflows, known))
    order = {key: position for position, key in enumerate(definition)}
    return sorted(found, key=lambda problem: _order(problem, order))[:MOST_PROBLEMS]


def _problems(
    definition: Mapping[str, JSON],
    agents: Mapping[str, AgentContract],
    workflows: Workflows | None,
    types: dict[str, NodeType],
) -> Iterator[Problem]:
    yield from shape.check(definition)
    view = View.of(definition)
    if len(view.listed) > MAX_NODES:
        return
    yield from ids.check(view, types)
    yield from graph.check(view, types)
    yield from settings.check(view, types)
    yield from interface.check(view)
    yield from recovery.check(view, types)
    yield from agent_checks.check(view, agents)
    yield from alternatives.check(view, agents)
    yield from sharing.check(view)
    if workflows is not None:
        yield from subworkflows.check(view, workflows)
    yield from references.check(view, types, agents, workflows)


def _order(problem: Problem, keys: Mapping[str, int]) -> tuple[bool, int, int, str]:
    """Errors first, then as the text reads."""
    place = problem.place
    top = keys.get(str(place[0]), len(keys)) if place else -1
    index = place[1] if len(place) > 1 and isinstance(place[1], int) else -1
    return (not problem.is_error, top, index, problem.path)


def errors(problems: list[Problem]) -> list[Problem]:
    return [problem for problem in problems if problem.is_error]
