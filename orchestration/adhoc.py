"""A list of tasks with dependencies as a definition: what `POST /api/workflows/execute` takes besides a workflow's id.

Pure. Prompts travel as inputs of the run, never as part of the definition: text of a caller is data, not an expression.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

JSON = Any
TASK_IDS = "task_ids"
"""Input of such a run: {node: id of the task as its caller wrote it}."""
PROMPT_NAMES = ("task", "prompt", "request", "question", "instructions", "brief", "text", "document", "input")


class AdHocError(ValueError):
    """`problems`: [{"code", "message", "path"}], all of them."""

    def __init__(self, problems: list[dict[str, str]]) -> None:
        super().__init__(problems[0]["message"])
        self.problems = problems


@dataclass(frozen=True, slots=True)
class Task:
    id: str
    agent: str
    description: str
    prompt: str
    dependencies: tuple[str, ...] = ()
    priority: int = 5


@dataclass(frozen=True, slots=True)
class AdHoc:
    definition: dict[str, JSON]
    inputs: dict[str, JSON]


def adhoc(
    *, name: str, tasks: Sequence[Task], input_schemas: Mapping[str, Mapping[str, JSON]], max_parallel: int
) -> AdHoc:
    """input_schemas: {agent: JSON Schema of its inputs}; unknown agents are left for validation to name.

    Raises AdHocError for doubled ids, unknown dependencies, and agents that cannot take a prompt.
    """
    _check(tasks)
    node_of = _node_ids([task.id for task in tasks])
    problems: list[dict[str, str]] = []
    nodes = []
    for index, task in enumerate(tasks):
        inputs = _inputs(task, node_of, input_schemas.get(task.agent, {}))
        if inputs is None:
            message = (
                f"The agent {task.agent!r} needs more than a prompt; put it into a workflow that gives it its inputs."
            )
            problems.append({"code": "needs_inputs", "message": message, "path": f"tasks[{index}].agentName"})
            continue
        nodes.append(
            {
                "id": node_of[task.id],
                "type": "agent",
                "name": task.description[:200] or task.id,
                "priority": task.priority,
                "settings": {"agent": task.agent, "inputs": inputs},
            }
        )
    if problems:
        raise AdHocError(problems)
    edges = [{"source": node_of[needed], "target": node_of[task.id]} for task in tasks for needed in task.dependencies]
    prompts = {node_of[task.id]: task.prompt for task in tasks}
    definition = {
        "format": "ensemble.workflow/1",
        "name": name,
        "inputs": {
            "type": "object",
            "properties": {"prompts": {"type": "object"}, TASK_IDS: {"type": "object"}},
            "required": ["prompts"],
        },
        "outputs": {node: f"{{{{ {node}.outputs }}}}" for node in node_of.values()},
        "settings": {"max_parallel": max_parallel},
        "nodes": nodes,
        "edges": edges,
    }
    task_ids = {node: task_id for task_id, node in node_of.items()}
    return AdHoc(definition, {"prompts": prompts, TASK_IDS: task_ids})


def _check(tasks: Sequence[Task]) -> None:
    known = {task.id for task in tasks}
    problems = []
    seen: set[str] = set()
    for index, task in enumerate(tasks):
        if task.id in seen:
            problems.append(
                {"code": "duplicate_id", "message": f"Two tasks are called {task.id!r}.", "path": f"tasks[{index}].id"}
            )
        seen.add(task.id)
        problems.extend(
            {
                "code": "unknown_dependency",
                "message": f"The task {task.id!r} depends on {needed!r}, which is no task of this list.",
                "path": f"tasks[{index}].dependencies",
            }
            for needed in task.dependencies
            if needed not in known
        )
    if problems:
        raise AdHocError(problems)


def _node_ids(task_ids: Sequence[str]) -> dict[str, str]:
    """`design-api` → `design_api`; names that would clash or are no names at all get a number."""
    found: dict[str, str] = {}
    for task_id in task_ids:
        base = re.sub(r"[^a-z0-9]+", "_", task_id.lower()).strip("_")[:50]
        if not base or not base[0].isalpha():
            base = f"task_{base}".rstrip("_")
        name, number = base, 2
        while name in found.values():
            name, number = f"{base}_{number}", number + 1
        found[task_id] = name
    return found


def _inputs(task: Task, node_of: Mapping[str, str], schema: Mapping[str, JSON]) -> dict[str, JSON] | None:
    """The prompt goes to the agent's main text input, earlier results to `context` where it has one, else behind it."""
    properties = schema.get("properties", {})
    texts = [key for key, raw in properties.items() if isinstance(raw, Mapping) and raw.get("type") == "string"]
    required = [key for key in schema.get("required", []) if key != "context"]
    wanted = [key for key in required if key in texts] or [key for key in PROMPT_NAMES if key in texts] or texts
    if not wanted and properties:
        return None
    main = wanted[0] if wanted else "prompt"
    if any(key != main for key in required):
        return None
    prompt = f"{{{{ inputs.prompts.{node_of[task.id]} }}}}"
    earlier = "\n\n".join(f"## {needed}\n{{{{ {node_of[needed]}.outputs }}}}" for needed in task.dependencies)
    if not earlier:
        return {main: prompt}
    if "context" in texts:
        return {main: prompt, "context": earlier}
    return {main: f"{prompt}\n\n# Results of earlier tasks\n\n{earlier}"}
