"""Where a run stands, folded from its stored events: for plans that pages and services make before anything is done."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from orchestration.engine.apply import apply_all, begin
from orchestration.engine.events import Event, RunMoved
from orchestration.engine.events.rows import Row, from_row
from orchestration.engine.graph import Graph
from orchestration.engine.moving import first_definition
from orchestration.engine.states import RunState
from orchestration.models import Definition, Run, RunEvent
from orchestration.monitoring import history
from orchestration.nodes.base import node_types
from orchestration.store.graphs import graph_of

JSON = Any


@dataclass(frozen=True, slots=True)
class Folded:
    state: RunState
    log: tuple[Event, ...]


def folded(run: Run) -> Folded:
    """The whole log is read: some 10 µs an event. Raises UnknownEvent for a run that newer code has written."""
    with closing(history.event_rows(run)) as rows:
        log = tuple(with_graphs(from_row(_row(row)) for row in rows))
    return Folded(apply_all(begin(graph(began_with(run)), str(run.pk)), log), log)


def began_with(run: Run) -> str:
    """The digest of the definition the run had at first."""
    first = next(iter(history.of(run).events_of({"RunMoved"}, limit=1)), None)
    return run.definition_id if first is None else first_definition([_row(first)], run.definition_id)


def with_graphs(events: Iterable[Event]) -> Iterator[Event]:
    for event in events:
        yield replace(event, graph=graph(event.definition)) if isinstance(event, RunMoved) else event


@lru_cache(maxsize=64)
def graph(digest: str) -> Graph:
    """Definitions never change, so a graph once built is kept."""
    return graph_of(Definition.objects.get(digest=digest).body)


def asks_a_person(of: Graph) -> frozenset[str]:
    """The nodes whose type asks people for a decision."""
    kinds = {kind for kind, found in node_types().items() if found.asks_person}
    return frozenset(node.id for node in of.nodes.values() if node.type in kinds)


def asked_inside(of: Graph, node: str) -> list[str]:
    """Of a node and all that is in its body: those that ask a person."""
    asks = asks_a_person(of)
    return [found for found in (node, *of.inside(node)) if found in asks]


def _row(row: RunEvent) -> Row:
    return Row(row.type, row.at, row.node, row.path, row.data)
