"""What is wrong with a definition, one place at a time."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

Step = str | int
Place = tuple[Step, ...]
"""Where in the definition: ("nodes", 3, "settings", "agent")."""


class Severity(StrEnum):
    ERROR = "error"
    """The definition cannot be published or run."""
    WARNING = "warning"
    """It can, but is probably not what was meant."""


class Code(StrEnum):
    """Every kind of problem; the table in tests/definition/test_problems.py has an example of each."""

    NOT_AN_OBJECT = "not_an_object"
    UNKNOWN_FORMAT = "unknown_format"
    UNKNOWN_KEY = "unknown_key"
    DUPLICATE_KEY = "duplicate_key"
    MISSING_KEY = "missing_key"
    INVALID_VALUE = "invalid_value"
    NO_NODES = "no_nodes"
    TOO_MANY_NODES = "too_many_nodes"
    TOO_LARGE = "too_large"
    INVALID_ID = "invalid_id"
    RESERVED_ID = "reserved_id"
    DUPLICATE_ID = "duplicate_id"
    UNKNOWN_NODE = "unknown_node"
    UNKNOWN_TYPE = "unknown_type"
    NOT_A_CONTAINER = "not_a_container"
    PARENT_CYCLE = "parent_cycle"
    EMPTY_CONTAINER = "empty_container"
    UNKNOWN_PORT = "unknown_port"
    DUPLICATE_EDGE = "duplicate_edge"
    EDGE_ACROSS_LOOP = "edge_across_loop"
    CYCLE = "cycle"
    UNREACHABLE = "unreachable"
    UNCONNECTED = "unconnected"
    JOIN_NEVER_FIRES = "join_never_fires"
    LOOP_NEVER_ENDS = "loop_never_ends"
    APPROVAL_BYPASSED = "approval_bypassed"
    INVALID_SETTING = "invalid_setting"
    EXPRESSION_SYNTAX = "expression_syntax"
    TEMPLATE_SYNTAX = "template_syntax"
    UNKNOWN_FUNCTION = "unknown_function"
    EXPRESSION_LIMIT = "expression_limit"
    UNKNOWN_REFERENCE = "unknown_reference"
    NOT_UPSTREAM = "not_upstream"
    OUTSIDE_LOOP = "outside_loop"
    UNKNOWN_FIELD = "unknown_field"
    UNKNOWN_VARIABLE = "unknown_variable"
    UNKNOWN_AGENT = "unknown_agent"
    AGENT_OFFLINE = "agent_offline"
    AGENT_DEPRECATED = "agent_deprecated"
    UNKNOWN_AGENT_VERSION = "unknown_agent_version"
    ALTERNATIVE_DIFFERS = "alternative_differs"
    UNKNOWN_WORKFLOW = "unknown_workflow"
    WORKFLOW_ARCHIVED = "workflow_archived"
    UNKNOWN_WORKFLOW_VERSION = "unknown_workflow_version"
    RECURSION = "recursion"
    MISSING_INPUT = "missing_input"
    UNKNOWN_INPUT = "unknown_input"
    INVALID_INPUT = "invalid_input"
    INVALID_SCHEMA = "invalid_schema"
    INVALID_NAME = "invalid_name"
    UNKNOWN_SHARED_KEY = "unknown_shared_key"
    HANDLER_MISUSED = "handler_misused"
    COMPENSATION_MISUSED = "compensation_misused"
    NOT_UNDONE = "not_undone"
    NOT_IN_EFFECT = "not_in_effect"


@dataclass(frozen=True, slots=True)
class Problem:
    code: Code
    message: str
    node: str | None = None
    place: Place = ()
    severity: Severity = Severity.ERROR

    @property
    def path(self) -> str:
        """`nodes[3].settings.agent`; empty for the whole."""
        return place_text(self.place)

    @property
    def is_error(self) -> bool:
        return self.severity is Severity.ERROR

    def as_json(self) -> dict[str, str | None]:
        return {
            "code": self.code.value,
            "message": self.message,
            "node": self.node,
            "path": self.path,
            "severity": self.severity.value,
        }


def place_text(place: Place) -> str:
    parts = [f"[{step}]" if isinstance(step, int) else f".{step}" for step in place]
    return "".join(parts).removeprefix(".")


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """` Did you mean …?`, or nothing if nothing is near."""
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f" Did you mean {close[0]}?" if close else ""
