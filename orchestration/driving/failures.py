"""What goes wrong between the planner's word and a node's, as failures of the node with the place and the remedy."""

from __future__ import annotations

from typing import Any

from orchestration.engine.nodes import Node
from orchestration.expressions import ExpressionError
from orchestration.nodes.base import NodeFailure, NodeType

JSON = Any


def failure_of(error: ExpressionError, what: str = "") -> NodeFailure:
    detail = {"reason": error.code, "source": error.source, "position": error.position}
    return NodeFailure(f"{what}{error.message}", code="expression", detail=detail)


def error_json(error: ExpressionError | NodeFailure, what: str) -> JSON:
    failure = failure_of(error) if isinstance(error, ExpressionError) else error
    return {**failure.as_json(), "message": f"{what}{failure.message}"}


def unknown_type(spec: Node) -> NodeFailure:
    return NodeFailure(f"There is no node type {spec.type!r} in this installation.", code="unknown_type")


def bug(kind: NodeType, error: BaseException) -> NodeFailure:
    message = f"The node type {kind.kind} failed unexpectedly: {type(error).__name__}: {error}"
    return NodeFailure(message[:1000], code="bug")
