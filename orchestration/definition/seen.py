"""What an expression may refer to where it stands: the steps before it, the loop around it, an error on its way."""

from __future__ import annotations

from dataclasses import dataclass

from orchestration.definition.view import NodeView, View
from orchestration.nodes.base import NodeType


@dataclass(frozen=True, slots=True)
class Seen:
    """What an expression may refer to where it stands."""

    nodes: frozenset[str]
    loop: bool
    error: bool
    branches: frozenset[str] = frozenset()
    """Nodes whose edges lead to the node."""
    undone: NodeView | None = None
    """The node that this one undoes."""
    at: NodeView | None = None
    """The node it belongs to; None: the workflow's outputs."""
    only: frozenset[str] | None = None
    """Names that stand for themselves, with nothing of the run beside them (`NodeType.late_names`)."""


def seen_by(view: View, node: NodeView) -> Seen:
    undone = view.undoes.get(node.id)
    if undone is not None:
        return _seen_undoing(view, node, undone)
    nodes = set(view.ancestors[node.id])
    around = view.parents(node)
    for loop in around:
        nodes |= view.ancestors[loop.id]
    error = any(
        edge.port == "error"
        for inner in (node, *around)
        for name in (inner.id, *view.ancestors[inner.id])
        for edge in view.incoming[name]
    )
    for inner in (node, *around):
        body = inner.parent if inner.parent in view.nodes else None
        path = view.handling.get(body, frozenset())
        if inner.id in path:  # whatever the flow has done by then may be read
            error = True
            nodes |= {other.id for other in view.bodies[body]} - path - view.undoes.keys()
    branches = frozenset(edge.source for edge in view.incoming[node.id])
    return Seen(frozenset(nodes), loop=bool(around), error=error, branches=branches, at=node)


def _seen_undoing(view: View, node: NodeView, undone: NodeView) -> Seen:
    """What the undone node has seen, as far as it is still there: iterations that have ended are forgotten."""
    around = view.parents(undone)
    outermost = around[-1] if around else undone
    return Seen(view.ancestors[outermost.id], loop=bool(around), error=False, undone=undone, at=node)


def seen_late(view: View, node: NodeView, kind: NodeType) -> Seen:
    """A loop's own later expressions are evaluated in its body, when an iteration has ended."""
    seen = seen_by(view, node)
    body = frozenset(item.id for item in view.bodies.get(node.id, ()))
    loop = seen.loop or kind.container
    return Seen(seen.nodes | body, loop=loop, error=seen.error, at=node, only=kind.late_names)


def seen_at_the_end(view: View) -> Seen:
    """By the workflow's outputs."""
    return Seen(frozenset(node.id for node in view.bodies[None]), loop=False, error=None in view.handling)
