"""What follows from failures: who is asked, and whether it can ever come to that."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from orchestration.definition.problems import Code, Place, Problem, Severity
from orchestration.definition.view import NodeView, View
from orchestration.nodes.base import NodeType


def check(view: View, types: Mapping[str, NodeType]) -> Iterator[Problem]:
    yield from _handlers(view)
    for node in view.nodes.values():
        if isinstance(node.raw.get("escalate"), Mapping):
            yield from _escalation(view, node, types)
        if node.raw.get("compensate_with") in view.nodes:
            yield from _compensation(view, node, types)


def _escalation(view: View, node: NodeView, types: Mapping[str, NodeType]) -> Iterator[Problem]:
    place: Place = (*node.place, "escalate")
    if node.type in types and types[node.type].container:
        message = f"A loop is not escalated as a whole. Let the nodes inside of {node.id} ask a person."
        yield Problem(Code.INVALID_SETTING, message, node.id, place)
    elif any(edge.port == "error" for edge in view.outgoing[node.id]):
        message = f"Nobody is ever asked about {node.id}: its port error leads on before."
        yield Problem(Code.NOT_IN_EFFECT, message, node.id, place, Severity.WARNING)
    elif node.raw.get("optional") is True:
        message = f"Nobody is ever asked about {node.id}: it is optional, so it is left out before."
        yield Problem(Code.NOT_IN_EFFECT, message, node.id, place, Severity.WARNING)
    wanted = node.raw["escalate"]
    if wanted.get("user") and wanted.get("role"):
        message = f"{wanted['user']} alone is asked about {node.id}; the role does nothing beside a person."
        yield Problem(Code.NOT_IN_EFFECT, message, node.id, (*place, "role"), Severity.WARNING)


def _compensation(view: View, node: NodeView, types: Mapping[str, NodeType]) -> Iterator[Problem]:
    place: Place = (*node.place, "compensate_with")
    undo = view.nodes[node.raw["compensate_with"]]
    for message in _misuse(view, node, undo, types):
        yield Problem(Code.COMPENSATION_MISUSED, message, node.id, place)


def _misuse(view: View, node: NodeView, undo: NodeView, types: Mapping[str, NodeType]) -> Iterator[str]:
    """The node that undoes stands beside the flow, belongs to one node, and does its work by itself."""
    if undo.id == node.id:
        yield f"{node.id} cannot undo itself: name another node."
        return
    if undo.parent != node.parent:
        yield f"{undo.id} must be in the same body as {node.id}: both outside of loops, or in the same loop."
    if any(undo.id in (edge.source, edge.target) for edge in view.edges):
        yield f"{undo.id} undoes {node.id}, so it is no part of the flow: remove its edges."
    if undo.raw.get("compensate_with"):
        yield f"{undo.id} undoes {node.id} and cannot be undone itself: remove its compensate_with."
    if undo.type in types and types[undo.type].container:
        yield f"{undo.id} is a loop, which cannot undo anything: put the loop into a workflow of its own."
    others = [other.id for other in view.nodes.values() if other.raw.get("compensate_with") == undo.id]
    if others[0] != node.id:
        yield f"{undo.id} undoes {others[0]} already: a node undoes one other."


def _handlers(view: View) -> Iterator[Problem]:
    for parent, body in view.bodies.items():
        where = f"the loop {parent}" if parent else "the workflow"
        handlers = [node for node in body if node.type == "error_handler"]
        if not handlers:
            continue
        first = handlers[0]
        for other in handlers[1:]:
            message = f"{where.capitalize()} has two error handlers: {first.id} and {other.id}. Keep one."
            yield Problem(Code.HANDLER_MISUSED, message, other.id, other.place)
        path = view.handling[parent]
        if len(path) == sum(node.id not in view.undoes for node in body):
            message = f"Nothing in {where} could fail before {first.id}: there is nothing besides its path."
            yield Problem(Code.HANDLER_MISUSED, message, first.id, first.place)
        for edge in view.edges:
            if edge.target in path and (edge.source not in path or edge.target == first.id):
                message = f"{edge.source} leads to {edge.target}, which only the error handler {first.id} may start."
                yield Problem(Code.HANDLER_MISUSED, message, edge.target, edge.place)
