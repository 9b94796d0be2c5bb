"""A real host in a thread of the test's process, for suites that want runs to move. The database must be a committed
one:

    pytestmark = pytest.mark.django_db(transaction=True)

    def test_it(engine):
        run = start_run(...)
        engine.wait_for(run, "completed")

`engine` is one host; `start_engine(plan)` makes more (fixtures of conftest.py). `start` starts a run of a bare
definition.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import psycopg
from django.db import connection, connections

from orchestration.host import Host, Plan, work_on
from orchestration.models import Definition, NodeRun, Run, RunEvent
from orchestration.services.new_runs import NewRun, start_run
from portal.core.actors import Actor
from portal.core.models import Organisation
from tests.histories.stored import keep_new

JSON = Any

PATIENCE = 60.0
"""Seconds that anything may take, at least. A bound is there to end the test of what never comes; one that a busy
machine could reach by being slow would fail tests by chance. What must *not* be waited for lasts much longer."""


class EngineHost:
    """`host` is replaced should others take it for dead; `plan` says how it works."""

    def __init__(self, plan: Plan | None = None) -> None:
        self.plan = plan or Plan(drain_seconds=1.0)
        self.host: Host | None = None
        self.error: BaseException | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self._work, name="engine-host", daemon=True)

    def start(self) -> EngineHost:
        self._thread.start()
        wait_until(lambda: self.error or (self.host and self.host.host_id), PATIENCE, "the host to begin")
        return self

    def _work(self) -> None:
        try:
            with asyncio.Runner() as runner:
                self._loop = runner.get_loop()
                runner.run(work_on(self.plan, began=self._began))
        except BaseException as error:
            self.error = error
        finally:
            connections.close_all()

    def _began(self, host: Host) -> None:
        self.host = host

    def stop(self) -> None:
        if self._thread.is_alive() and self._loop and self.host:
            self._loop.call_soon_threadsafe(self.host.stop)
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive(), "the host does not end"
        if self.error:
            raise self.error

    def call(self, function: Callable[[Host], Any]) -> Any:
        """Run `function(host)` in the host's loop."""
        assert self._loop and self.host

        async def run() -> Any:
            return function(self.host)  # type: ignore[arg-type]

        return asyncio.run_coroutine_threadsafe(run(), self._loop).result(PATIENCE)

    def wait_for(self, run: Run, *statuses: str, seconds: float = PATIENCE) -> Run:
        """The run once it has one of the statuses (`completed` if none is named)."""
        wanted = statuses or ("completed",)

        def there() -> bool:
            if self.error:
                raise self.error
            run.refresh_from_db()
            return run.status in wanted

        wait_until(there, seconds, lambda: f"{wanted}; the run is {run.status}: {run.error or run.incident}")
        return run

    def wait_for_node(self, run: Run, node: str, *statuses: str, path: str = "", seconds: float = PATIENCE) -> NodeRun:
        wanted = statuses or ("succeeded",)

        def there() -> NodeRun | None:
            return NodeRun.objects.filter(run=run, node=node, path=path, status__in=wanted).first()

        found: NodeRun = wait_until(there, seconds, f"{node} to be {wanted}")
        return found


def wait_until(ask: Callable[[], Any], seconds: float, what: str | Callable[[], str]) -> Any:
    """The first answer that is true. `seconds` counts where it is more than PATIENCE."""
    seconds = max(seconds, PATIENCE)
    end = time.monotonic() + seconds
    while not (answer := ask()):
        if time.monotonic() > end:
            raise AssertionError(f"waited {seconds:g} s for {what() if callable(what) else what}")
        time.sleep(0.01)
    return answer


def starting() -> Iterator[Callable[..., EngineHost]]:
    """Of the fixture `start_engine`."""
    started: list[EngineHost] = []

    def begin(plan: Plan | None = None) -> EngineHost:
        started.append(EngineHost(plan).start())
        return started[-1]

    yield begin
    for engine in started:
        engine.stop()
    keep_new()


# -- definitions and runs ---------------------------------------------------------------------------------------------


def make_definition(
    nodes: Sequence[dict[str, JSON]], edges: Sequence[str | dict[str, JSON]] = (), **more: JSON
) -> Definition:
    """Edges may be written `a -> b` or `a:port -> b`."""
    body = {
        "format": "ensemble.workflow/1",
        "name": "Test",
        "inputs": {"type": "object"},
        "nodes": [{"settings": {}, **node} for node in nodes],
        "edges": [_edge(edge) if isinstance(edge, str) else edge for edge in edges],
        **more,
    }
    digest = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
    return Definition.objects.get_or_create(digest=digest, defaults={"body": body})[0]


def _edge(text: str) -> dict[str, str]:
    source, target = (part.strip() for part in text.split("->"))
    node, _, port = source.partition(":")
    return {"source": node, "port": port or "out", "target": target}


def start(
    organisation: Organisation, definition: Definition, inputs: dict[str, JSON] | None = None, **more: Any
) -> Run:
    return start_run(
        NewRun(organisation=organisation, actor=Actor.command(), definition=definition, inputs=inputs or {}, **more)
    )


def event_types(run: Run) -> list[str]:
    return [
        f"{type} {node}{f'[{path}]' if path else ''}".strip()
        for type, node, path in RunEvent.objects.filter(run=run).order_by("seq").values_list("type", "node", "path")
    ]


def raw_connection() -> psycopg.Connection[Any]:
    """A connection of its own to the test's database, in autocommit."""
    connection.ensure_connection()
    from orchestration.store.connecting import connect

    return connect("test")
