"""Rows of others that must become true in the same commit as an event: requests, child runs, a parent's signal.

    @in_commit_of(RunCompleted, RunFailed, RunCancelled)
    def tell_the_parent(connection, run, events): ...

The store's writer calls a hook inside the transaction that records `events` (of one run, in their order), after the
fence has let the run's row through. A hook must be quick and uses plain SQL on the given connection: a model's `save`
would be another connection's. Hooks are registered in any app's `nodes` package or module. What concerns the nodes of
one type only is the type's own `in_commit`.

**Locks.** The transaction holds the rows of all the runs of its batch. A hook that locks the row of yet another run
could wait for a second host's batch that waits for the first, so such hooks say `alone`: their checkpoint is then a
transaction of its own, which holds one run and waits for others, and runs form trees. What is left (a parent that
cancels a child that ends at that moment) PostgreSQL breaks, and the writer tries again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import psycopg

    from orchestration.engine.events import Event
    from orchestration.nodes.base import RunFacts

Hook = Callable[["psycopg.Connection[Any]", "RunFacts", Sequence[Any]], None]
"""(connection, run, events of the kinds it was registered for)"""


@dataclass(frozen=True, slots=True)
class Registered:
    hook: Hook
    when: Callable[[RunFacts], bool]
    about: Callable[[Any], bool]
    alone: bool


_HOOKS: dict[type[Event], list[Registered]] = {}


def in_commit_of(
    *kinds: type[Event],
    when: Callable[[RunFacts], bool] = lambda run: True,
    about: Callable[[Any], bool] = lambda event: True,
    alone: bool = False,
) -> Callable[[Hook], Hook]:
    """Decorator: call the function with those events of a commit that are of one of these kinds, if there are any.

    when, about: only for runs, and only with events, of which this holds; the commit of others costs nothing more.
    """

    def register(hook: Hook) -> Hook:
        for kind in kinds:
            _HOOKS.setdefault(kind, []).append(Registered(hook, when, about, alone))
        return hook

    return register


def hooks_of(run: RunFacts, events: Iterable[Event]) -> dict[Registered, list[Event]]:
    """Which hooks these events call, each with its own of them."""
    found: dict[Registered, list[Event]] = {}
    for event in events:
        for registered in _HOOKS.get(type(event), ()):
            if registered.when(run) and registered.about(event):
                found.setdefault(registered, []).append(event)
    return found
