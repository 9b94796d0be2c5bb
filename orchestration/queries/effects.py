"""What runs did to the outside world, and what would happen again if part of a run were done again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from orchestration.models import Effect, Run
from orchestration.monitoring import history

JSON = Any
NodeRunKey = tuple[str, str]
"""Node and path, as rows have them."""

MAY_HAVE_HAPPENED = ("ok", "unknown", "")


@dataclass(frozen=True, slots=True)
class Call:
    """One entry of the ledger, ready for pages, the API and plans."""

    node: str
    path: str
    attempt: int
    number: int
    kind: str
    target: str
    idempotency_key: str
    request: Mapping[str, JSON]
    began_at: datetime
    ended_at: datetime | None
    outcome: str
    """ok | failed | unknown | open"""
    response: Mapping[str, JSON]
    cost_usd: float | None
    maybe_twice: bool
    """The same call (target and idempotency key) was begun more than once, and more than one may have taken effect."""

    @property
    def may_have_happened(self) -> bool:
        return self.outcome != "failed"


def calls(
    run: Run, *, node: str | None = None, path: str | None = None, offset: int = 0, limit: int = 1000
) -> list[Call]:
    """In the order they were begun. Two queries."""
    page = history.of(run).effects(node=node, path=path, offset=offset, limit=limit)
    twice = _twice(run, {row.idempotency_key for row in page})
    return [_call(row, _identity(row) in twice) for row in page]


def count(run: Run) -> int:
    return history.of(run).effect_count()


def _twice(run: Run, keys: Collection[str]) -> set[tuple[str, str, str]]:
    times = Counter(history.of(run).calls(keys, MAY_HAVE_HAPPENED))
    return {call for call, number in times.items() if number > 1}


def _identity(row: Effect) -> tuple[str, str, str]:
    return (row.kind, row.target, row.idempotency_key)


def _call(row: Effect, maybe_twice: bool) -> Call:
    return Call(
        node=row.node,
        path=row.path,
        attempt=row.attempt,
        number=row.number,
        kind=row.kind,
        target=row.target,
        idempotency_key=row.idempotency_key,
        request=row.request or {},
        began_at=row.began_at,
        ended_at=row.ended_at,
        outcome=row.outcome or "open",
        response=row.response or {},
        cost_usd=None if row.cost_usd is None else float(row.cost_usd),
        maybe_twice=maybe_twice and row.outcome in MAY_HAVE_HAPPENED,
    )


@dataclass(frozen=True, slots=True)
class NodeRunFact:
    node: str
    path: str
    status: str


@dataclass(frozen=True, slots=True)
class Consequence:
    """One node run, and the calls it made that took effect or may have."""

    node: str
    path: str
    calls: tuple[Call, ...]


@dataclass(frozen=True, slots=True)
class Consequences:
    """Of doing part of a run again."""

    reused: tuple[Consequence, ...]
    """Results that are taken over: their calls are not made again."""
    again: tuple[Consequence, ...]
    """What is done anew: its earlier calls may happen a second time."""


def consequences(
    node_runs: Iterable[NodeRunFact],
    made: Iterable[Call],
    is_done_again: Callable[[NodeRunFact], bool],
) -> Consequences:
    """What would be reused and what would happen again. Pure.

    is_done_again: which node runs a plan does anew. Those that nothing has happened to, or that were skipped, are in
    neither list.
    """
    by_node: dict[NodeRunKey, list[Call]] = {}
    for call in made:
        if call.may_have_happened:
            by_node.setdefault((call.node, call.path), []).append(call)
    reused: list[Consequence] = []
    again: list[Consequence] = []
    for fact in node_runs:
        if fact.status in ("pending", "skipped"):
            continue
        found = Consequence(fact.node, fact.path, tuple(by_node.get((fact.node, fact.path), ())))
        (again if is_done_again(fact) else reused).append(found)
    return Consequences(tuple(reused), tuple(again))
