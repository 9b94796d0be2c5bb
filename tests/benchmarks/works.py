"""The definitions that are measured: the same shapes for the engine and for its peers."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from tests.benchmarks.bench_agents import SLUG

JSON = Any


def _step(id: str, delay: float, **more: JSON) -> dict[str, JSON]:
    return {"id": id, "type": "agent", "settings": {"agent": SLUG, "inputs": {"seconds": delay}}, **more}


def _workflow(name: str, nodes: list[JSON], edges: list[tuple[str, str]], **more: JSON) -> dict[str, JSON]:
    return {
        "format": "ensemble.workflow/1",
        "name": name,
        "nodes": nodes,
        "edges": [{"source": source, "port": "out", "target": target} for source, target in edges],
        "settings": {"max_parallel": 1000},
        **more,
    }


def chain(steps: int, delay: float = 0.0) -> dict[str, JSON]:
    names = [f"s{number}" for number in range(steps)]
    return _workflow(f"Chain of {steps}, {delay:g} s", [_step(name, delay) for name in names], list(pairwise(names)))


def fan(width: int, delay: float) -> dict[str, JSON]:
    """One step, then `width` side by side, then one."""
    inner = [f"b{number}" for number in range(width)]
    nodes = [_step(name, delay) for name in ("first", *inner, "last")]
    edges = [("first", name) for name in inner] + [(name, "last") for name in inner]
    return _workflow(f"One to {width} to one", nodes, edges)


def layers(count: int, width: int) -> dict[str, JSON]:
    """`count` layers of `width` steps; each waits for three of the layer before: three edges a node."""
    nodes, edges = [], []
    for layer in range(count):
        for place in range(width):
            nodes.append(_step(f"n{layer}_{place}", 0.0))
            if layer:
                sources = {(place + shift) % width for shift in (0, 1, 2)}
                edges += [(f"n{layer - 1}_{source}", f"n{layer}_{place}") for source in sorted(sources)]
    return _workflow(f"{count} layers of {width}", nodes, edges)


def loop(items: int) -> dict[str, JSON]:
    """One step an item, one after the other."""
    body = _step("inside", 0.0, parent="each")
    each = {"id": "each", "type": "loop", "settings": {"items": f"range({items})", "output": "{{ loop.index }}"}}
    return _workflow(f"Loop of {items}", [each, body], [])


def sleeping(steps: int, seconds: float) -> dict[str, JSON]:
    """`steps` steps at work side by side, for as long."""
    return _workflow(f"{steps} at work", [_step(f"s{number}", seconds) for number in range(steps)], [])


def waiting() -> dict[str, JSON]:
    """A run that waits for a person."""
    ask = {"id": "ask", "type": "approval", "settings": {"title": "Go on?", "assignee": {"role": "approver"}}}
    return _workflow("Waiting", [ask], [])
