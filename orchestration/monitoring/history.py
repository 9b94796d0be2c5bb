"""What happened in a run, wherever it is kept: in rows of its own, or packed away. The only reader of ended runs' rows.

    history.of(run).events(after=500, limit=200)

`Rows` asks the database, `Archived` unpacks (`orchestration.retention`); both answer alike. What comes back are model
instances; those of an archived run are in no table, so they are for reading only.
"""

from __future__ import annotations

from collections.abc import Collection, Generator, Iterator, Mapping, Sequence
from typing import Any, Protocol

from orchestration.models import Effect, NodeRun, Run, RunEvent, RunSignal
from orchestration.monitoring.archived import Archived
from orchestration.monitoring.rows import Rows

JSON = Any
Call = tuple[str, str, str]
"""Kind, target and idempotency key of an effect."""


class History(Protocol):
    """Of one run. Events in the order of their numbers, node runs in the order they were made."""

    def events(self, *, after: int = 0, limit: int | None = None) -> Iterator[RunEvent]: ...

    def events_at(self, node: str, path: str, types: Collection[str]) -> Sequence[RunEvent]:
        """Of one node run. A loop's own has an event for each iteration, so callers say which they want."""

    def events_of(self, types: Collection[str], *, after: int = 0, limit: int | None = None) -> Sequence[RunEvent]: ...

    def last_events_of(self, types: Collection[str], limit: int) -> Sequence[RunEvent]:
        """The newest first."""

    def sharing_events(self, limit: int) -> Sequence[RunEvent]:
        """The last ones that wrote into the shared context: NodeSucceeded with `shared`, RunStarted with `reused`."""

    def node_runs(self, limit: int | None = None) -> Iterator[NodeRun]: ...

    def node_run(self, node: str, path: str) -> NodeRun | None: ...

    def outer_node_runs(self) -> Sequence[NodeRun]:
        """Those outside of loops; inputs and outputs are not read along."""

    def tallies(self) -> Mapping[str, Mapping[str, int]]:
        """{node: {status: how many}} of those inside of loops."""

    def iterations(self, node: str) -> Any:
        """Node runs of a body node: something a Paginator takes."""

    def cost_by_agent(self) -> list[dict[str, JSON]]:
        """[{"agent", "cost", "input", "output", "steps"}], dearest first."""

    def open_signals(self, kinds: Collection[str]) -> Sequence[RunSignal]: ...

    def last_signal(self, kind: str) -> RunSignal | None: ...

    def effects(
        self, *, node: str | None = None, path: str | None = None, offset: int = 0, limit: int | None = None
    ) -> Sequence[Effect]:
        """In the order they were begun."""

    def effect_count(self) -> int: ...

    def calls(self, keys: Collection[str], outcomes: Collection[str]) -> list[Call]:
        """One entry a call with one of these idempotency keys and outcomes."""


def of(run: Run) -> History:
    """Costs nothing by itself. What an archived run's page has unpacked is kept on the run's object."""
    if run.archived_at is None:
        return Rows(run)
    found: Archived = run.__dict__.setdefault("_unpacked", Archived(run))
    return found


def event_rows(run: Run, *, after: int = 0) -> Generator[RunEvent]:
    """In the order of their numbers, however many.

    Whoever may fail half way, and goes on in the same transaction, closes it at once (`contextlib.closing`): a cursor
    that is forgotten later, when its savepoint is gone, ends the transaction.
    """
    yield from of(run).events(after=after)


def node_runs(run: Run) -> Iterator[NodeRun]:
    return of(run).node_runs()
