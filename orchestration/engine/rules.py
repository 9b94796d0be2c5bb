"""When a node starts: one function a rule, over what its incoming edges carry.

    all            every edge is decided; dead ones are ignored, a failed one keeps it from starting
    any            the first live edge is there
    first_success  the first live edge is there; if none comes although something was tried, it fails
    n_of_m         so many edges are live; if that cannot come to be any more, it fails
    all_settled    every edge is decided, be it live or failed

If every edge is dead the node is skipped, whatever its rule. No verdict but WAIT is taken back by what other edges turn
out to carry, and the order in which they do makes no difference to it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import NamedTuple


class Verdict(StrEnum):
    WAIT = "wait"
    START = "start"
    SKIP = "skip"
    FAIL = "fail"


class Edges(NamedTuple):
    """How many of a node's incoming edges carry what."""

    open: int
    live: int
    dead: int
    failed: int


def _all(edges: Edges, count: int) -> Verdict:
    if edges.open:
        return Verdict.WAIT
    return Verdict.START if edges.live and not edges.failed else Verdict.SKIP


def _any(edges: Edges, count: int) -> Verdict:
    if edges.live:
        return Verdict.START
    return Verdict.WAIT if edges.open else Verdict.SKIP


def _first_success(edges: Edges, count: int) -> Verdict:
    if edges.live:
        return Verdict.START
    if edges.open:
        return Verdict.WAIT
    return Verdict.FAIL if edges.failed else Verdict.SKIP


def _n_of_m(edges: Edges, count: int) -> Verdict:
    if edges.live >= count:
        return Verdict.START
    if not edges.live and not edges.failed:  # all may yet turn out to be dead
        return Verdict.WAIT if edges.open else Verdict.SKIP
    return Verdict.FAIL if edges.live + edges.open < count else Verdict.WAIT


def _all_settled(edges: Edges, count: int) -> Verdict:
    if edges.open:
        return Verdict.WAIT
    return Verdict.START if edges.live or edges.failed else Verdict.SKIP


RULES: Mapping[str, Callable[[Edges, int], Verdict]] = {
    "all": _all,
    "any": _any,
    "first_success": _first_success,
    "n_of_m": _n_of_m,
    "all_settled": _all_settled,
}
"""By name; the second argument is the join's `count`."""

EARLY: frozenset[str] = frozenset({"any", "first_success", "n_of_m"})
"""Rules that may speak before every edge is decided: what is under way then has lost."""

TAKES_FAILURES: frozenset[str] = frozenset({"first_success", "n_of_m", "all_settled"})
"""Rules that take the failures of their branches upon themselves."""
