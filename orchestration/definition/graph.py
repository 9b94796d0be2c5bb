"""The shape of the graph: ports, borders of loops, cycles, what can be reached, joins that can never fire."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from orchestration.definition import joins, loops
from orchestration.definition.problems import Code, Problem, Severity, did_you_mean
from orchestration.definition.view import EdgeView, NodeView, View
from orchestration.nodes.base import NodeType

ERROR_PORT = "error"


def check(view: View, types: Mapping[str, NodeType]) -> Iterator[Problem]:
    ports = {node.id: ports_of(node, types) for node in view.nodes.values()}
    yield from _edges(view, ports)
    yield from _containers(view, types)
    cycles = list(find_cycles(view))
    for cycle in cycles:
        yield _cycle(view, cycle)
    yield from _reach(view, ports, {node for cycle in cycles for node in cycle})
    yield from loops.check(view)
    yield from joins.check(view, acyclic=not cycles)
    yield from _approvals(view, types)


def ports_of(node: NodeView, types: Mapping[str, NodeType]) -> tuple[str, ...] | None:
    """Every port edges may leave from; None when the type is unknown or its settings are too broken to tell."""
    if node.type not in types:
        return None
    try:
        return (*types[node.type].ports(node.settings), ERROR_PORT)
    except (TypeError, KeyError, AttributeError, ValueError):
        return None


def _edges(view: View, ports: Mapping[str, tuple[str, ...] | None]) -> Iterator[Problem]:
    seen: set[tuple[str, str, str]] = set()
    for edge in view.edges:
        source, target = view.nodes.get(edge.source), view.nodes.get(edge.target)
        key = (edge.source, edge.port, edge.target)
        if key in seen:
            message = f"The edge from {edge.source} ({edge.port}) to {edge.target} is there twice."
            yield Problem(Code.DUPLICATE_EDGE, message, edge.source, edge.place)
        seen.add(key)
        if source is None or target is None:
            continue
        if source.parent != target.parent:
            yield _across(view, edge, source, target)
        known = ports[source.id]
        if known is not None and edge.port not in known:
            yield _unknown_port(edge, source, known)


def _unknown_port(edge: EdgeView, source: NodeView, known: tuple[str, ...]) -> Problem:
    there = f"It has {', '.join(known)}." if len(known) > 1 else "It has only the port error."
    message = f"{source.id} has no port {edge.port}.{did_you_mean(edge.port, known)} {there}"
    return Problem(Code.UNKNOWN_PORT, message, source.id, (*edge.place, "port"))


def _across(view: View, edge: EdgeView, source: NodeView, target: NodeView) -> Problem:
    if target.parent == source.id:
        why = f"Nodes of a loop start by themselves: {target.id} needs no edge from {source.id}."
    elif source.parent == target.id:
        why = f"A loop goes on by itself when its nodes have ended: {source.id} needs no edge to {target.id}."
    elif source.parent:
        why = f"Leave the loop by an edge from {source.parent}."
    else:
        why = f"Enter the loop by an edge to {target.parent}."
    message = f"The edge from {edge.source} to {edge.target} crosses the border of a loop. {why}"
    return Problem(Code.EDGE_ACROSS_LOOP, message, edge.source, edge.place)


def _containers(view: View, types: Mapping[str, NodeType]) -> Iterator[Problem]:
    for node in view.nodes.values():
        if node.type in types and types[node.type].container and not view.bodies.get(node.id):
            message = f"The loop {node.id} has no nodes in it: set their parent to {node.id!r}."
            yield Problem(Code.EMPTY_CONTAINER, message, node.id, node.place)


# Cycles


def find_cycles(view: View) -> Iterator[list[str]]:
    """One cycle out of each knot of nodes that reach each other, starting at the node that comes first."""
    for knot in _knots(view):
        inside = set(knot)
        start = min(knot, key=lambda node: view.nodes[node].index)
        yield _shortest_way_round(view, start, inside)


def _knots(view: View) -> Iterator[list[str]]:
    """Strongly connected components with a cycle in them (Tarjan 1972, without recursion)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    on_stack: set[str] = set()
    stack: list[str] = []
    for root in view.nodes:
        if root in index:
            continue
        work: list[tuple[str, Iterator[EdgeView]]] = [(root, iter(view.outgoing[root]))]
        index[root] = low[root] = len(index)
        stack.append(root)
        on_stack.add(root)
        while work:
            node, edges = work[-1]
            target = next((edge.target for edge in edges), None)
            if target is None:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[node])
                if low[node] == index[node]:
                    knot = _pop_until(stack, on_stack, node)
                    if len(knot) > 1 or any(edge.target == node for edge in view.outgoing[node]):
                        yield knot
            elif target not in index:
                index[target] = low[target] = len(index)
                stack.append(target)
                on_stack.add(target)
                work.append((target, iter(view.outgoing[target])))
            elif target in on_stack:
                low[node] = min(low[node], index[target])


