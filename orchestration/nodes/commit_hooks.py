"""Rows of others that must become true in the same commit as an event: requests, child runs, a parent's signal.

    @in_commit_of(RunCompleted, RunFailed, RunCancelled)
    def tell_the_parent(connection, run, events): ...

The store's writer calls a hook inside the transaction that records `events` (of one run, in their order), after the
fence has let the run's row through. A hook must be quick and uses plain SQL on the given connection: a model's `save`
would be another connection's. Hooks are registered in any app's `nodes` package or module. What concerns the nodes of
one type only is the type's own `in_commit`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import psycopg

    from orchestration.engine.events import Event
    from orchestration.nodes.base import RunFacts

Hook = Callable[["psycopg.Connection[Any]", "RunFacts", Sequence[Any]], None]
"""(connection, run, events of the kinds it was registered for)"""

_HOOKS: dict[type[Event], list[Hook]] = {}


def in_commit_of(*kinds: type[Event]) -> Callable[[Hook], Hook]:
    """Decorator: call the function with those events of a commit that are of one of these kinds, if there are any."""

    def register(hook: Hook) -> Hook:
        for kind in kinds:
            _HOOKS.setdefault(kind, []).append(hook)
        return hook

    return register


def hooks_of(events: Iterable[Event]) -> dict[Hook, list[Event]]:
    """Which hooks these events call, each with its own of them."""
    found: dict[Hook, list[Event]] = {}
    for event in events:
        for hook in _HOOKS.get(type(event), ()):
            found.setdefault(hook, []).append(event)
    return found
