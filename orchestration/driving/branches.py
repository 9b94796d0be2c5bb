"""What the branches that lead to a node have come to, and how a join puts them together.

A branch is named by the node its edge comes from: {"status", "outputs", "error"}, where `status` is

    succeeded   its edge is live: the branch has come
    failed      its failure was taken by a join, or has led here through an error port (`error` says what failed where)
    skipped     it was not taken, was left out, or was cancelled
    open        nothing is decided: the join did not wait for it
"""

from __future__ import annotations

from typing import Any

from orchestration.engine.ids import NodeId, Path
from orchestration.engine.joins import Token, branch_error, token
from orchestration.engine.nodes import Edge
from orchestration.engine.states import RunState
from orchestration.engine.statuses import NodeStatus

JSON = Any


def branches(state: RunState, node: NodeId, path: Path) -> dict[NodeId, JSON]:
    """By the node each comes from, in the order of the edges. Of several edges from one node a live one counts."""
    found: dict[NodeId, JSON] = {}
    for edge in state.graph.incoming[node]:
        carried = token(state, edge, path)
        if carried is Token.LIVE or edge.source not in found:
            found[edge.source] = _branch(state, edge, carried, path)
    return found


def _branch(state: RunState, edge: Edge, carried: Token, path: Path) -> JSON:
    source = state.node((edge.source, path))
    match carried:
        case Token.LIVE if source.status is NodeStatus.SUCCEEDED:
            return {"status": "succeeded", "outputs": source.outputs, "error": None}
        case Token.LIVE if source.status is NodeStatus.FAILED:
            return {"status": "failed", "outputs": {}, "error": {"node": edge.source, **source.error}}
        case Token.FAILED:
            return {"status": "failed", "outputs": {}, "error": branch_error(state, edge.source, path)}
        case Token.OPEN:
            return {"status": "open", "outputs": {}, "error": None}
    return {"status": "skipped", "outputs": {}, "error": source.error}


def combined(state: RunState, node: NodeId, path: Path) -> JSON:
    """What a join passes on by `combine`: object or list (an expression is the driver's to evaluate).

    Outputs of the branches that have come; of rule `all_settled` every branch with its status. In a list the latter
    carry their `node`.
    """
    join = state.graph.nodes[node].join
    found = branches(state, node, path)
    if join.rule == "all_settled":
        return [{"node": source, **branch} for source, branch in found.items()] if join.combine == "list" else found
    come = {source: branch["outputs"] for source, branch in found.items() if branch["status"] == "succeeded"}
    return list(come.values()) if join.combine == "list" else come