def _pop_until(stack: list[str], on_stack: set[str], node: str) -> list[str]:
    found = []
    while True:
        found.append(stack.pop())
        on_stack.discard(found[-1])
        if found[-1] == node:
            return found


def _shortest_way_round(view: View, start: str, inside: set[str]) -> list[str]:
    came_from: dict[str, str] = {}
    level = [start]
    while level:
        following = []
        for node in level:
            for edge in view.outgoing[node]:
                if edge.target == start:
                    way = [node]
                    while way[-1] != start:
                        way.append(came_from[way[-1]])
                    return way[::-1]
                if edge.target in inside and edge.target not in came_from:
                    came_from[edge.target] = node
                    following.append(edge.target)
        level = following
    raise ValueError(f"{start} is on no cycle.")


def _cycle(view: View, cycle: list[str]) -> Problem:
    last = view.nodes[cycle[-1]]
    edge = next(edge for edge in view.outgoing[last.id] if edge.target == cycle[0])
    way = " → ".join([*cycle, cycle[0]])
    message = f"These nodes wait for each other: {way}. Repeat with a loop instead."
    return Problem(Code.CYCLE, message, cycle[0], edge.place)


# What can be reached


def _reach(view: View, ports: Mapping[str, tuple[str, ...] | None], on_cycle: set[str]) -> Iterator[Problem]:
    """A node starts by itself if no edge leads to it; else an edge must come alive: from a port there is, of a node
    that
    can be reached."""
    unreachable: set[str] = set()
    for body in view.bodies.values():
        reached = {node.id for node in body if not view.incoming[node.id]}
        stack = list(reached)
        while stack:
            node = stack.pop()
            known = ports[node]
            for edge in view.outgoing[node]:
                if edge.target not in reached and (known is None or edge.port in known):
                    reached.add(edge.target)
                    stack.append(edge.target)
        connected = {end for edge in view.links for end in (edge.source, edge.target)}
        alone = [node for node in body if node.id not in connected and not _stands_aside(view, node)]
        unreachable |= {node.id for node in body if node.id not in reached}
        if len(alone) < sum(not _stands_aside(view, node) for node in body):
            yield from map(_unconnected, alone)
    for name in sorted(unreachable - on_cycle, key=lambda name: view.nodes[name].index):
        yield _unreachable(view, view.nodes[name], unreachable)


def _stands_aside(view: View, node: NodeView) -> bool:
    """No part of the normal flow, and not meant to be."""
    return node.id in view.undoes or node.type == "error_handler"


def _unconnected(node: NodeView) -> Problem:
    message = f"No edge leads to {node.id} or away from it: it starts at once, beside everything else."
    return Problem(Code.UNCONNECTED, message, node.id, node.place, Severity.WARNING)


