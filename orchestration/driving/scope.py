"""The names an expression may use at one place of a run.

    inputs, vars          of the run
    <node id>             {"outputs", "status", "error"} of a node in the same body or in one around it
    context               {node id: outputs} of all of these that have succeeded
    loop                  {"item", "index", "previous", "parent"} of the loop around; previous is what the iteration
                          before has yielded (if one runs at a time), parent that of the next loop outwards
    undone                in a node that undoes another: {"node", "path", "inputs", "settings", "outputs"} of that; and
                          `loop` is that of its iteration, whose other nodes are not known any more
    error                 what failed on the way here (through an `error` port), with `node`; else null
    branches              {node id: {"status", "outputs", "error"}} of the edges that lead here (branches.py)
    shared                {key: value} of the shared context as it is seen here
    run                   {"id", "workflow", "started_at"}

Worked out only as far as an expression asks.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from orchestration.driving.branches import branches
from orchestration.engine.handlers import handled_error
from orchestration.engine.ids import Key, NodeId, Path, path_text
from orchestration.engine.scopes import ScopeKey
from orchestration.engine.sharing import visible
from orchestration.engine.states import NodeRunState, RunState, Undoable
from orchestration.engine.statuses import NodeStatus
from orchestration.nodes.base import RunFacts

JSON = Any
_OWN_NAMES = ("inputs", "vars", "context", "loop", "error", "branches", "run", "shared")


class Scope(Mapping[str, JSON]):
    """Of the body `scope_key`; `node` is whose settings are read, None for what a body or the run yields."""

    def __init__(self, state: RunState, facts: RunFacts, scope_key: ScopeKey, node: NodeId | None = None) -> None:
        self._state, self._facts, self._scope_key, self._node = state, facts, scope_key, node
        self._paths = _paths(state, scope_key)
        self._undoable, self._undone = _undone_by(state, node, scope_key[1])

    def __getitem__(self, name: str) -> JSON:
        match name:
            case "inputs":
                return self._state.inputs
            case "vars":
                return self._state.variables
            case "context":
                return self._context()
            case "undone" if self._undone is not None:
                return self._undone
            case "loop" if self._undoable is not None:
                return self._undoable.loop
            case "loop":
                return self._loop(*self._scope_key)
            case "error":
                return self._error()
            case "branches":
                return branches(self._state, self._node, self._scope_key[1]) if self._node else {}
            case "run":
                return self._run()
            case "shared" if name not in self._state.graph.nodes:  # an older definition may call a node so
                return {key: entry.value for key, entry in visible(self._state, self._scope_key).items()}
        return self._view(name)

    def __iter__(self) -> Iterator[str]:
        yield from _OWN_NAMES
        yield from self._visible()

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __contains__(self, name: object) -> bool:
        if name == "undone":
            return self._undone is not None
        return name in _OWN_NAMES or (name in self._state.graph.nodes and self._key(str(name)) is not None)

    def _visible(self) -> Iterator[NodeId]:
        for parent in self._paths:
            yield from self._state.graph.bodies.get(parent, ())

    def _key(self, node: NodeId) -> Key | None:
        path = self._paths.get(self._state.graph.nodes[node].parent)
        return None if path is None else (node, path)

    def _view(self, node: str) -> JSON:
        key = self._key(node) if node in self._state.graph.nodes else None
        if key is None:
            raise KeyError(node)
        found = self._state.node(key)
        outputs = found.outputs if found.outputs is not None else {}
        return {"outputs": outputs, "status": str(found.status), "error": found.error}

    def _context(self) -> JSON:
        keys = ((node, self._key(node)) for node in self._visible())
        found = {node: self._state.nodes.get(key) for node, key in keys if key is not None}
        return {node: run.outputs for node, run in found.items() if run and run.status is NodeStatus.SUCCEEDED}

    def _loop(self, loop: NodeId | None, path: Path) -> JSON:
        if loop is None:
            return None
        opened = self._state.nodes[loop, path[:-1]].loop
        index = path[-1]
        outer = self._state.graph.nodes[loop].parent
        has_item = opened is not None and not opened.repeats
        return {
            "item": opened.items[index] if opened and has_item else None,
            "index": index,
            "previous": opened.results.get(index - 1) if opened and opened.limit == 1 else None,
            "parent": self._loop(outer, path[:-1]),
        }

    def _error(self) -> JSON:
        """Of the nearest node upstream whose failure led on through its `error` port, or what the error handler was
        handed on whose path this is; in the same body, else in the one around it.
        """
        scope_key, node = self._scope_key, self._node
        while (found := self._error_in(scope_key, node)) is None and scope_key[0] is not None:
            node = scope_key[0]
            scope_key = (self._state.graph.nodes[node].parent, scope_key[1][:-1])
        return found

    def _error_in(self, scope_key: ScopeKey, node: NodeId | None) -> JSON:
        if node is None or node in self._state.graph.handling.get(scope_key[0], ()):
            handled = handled_error(self._state, scope_key)
            if handled is not None:
                return self._nearest_error(scope_key, node) or handled
        return self._nearest_error(scope_key, node)

    def _nearest_error(self, scope_key: ScopeKey, node: NodeId | None) -> JSON:
        graph, path = self._state.graph, scope_key[1]
        frontier, seen = [node] if node else [], set[NodeId]()
        while frontier:
            sources = [edge for node in frontier for edge in graph.incoming[node] if edge.source not in seen]
            for edge in sources:
                source = self._state.nodes.get((edge.source, path))
                if edge.port == "error" and source and _failed_softly(source):
                    return {**source.error, "node": edge.source}
            frontier = list(dict.fromkeys(edge.source for edge in sources))
            seen.update(frontier)
        return None

    def _run(self) -> JSON:
        begun = self._state.started_at
        return {
            "id": str(self._facts.id),
            "workflow": self._facts.workflow_slug,
            "started_at": begun.isoformat() if begun else None,
        }


def _undone_by(state: RunState, node: NodeId | None, path: Path) -> tuple[Undoable | None, JSON]:
    """What the node undoes, as the state keeps it and as expressions see it; None and None for other nodes."""
    undoes = state.graph.compensators.get(node) if node is not None else None
    found = state.undoable.get((undoes, path)) if undoes is not None else None
    if found is None:
        return None, None
    settings = found.inputs if isinstance(found.inputs, dict) else {}
    inputs = settings["inputs"] if isinstance(settings.get("inputs"), dict) else settings
    outputs = found.outputs if found.outputs is not None else {}
    return found, {
        "node": undoes,
        "path": path_text(path),
        "inputs": inputs,
        "settings": settings,
        "outputs": outputs,
    }


def _paths(state: RunState, scope_key: ScopeKey) -> dict[NodeId | None, Path]:
    """The body and those around it, with the path its nodes have."""
    parent, path = scope_key
    found: dict[NodeId | None, Path] = {}
    while parent is not None:
        found[parent] = path
        parent, path = state.graph.nodes[parent].parent, path[:-1]
    return {None: (), **found}


def _failed_softly(source: NodeRunState) -> bool:
    return source.status is NodeStatus.FAILED and source.handled
