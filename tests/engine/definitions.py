"""Short words for definitions in tests: `define(node("a"), node("b"), "a > b", "a:error > c")`."""

from __future__ import annotations

from typing import Any

Definition = dict[str, Any]


def node(id: str, type: str = "work", **fields: Any) -> dict[str, Any]:
    return {"id": id, "type": type, **fields}


def edge(text: str) -> dict[str, str]:
    """`source > target` or `source:port > target`."""
    left, target = text.split(" > ")
    source, _, port = left.partition(":")
    return {"source": source, "port": port or "out", "target": target}


def define(*parts: dict[str, Any] | str, **settings: Any) -> Definition:
    """Nodes as dictionaries, edges as text; nodes that only edges name are plain work."""
    nodes = [part for part in parts if isinstance(part, dict)]
    edges = [edge(part) for part in parts if isinstance(part, str)]
    known = {raw["id"] for raw in nodes}
    for named in (id for raw in edges for id in (raw["source"], raw["target"])):
        if named not in known:
            known.add(named)
            nodes.append(node(named))
    return {"nodes": nodes, "edges": edges, "settings": settings}
