"""Identity of a node run within its run: its node, and the iterations of the loops around it."""

from __future__ import annotations

NodeId = str
Path = tuple[int, ...]
"""Iteration indexes of the loops around a node, outermost first. `()` outside of any loop."""
Key = tuple[NodeId, Path]
"""Identity of a node run within its run."""


def path_text(path: Path) -> str:
    return ".".join(map(str, path)) if path else ""


def path_of(text: str) -> Path:
    return tuple(map(int, text.split("."))) if text else ()
