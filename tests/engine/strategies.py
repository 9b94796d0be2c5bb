"""Any valid definition, and any course a run of it can take."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

from hypothesis import strategies as st

from tests.engine.definitions import Definition

Draw = Callable[[st.SearchStrategy[Any]], Any]
TYPES = ["work"] * 5 + ["branch", "join", "ask", "delay"]
PORTS = {"work": ["out"], "branch": ["true", "false"], "join": ["out"], "ask": ["yes", "no"], "delay": ["out"]}
MOST_NODES = 6
DEEPEST = 2


@st.composite
def definitions(draw: Draw) -> Definition:
    """Graphs without cycles, with branches, joins of both rules, error ports, optional nodes, waits and nested loops.

    The few numbers drawn here say how large it is, a random source fills in the rest: that is some ten times as fast as
    drawing every field, and a failing case still shrinks in size.
    """
    sizes = draw(st.lists(st.integers(1, MOST_NODES), min_size=1, max_size=4))
    random = Random(draw(st.integers(0, 2**32)))
    nodes: list[dict[str, Any]] = []
    edges: list[dict[str, Any]] = []
    _fill_body(random, None, 0, sizes[0], sizes[1:], nodes, edges)
    return {
        "nodes": nodes,
        "edges": edges,
        "settings": {
            "max_parallel": random.choice([1, 2, 10]),
            "timeout_seconds": random.choice([None] * 4 + [50]),
            "on_failure": random.choice(["fail", "fail", "continue"]),
        },
    }


def _fill_body(
    random: Random,
    parent: str | None,
    depth: int,
    size: int,
    inner_sizes: list[int],
    nodes: list[dict[str, Any]],
    edges: list[dict[str, Any]],
) -> None:
    body: list[dict[str, Any]] = []
    for _ in range(size):
        raw = _node(
            random, f"n{len(nodes)}", parent, loop=bool(inner_sizes) and depth < DEEPEST and random.random() < 0.4
        )
        nodes.append(raw)
        for source in body:
            if random.random() < 0.4:
                ports = [*PORTS.get(source["type"], ["out"]), "error"]
                chosen = random.sample(ports, random.choice([1, 1, 2]))
                edges.extend({"source": source["id"], "port": port, "target": raw["id"]} for port in chosen)
        body.append(raw)
        if raw["type"] == "loop":
            _fill_body(random, raw["id"], depth + 1, inner_sizes.pop(), inner_sizes, nodes, edges)


def _node(random: Random, id: str, parent: str | None, *, loop: bool) -> dict[str, Any]:
    return {
        "id": id,
        "type": "loop" if loop else random.choice(TYPES),
        "parent": parent,
        "settings": {"on_error": random.choice(["stop", "gap", "leave_out"])} if loop else {},
        "retry": {
            "max_attempts": random.choice([1, 2, 3]),
            "backoff": random.choice(["fixed", "linear", "exponential"]),
            "on": random.choice([[], [], ["special"]]),
        },
        "join": {"rule": random.choice(["all", "all", "any"]), "losers": random.choice(["cancel", "finish", "ignore"])},
        "timeout_seconds": random.choice([None] * 4 + [5]),
        "optional": random.random() < 0.2,
        "priority": random.choice([1, 5, 10]),
        "delivery": "at_most_once" if random.random() < 0.15 else "at_least_once",
    }
