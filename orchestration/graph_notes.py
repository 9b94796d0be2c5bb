"""The small words on the nodes of a drawing: which agent, by which rule a join starts, what a loop goes by."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from orchestration.definition import joins

JSON = Any


def note(node: Mapping[str, JSON], label: str, branches: int) -> str:
    """Below the name of a node that `branches` edges lead to: `rfp-analyst`, `Join · 2 of 3`, `any · rfp-analyst`."""
    settings = node.get("settings") or {}
    match node["type"]:
        case "agent" if settings.get("agent"):
            label = str(settings["agent"])
        case "break":
            label = f"{label} · ends the loop"
    join = node.get("join")
    rule = joins.words(join if isinstance(join, Mapping) else {}, branches)
    if node["type"] == "join":
        return f"{label} · {rule or 'all'}"
    return f"{rule} · {label}" if rule else label


def loop_note(node: Mapping[str, JSON], room: int) -> str:
    """At the head of a loop with room for so many letters: `for each`, `each, 5 at once`, `while vars.score < 3`."""
    settings = node.get("settings") or {}
    if condition := str(settings.get("while") or "").strip():
        told = f"while {condition.removeprefix('{{').removesuffix('}}').strip()}"
        return told if len(told) <= room else "while"
    return f"each, {settings.get('limit', 5)} at once" if settings.get("mode") == "parallel" else "for each"
