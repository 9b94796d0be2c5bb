"""How far a run is: node runs that there are, that have ended, and that are still to end, from its state alone.

Nodes that undo others do not count. Of a body that was dropped the state knows only how many nodes its normal flow has.
"""

from __future__ import annotations

from orchestration.engine.states import LoopState, RunState


def known(state: RunState) -> int:
    """Node runs there are, or are to be: a loop adds its iterations as it opens, an error handler in it its path."""
    graph = state.graph
    opened = ((node, node_run.loop) for (node, _), node_run in state.nodes.items() if node_run.loop is not None)
    iterations = sum(len(graph.flow.get(node, ())) * _iterations(loop) for node, loop in opened)
    handlers = (node for (node, path), node_run in state.nodes.items() if node_run.handles is not None and path)
    handling = sum(len(graph.handling[graph.nodes[node].parent]) for node in handlers)
    return len(graph.flow[None]) + iterations + handling


def _iterations(loop: LoopState) -> int:
    """That there are, or are to be."""
    return loop.started if loop.repeats or loop.ended_by else len(loop.items)


def ended(state: RunState) -> int:
    """Also in iterations that have been dropped."""
    graph = state.graph
    opened = ((node, node_run.loop) for (node, _), node_run in state.nodes.items() if node_run.loop is not None)
    dropped = sum(len(graph.flow.get(node, ())) * (loop.started - len(loop.open)) for node, loop in opened)
    return dropped + sum(
        node_run.status.ended for (node, _), node_run in state.nodes.items() if node not in graph.compensators
    )


def left(state: RunState) -> int:
    """Node runs that have still to end, as far as is known."""
    graph = state.graph
    going = ((node, node_run) for (node, _), node_run in state.nodes.items() if not node_run.status.ended)
    to_begin = ((node, run.loop) for node, run in going if run.loop is not None)
    bodies = ((node, path) for parent, path in state.scopes for node in graph.flow.get(parent, ()))
    return sum(not state.node(key).status.ended for key in bodies) + sum(
        len(graph.flow.get(node, ())) * (_iterations(loop) - loop.started) for node, loop in to_begin
    )
