"""Whether what an expression refers to is there: the name, upstream of it, with the field it reads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from orchestration.definition import agents as agent_checks
from orchestration.definition import subworkflows
from orchestration.definition.contracts import AgentContract, Workflows
from orchestration.definition.ids import ROOTS
from orchestration.definition.paths import gap
from orchestration.definition.problems import Code, did_you_mean
from orchestration.definition.seen import Seen
from orchestration.definition.view import NodeView, View
from orchestration.expressions.names import Reference, path_text
from orchestration.nodes.base import NodeType

JSON = Any
Schema = Mapping[str, JSON]
LOOP_FIELDS = ("item", "index", "previous", "parent")
BRANCH_FIELDS = ("status", "outputs", "error")
UNDONE_FIELDS = ("inputs", "outputs", "settings", "node", "path")
NODE_FIELDS = ("outputs", "status", "error")
_KIND_WORDS = {
    "string": "a text",
    "number": "a number",
    "integer": "a number",
    "boolean": "true or false",
    "array": "a list",
    "null": "null",
    "object": "an object",
}


class KnownNames:
    """Of one definition. `problem_with` says what is wrong with a reference, or None."""

    def __init__(
        self,
        view: View,
        types: Mapping[str, NodeType],
        agents: Mapping[str, AgentContract],
        workflows: Workflows | None,
    ) -> None:
        self.view, self.types, self.agents, self.workflows = view, types, agents, workflows
        inputs = view.raw.get("inputs")
        self.inputs: Schema = inputs if isinstance(inputs, Mapping) else {}
        self.variables = self._variables()
        self._schemas: dict[str, Schema | None] = {}

    def _variables(self) -> dict[str, Schema]:
        declared = self.view.raw.get("variables")
        found = (
            {name: raw for name, raw in declared.items() if isinstance(raw, Mapping)}
            if isinstance(declared, Mapping)
            else {}
        )
        for node in self.view.nodes.values():
            if node.type == "set" and isinstance(node.settings.get("variables"), Mapping):
                found |= {name: {} for name in node.settings["variables"] if name not in found}
        return found

    def problem_with(self, reference: Reference, seen: Seen) -> tuple[Code, str] | None:
        if seen.only is not None:
            return None if reference.root in seen.only else self._not_among(reference, seen.only)
        match reference.root:
            case "inputs":
                return self._field(reference, self.inputs, ())
            case "vars":
                return self._variable(reference)
            case "loop":
                return self._loop(reference, seen)
            case "undone":
                return self._undone(reference, seen)
            case "error" if not seen.error:
                return Code.NOT_UPSTREAM, "error is known only behind the port error of a node."
            case "branches":
                return self._branch(reference, seen)
            case root if root in ROOTS:
                return None
        if reference.root not in self.view.nodes:
            known = seen.nodes | ROOTS
            message = f"There is nothing called {reference.root} here.{did_you_mean(reference.root, known)}"
            return Code.UNKNOWN_REFERENCE, message
        return self._node(reference, seen)

    def _not_among(self, reference: Reference, only: frozenset[str]) -> tuple[Code, str]:
        return Code.UNKNOWN_REFERENCE, f"{reference.root} is not known here, only {', '.join(sorted(only))}."

    def _undone(self, reference: Reference, seen: Seen) -> tuple[Code, str] | None:
        if seen.undone is None:
            return Code.NOT_UPSTREAM, "undone is known only in a node that undoes another (compensate_with)."
        if not reference.path or reference.optional:
            return None
        if reference.path[0] not in UNDONE_FIELDS:
            return Code.UNKNOWN_FIELD, f"undone has no {reference.path[0]}; it has {', '.join(UNDONE_FIELDS)}."
        schema = self._output_schema(seen.undone) if reference.path[0] == "outputs" else None
        return self._field(reference, schema, reference.path[:1]) if schema is not None else None

    def _variable(self, reference: Reference) -> tuple[Code, str] | None:
        if not reference.path or reference.optional:
            return None
        name = str(reference.path[0])
        if name not in self.variables:
            message = f"There is no variable {name}.{did_you_mean(name, self.variables)}"
            return Code.UNKNOWN_VARIABLE, message
        return self._field(reference, self.variables[name], reference.path[:1])

    def _loop(self, reference: Reference, seen: Seen) -> tuple[Code, str] | None:
        if not seen.loop:
            return Code.OUTSIDE_LOOP, "loop is known only inside of a loop."
        if reference.path and reference.path[0] not in LOOP_FIELDS and not reference.optional:
            name = str(reference.path[0])
            return (
                Code.UNKNOWN_FIELD,
                f"loop has no {name}; it has item, index, previous and parent (the loop around it).",
            )
        return None

    def _branch(self, reference: Reference, seen: Seen) -> tuple[Code, str] | None:
        if not seen.branches:
            return Code.UNKNOWN_REFERENCE, "branches is known only where edges lead to."
        if not reference.path:
            return None
        name, *rest = map(str, reference.path)
        if name not in seen.branches and not reference.optional:
            message = f"There is no branch {name} here.{did_you_mean(name, seen.branches)}"
            return Code.UNKNOWN_FIELD, f"{message} It has {', '.join(sorted(seen.branches)[:12])}."
        if rest and rest[0] not in BRANCH_FIELDS and not reference.optional:
            return Code.UNKNOWN_FIELD, f"A branch has no {rest[0]}; it has {', '.join(BRANCH_FIELDS)}."
        return None

    def _node(self, reference: Reference, seen: Seen) -> tuple[Code, str] | None:
        target = self.view.nodes[reference.root]
        if target.id not in seen.nodes:
            return self._not_upstream(target, seen)
        if not reference.path:
            return None
        if reference.path[0] not in NODE_FIELDS:
            name = target.id
            return Code.UNKNOWN_FIELD, f"{name} has no {reference.path[0]}; its results are in {name}.outputs."
        if reference.path[0] != "outputs":
            return None
        schema = self._output_schema(target)
        return self._field(reference, schema, reference.path[:1]) if schema is not None else None

    def _not_upstream(self, target: NodeView, seen: Seen) -> tuple[Code, str]:
        at, name = seen.at, target.id
        around = [loop.id for loop in self.view.parents(target)]
        here = [loop.id for loop in self.view.parents(at)] if at else []
        if at is not None and name == at.id:
            return Code.NOT_UPSTREAM, f"{name} cannot refer to itself."
        if name in here:
            return Code.NOT_UPSTREAM, f"The loop {name} has no results before it has ended; loop.item is its item."
        hidden = next((loop for loop in around if loop not in here), None)
        if hidden is not None and (at is None or hidden != at.id):
            message = f"{name} is inside of the loop {hidden}: refer to {hidden}.outputs.items instead."
            return Code.OUTSIDE_LOOP, message
        if at is not None and at.id in around:
            message = f"{name} is inside of the loop {at.id} and has not run yet when this is asked."
            return Code.NOT_UPSTREAM, f"{message} A condition can refer to loop.previous and to variables."
        if at is not None and at.id in self.view.ancestors[name]:
            return Code.NOT_UPSTREAM, f"{name} runs after {at.id}, so its results are not there yet."
        return Code.NOT_UPSTREAM, f"{name} is not upstream: no path leads from it to {at.id if at else 'the end'}."

    def _output_schema(self, node: NodeView) -> Schema | None:
        if node.id not in self._schemas:
            contract = agent_checks.contract_of(node, self.agents) or subworkflows.contract_of(node, self.workflows)
            self._schemas[node.id] = contract.outputs if contract is not None else self._own_schema(node)
        return self._schemas[node.id]

    def _own_schema(self, node: NodeView) -> Schema | None:
        if node.type not in self.types:
            return None
        try:
            return self.types[node.type].output_schema(node.settings)
        except (TypeError, KeyError, AttributeError, ValueError):
            return None  # settings too broken to tell; settings.py says so

    def _field(self, reference: Reference, schema: Schema, before: tuple[str | int, ...]) -> tuple[Code, str] | None:
        path = reference.path[len(before) :]
        missing = gap(schema, path[:-1] if reference.optional else path)
        if missing is None:
            return None
        so_far = path_text(reference.root, (*before, *path[: missing.depth]))
        step = path[missing.depth]
        if missing.kind != "object":
            return Code.UNKNOWN_FIELD, f"{so_far} is {_KIND_WORDS.get(missing.kind, missing.kind)} and has no {step}."
        there = f" It has {', '.join(missing.known[:12])}." if missing.known else ""
        message = f"There is no {step} in {so_far}.{did_you_mean(str(step), missing.known)}{there}"
        return Code.UNKNOWN_FIELD, message
