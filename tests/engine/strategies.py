"""Any valid definition, and any course a run of it can take."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

from hypothesis import strategies as st

from tests.engine.definitions import Definition

Draw = Callable[[st.SearchStrategy[Any]], Any]
TYPES = ["work"] * 5 + ["branch", "join", "parallel", "ask", "delay", "event"]
INSIDE = [*TYPES, "break", "break"]
PORTS = {
    "break": [],
    "work": ["out"],
    "branch": ["true", "false"],
    "join": ["out"],
    "ask": ["yes", "no"],
    "delay": ["out"],
    "event": ["out", "timeout"],
    "parallel": ["out"],
}
MOST_NODES = 7
DEEPEST = 3


@st.composite
def definitions(draw: Draw) -> Definition:
    """Graphs without cycles: branches, joins of every rule, error ports, optional nodes, waits, nested loops, breaks.

    The few numbers drawn here say how large it is, a random source fills in the rest: that is some ten times as fast as
    drawing every field, and a failing case still shrinks in size.
    """
    size, *inner_sizes = draw(st.lists(st.integers(1, MOST_NODES), min_size=1, max_size=5))
    garden = Garden(Random(draw(st.integers(0, 2**32))), inner_sizes)
    garden.undo_rate = garden.random.choice([0, 0.2, 0.5])
    garden.grow(None, 0, size)
    choice = garden.random.choice
    return {
        "nodes": garden.nodes,
        "edges": garden.edges,
        "settings": {
            "max_parallel": choice([1, 2, 10]),
            "timeout_seconds": choice([None] * 4 + [50]),
            "on_failure": choice(["fail", "fail", "continue"]),
        },
    }


@dataclass
class Garden:
    random: Random
    inner_sizes: list[int]
    """How many nodes the loops have inside, each used once."""
    undo_rate: float = 0.0
    nodes: list[dict[str, Any]] = field(default_factory=list)
    edges: list[dict[str, Any]] = field(default_factory=list)

    def grow(self, parent: str | None, depth: int, size: int) -> None:
        body: list[dict[str, Any]] = []
        is_braid = size > 2 and self.random.random() < 0.5
        for _ in range(size):
            is_loop = bool(self.inner_sizes) and depth < DEEPEST and self.random.random() < 0.4
            raw = _node(self.random, f"n{len(self.nodes)}", parent, loop=is_loop)
            self.nodes.append(raw)
            if not is_braid:
                for source in body:
                    self._connect(source, raw)
            body.append(raw)
            if is_loop:
                self.grow(raw["id"], depth + 1, self.inner_sizes.pop())
        if is_braid:
            self._braid(body)
        if self.random.random() < 0.2:
            body += self._handler(parent)
        for raw in body:
            if self.random.random() < self.undo_rate:
                self._undo(raw)

    def _handler(self, parent: str | None) -> list[dict[str, Any]]:
        """An error handler and a node behind it."""
        handler = _node(self.random, f"n{len(self.nodes)}", parent, loop=False)
        handler |= {"type": "error_handler", "settings": {"then": self.random.choice(["fail", "complete"])}}
        behind = _node(self.random, f"n{len(self.nodes) + 1}", parent, loop=False) | {"join": None}
        self.nodes += [handler, behind]
        self.edges.append({"source": handler["id"], "port": "out", "target": behind["id"]})
        return [handler, behind]

    def _undo(self, raw: dict[str, Any]) -> None:
        undo = _node(self.random, f"n{len(self.nodes)}", raw["parent"], loop=False) | {"type": "work", "join": None}
        raw["compensate_with"] = undo["id"]
        self.nodes.append(undo)

    def _braid(self, body: list[dict[str, Any]]) -> None:
        """Strands of one or more nodes that all lead to the last: what joins are for."""
        *strands, join = body
        join["join"] |= {
            "rule": self.random.choice(["first_success", "first_success", "n_of_m", "all_settled", "any"]),
            "count": self.random.randint(1, max(1, len(strands) - 1)),
        }
        targets = [(join if self.random.random() < 0.6 else following) for following in strands[1:]] + [join]
        for source, target in zip(strands, targets, strict=True):
            ports = PORTS.get(source["type"], ["out"])
            if ports:
                self.edges.append({"source": source["id"], "port": self.random.choice(ports), "target": target["id"]})

    def _connect(self, source: dict[str, Any], target: dict[str, Any]) -> None:
        if self.random.random() < 0.5:
            return
        ports = PORTS.get(source["type"], ["out"]) * 2 + ["error"]
        for port in sorted(set(self.random.sample(ports, min(len(ports), self.random.choice([1, 1, 2]))))):
            self.edges.append({"source": source["id"], "port": port, "target": target["id"]})


def _node(random: Random, id: str, parent: str | None, *, loop: bool) -> dict[str, Any]:
    return {
        "id": id,
        "type": "loop" if loop else random.choice(INSIDE if parent else TYPES),
        "parent": parent,
        "settings": _settings(random, loop),
        "retry": {
            "max_attempts": random.choice([1, 2, 3]),
            "backoff": random.choice(["fixed", "linear", "exponential"]),
            "on": random.choice([[], [], ["special"]]),
        },
        "join": {
            "rule": random.choice(["all", "all", "any", "first_success", "n_of_m", "n_of_m", "all_settled"]),
            "count": random.choice([1, 2, 2, 3]),
            "losers": random.choice(["cancel", "finish", "ignore"]),
        },
        "timeout_seconds": random.choice([None] * 4 + [5]),
        "total_timeout_seconds": random.choice([None] * 6 + [7]),
        "optional": random.random() < 0.2,
        "priority": random.choice([1, 5, 10]),
        "escalate": {"role": "operator"} if not loop and random.random() < 0.15 else None,
        "delivery": "at_most_once" if random.random() < 0.15 else "at_least_once",
    }


def _settings(random: Random, loop: bool) -> dict[str, Any]:
    if loop:
        return {"on_error": random.choice(["stop", "gap", "leave_out"])}
    return {"alternatives": random.choice([[], [], [], ["second"], ["second", "third"]])}
