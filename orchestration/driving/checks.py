"""What a node yields against what the workflow declares."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agents.contracts import data_faults
from orchestration.engine.graph import Graph
from orchestration.nodes.base import NodeFailure

JSON = Any


def check_variables(graph: Graph, variables: Mapping[str, JSON]) -> None:
    """Raises NodeFailure (`invalid_variable`) with every fault and its path ($.currency) when a declared variable is
    given what its schema does not allow. Variables without a schema take anything.
    """
    declared = {name: graph.variable_schemas[name] for name in variables if name in graph.variable_schemas}
    if not declared:
        return
    if faults := data_faults({"type": "object", "properties": declared}, dict(variables)):
        more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
        raise NodeFailure(
            f"A variable is given what it cannot hold. {faults[0]}{more}.",
            code="invalid_variable",
            detail={"faults": [fault.as_json() for fault in faults]},
        )
