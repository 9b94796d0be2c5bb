"""What happened in a run, row by row, wherever it is kept."""

from __future__ import annotations

from collections.abc import Iterator

from orchestration.models import NodeRun, Run, RunEvent

_AT_ONCE = 2_000


def event_rows(run: Run, *, after: int = 0) -> Iterator[RunEvent]:
    """In the order of their numbers, however many."""
    yield from RunEvent.objects.filter(run=run, seq__gt=after).order_by("seq").iterator(_AT_ONCE)


def node_runs(run: Run) -> Iterator[NodeRun]:
    yield from NodeRun.objects.filter(run=run).order_by("id").iterator(_AT_ONCE)