def _unreachable(view: View, node: NodeView, unreachable: set[str]) -> Problem:
    sources = [edge.source for edge in view.incoming[node.id]]
    if all(source in unreachable for source in sources):
        why = f"it waits for {_some(sources)}, which can never run either"
    else:
        why = f"no edge from {_some(sources)} can come alive"
    return Problem(Code.UNREACHABLE, f"{node.id} can never run: {why}.", node.id, node.place)


def _some(names: Iterable[str]) -> str:
    listed = list(dict.fromkeys(names))
    return ", ".join(listed[:3]) + (" …" if len(listed) > 3 else "")


# Approvals


def _approvals(view: View, types: Mapping[str, NodeType]) -> Iterator[Problem]:
    """Warn where a path leads round an approval.

    A node that the approval leads to also runs without it when another live edge leads to it: an edge that is dead
    does not hold a node up. Ways that a condition before the approval has parted on purpose (it asks in doubtful
    cases only) are not meant, and neither are approvals whose other options fail the run.
    """
    for node in view.nodes.values():
        if node.type != "approval":
            continue
        yield from _error_path(view, node)
        behind = _reached_from([edge.target for edge in view.outgoing[node.id]], view, frozenset())
        parting = frozenset(
            item for item in view.ancestors[node.id] if len(ports_of(view.nodes[item], types) or ("", "")) > 2
        )
        body = view.bodies.get(node.parent if node.parent in view.nodes else None, [])
        starts = [item.id for item in body if not view.incoming[item.id] and item.id != node.id]
        beside = _reached_from(starts, view, parting | {node.id}) - behind - parting - {node.id}
        for name in sorted(behind, key=lambda name: view.nodes[name].index):
            target = view.nodes[name]
            if target.type == "fail":
                continue  # to fail needs no leave
            others = [edge.source for edge in view.incoming[name] if edge.source in beside]
            if others and (target.join_rule != "all" or not _others_fail(view, node, name)):
                message = (
                    f"{name} also runs when {node.id} decides otherwise: {_some(others)} leads to it, round "
                    "the approval. "
                    f"Let the other options of {node.id} lead to a fail node, or put {_some(others)} before it."
                )
                yield Problem(Code.APPROVAL_BYPASSED, message, name, target.place, Severity.WARNING)


def _others_fail(view: View, approval: NodeView, target: str) -> bool:
    """Whether every decision that does not lead on to `target` leads to a node that fails the run."""
    by_port: dict[str, list[str]] = {}
    for edge in view.outgoing[approval.id]:
        by_port.setdefault(edge.port, []).append(edge.target)
    options = approval.settings.get("options")
    listed = [o.get("port") for o in options if isinstance(o, Mapping)] if isinstance(options, list) else []
    for port in listed or ["approve", "reject"]:
        ends = by_port.get(str(port), [])
        leads_on = target in _reached_from(ends, view, frozenset())
        if not leads_on and not any(view.nodes[end].type == "fail" for end in ends):
            return False
    return True


def _error_path(view: View, node: NodeView) -> Iterator[Problem]:
    """The error port of an approval that leads to where an option leads: no decision, and on it goes."""
    decided = {edge.target for edge in view.outgoing[node.id] if edge.port != ERROR_PORT}
    for edge in view.outgoing[node.id]:
        if edge.port == ERROR_PORT and edge.target in decided:
            message = f"If {node.id} fails, {edge.target} runs as though it had been decided."
            yield Problem(Code.APPROVAL_BYPASSED, message, node.id, edge.place, Severity.WARNING)


def _reached_from(starts: Iterable[str], view: View, stop_at: frozenset[str]) -> frozenset[str]:
    """Every node that can be reached from `starts`, not going on from those in `stop_at`."""
    found = set(starts)
    stack = list(found)
    while stack:
        node = stack.pop()
        if node in stop_at:
            continue
        for edge in view.outgoing[node]:
            if edge.target not in found:
                found.add(edge.target)
                stack.append(edge.target)
    return frozenset(found)
