"""The shared context: keys that are read and that nobody writes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from agents.sharing import granted
from orchestration.definition.problems import Code, Problem, Severity, did_you_mean
from orchestration.definition.view import NodeView, View

JSON = Any


def check(view: View) -> Iterator[Problem]:
    written = [key for node in view.nodes.values() for key in _names(node, "write")]
    patterns = [key for node in view.nodes.values() for key in _names(node, "may_write")]
    for node in view.nodes.values():
        for index, wanted in enumerate(_names(node, "read")):
            if not _is_written(wanted, written, patterns):
                message = f"{node.id} reads {wanted} of the shared context, which no agent of this workflow writes."
                yield Problem(
                    Code.UNKNOWN_SHARED_KEY,
                    message + did_you_mean(wanted, [*written, *patterns]),
                    node.id,
                    (*node.place, "settings", "context", "read", index),
                    Severity.WARNING,
                )


def _is_written(wanted: str, written: list[str], patterns: list[str]) -> bool:
    if any(granted([wanted], key) for key in written):
        return True
    beginning = wanted.removesuffix("*")
    return any(
        granted([pattern], beginning) or (wanted.endswith("*") and granted([wanted], pattern.removesuffix("*")))
        for pattern in patterns
    )


def _names(node: NodeView, what: str) -> list[str]:
    context = node.settings.get("context")
    found: JSON = context.get(what) if isinstance(context, Mapping) and node.type == "agent" else None
    return [name for name in found if isinstance(name, str)] if isinstance(found, Mapping | list | tuple) else []
