"""Joins: rules that can never be met or never matter, and keys without effect."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import combinations

from orchestration.definition.problems import Code, Place, Problem, Severity
from orchestration.definition.schema import COMBINE
from orchestration.definition.view import EdgeView, NodeView, View

_MOST_COMPARED = 16
"""Edges to one join; of more it is not worked out which exclude each other."""
_COMBINE = re.compile(COMBINE)

Needs = Mapping[str, str]
"""By node that chooses a port, the port it must choose for something to come alive."""


def check(view: View, *, acyclic: bool) -> Iterator[Problem]:
    counted = acyclic and any(node.join_rule == "n_of_m" for node in view.nodes.values())
    needs = _needs(view) if counted else {}
    for node in view.nodes.values():
        incoming = view.incoming[node.id]
        if node.type == "join" and not incoming:
            message = f"The join {node.id} can never fire as a join: no edge leads to it."
            yield Problem(Code.JOIN_NEVER_FIRES, message, node.id, node.place)
        if node.join:
            yield from _without_sense(node, incoming)
            yield from _combine(node)
            if node.join_rule == "n_of_m":
                yield from _count(node, incoming, needs)


def _without_sense(node: NodeView, incoming: list[EdgeView]) -> Iterator[Problem]:
    place: Place = (*node.place, "join")
    needs = {"all": 0, "any": 2}.get(node.join_rule, 1)
    if len(incoming) < needs:
        many = "only one edge leads" if incoming else "no edge leads"
        message = f"The rule “{words(node.join)}” of {node.id} never matters: {many} to it."
        yield Problem(Code.JOIN_NEVER_FIRES, message, node.id, place, Severity.WARNING)
    if node.join.get("count") is not None and node.join_rule != "n_of_m":
        message = f"The count of {node.id} has no effect: it belongs to the rule n_of_m."
        yield Problem(Code.NOT_IN_EFFECT, message, node.id, (*place, "count"), Severity.WARNING)


def _combine(node: NodeView) -> Iterator[Problem]:
    combine, place = node.join.get("combine"), (*node.place, "join", "combine")
    if not isinstance(combine, str):
        return
    if not _COMBINE.match(combine):
        message = f"combine must be object, list or one {{{{ expression }}}}, but is {combine[:60]!r}."
        yield Problem(Code.INVALID_VALUE, message, node.id, place)
    elif node.type != "join":
        message = (
            f"combine has no effect on {node.id}: only join nodes combine. "
            "Its expressions find the branches under the name branches."
        )
        yield Problem(Code.NOT_IN_EFFECT, message, node.id, place, Severity.WARNING)
    elif node.settings.get("outputs"):
        message = f"combine has no effect on {node.id}: its setting outputs says what is passed on."
        yield Problem(Code.NOT_IN_EFFECT, message, node.id, place, Severity.WARNING)


def _count(node: NodeView, incoming: list[EdgeView], needs: Mapping[str, Needs]) -> Iterator[Problem]:
    count, place = node.join.get("count"), (*node.place, "join")
    if count is None:
        message = f"The rule n_of_m of {node.id} needs the key count: how many branches must come."
        yield Problem(Code.MISSING_KEY, message, node.id, (*place, "count"))
    elif isinstance(count, int) and incoming and count > len(incoming):
        edges = "1 edge leads" if len(incoming) == 1 else f"{len(incoming)} edges lead"
        message = f"{node.id} can never fire: {count} branches must come, but only {edges} to it."
        yield Problem(Code.JOIN_NEVER_FIRES, message, node.id, (*place, "count"))
    elif isinstance(count, int) and needs and len(incoming) <= _MOST_COMPARED:
        most = _most(incoming, needs, count)
        if most < count:
            message = (
                f"{node.id} can never fire: {count} branches must come, but at most {most} can in the same run, "
                "because a node before them chooses one way."
            )
            yield Problem(Code.JOIN_NEVER_FIRES, message, node.id, (*place, "count"))


# Which edges exclude each other


def _needs(view: View) -> dict[str, Needs]:
    """For each node, the ports that nodes before it must choose, whichever way leads to it. The graph has no cycles."""
    found: dict[str, Needs] = {}
    for name in sorted(view.nodes, key=lambda name: len(view.ancestors[name])):  # ancestors come first
        ways = [_needs_of(edge, found) for edge in view.incoming[name]]
        found[name] = dict(set.intersection(*(set(way.items()) for way in ways))) if ways else {}
    return found


def _needs_of(edge: EdgeView, found: Mapping[str, Needs]) -> dict[str, str]:
    return {**found[edge.source], edge.source: edge.port}


def _most(incoming: list[EdgeView], needs: Mapping[str, Needs], count: int) -> int:
    """How many of the edges can be live in the same run; of more than `count` it is not asked."""
    ways = [_needs_of(edge, needs) for edge in incoming]
    excluded = {
        (one, other)
        for one, other in combinations(range(len(ways)), 2)
        if any(ways[other].get(node, port) != port for node, port in ways[one].items())
    }
    for size in range(count, 1, -1):
        for chosen in combinations(range(len(ways)), size):
            if excluded.isdisjoint(combinations(chosen, 2)):
                return size
    return 1


# In words


def words(join: Mapping[str, object], branches: int | None = None) -> str:
    """The rule as a drawing shows it: `first success`, `2 of 3`; empty for `all`."""
    match join.get("rule"):
        case "n_of_m":
            return f"{join.get('count') or '?'} of {branches if branches is not None else 'm'}"
        case "any" | "first_success" | "all_settled" as rule:
            return rule.replace("_", " ")
    return ""
