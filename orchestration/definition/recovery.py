"""What follows from failures: who is asked, and whether it can ever come to that."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from orchestration.definition.problems import Code, Place, Problem, Severity
from orchestration.definition.view import NodeView, View
from orchestration.nodes.base import NodeType


def check(view: View, types: Mapping[str, NodeType]) -> Iterator[Problem]:
    for node in view.nodes.values():
        if isinstance(node.raw.get("escalate"), Mapping):
            yield from _escalation(view, node, types)


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
