"""Hosts of the store's tests: a desk, a writer and a lock, but no driving."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from asgiref.sync import sync_to_async

from orchestration.engine.events import Event, NodeStarted, NodeSucceeded, RunStarted
from orchestration.models import Run
from orchestration.store import Checkpoint, Desk, Lease, LetGo, Writer
from orchestration.store.checkpoints import NodeRunRow, RunRow
from orchestration.store.registry import Registration
from tests.engine_host import make_definition, start
from tests.factories import make_organisation


class StoreHost:
    def __init__(self, registration: Registration, desk: Desk, writer: Writer) -> None:
        self.registration, self.desk, self.writer = registration, desk, writer
        self.host_id = registration.host_id

    async def claim_one(self) -> Lease:
        (lease,) = await self.desk.claim(1)
        return lease


@asynccontextmanager
async def a_host() -> AsyncIterator[StoreHost]:
    registration = await Registration.begin()
    desk = await Desk.open(registration.host_id)
    writer = Writer(registration.host_id)
    writer.start()
    try:
        yield StoreHost(registration, desk, writer)
    finally:
        writer.close()
        await desk.close()
        await registration.close()


@sync_to_async
def a_run(**more: Any) -> Run:
    definition = make_definition([{"id": "a", "type": "fail", "settings": {"message": "x"}}])
    return start(make_organisation(), definition, **more)


@sync_to_async
def fresh(run: Run) -> Run:
    run.refresh_from_db()
    return run


def checkpoint(lease: Lease, *events: Event, before: int = 0, let_go: LetGo | None = None, **more: Any) -> Checkpoint:
    row = {"status": "running", "nodes_total": 1, "nodes_ended": 0, "started_at": lease.at} | more.pop("run", {})
    return Checkpoint(lease=lease, before=before, run=RunRow(**row), events=events, let_go=let_go, **more)


def begun(lease: Lease) -> Checkpoint:
    return checkpoint(
        lease,
        RunStarted(at=lease.at, inputs={}),
        NodeStarted(at=lease.at, node="a", attempt=1),
        node_runs=[node_row("a", "running")],
    )


def succeeded(lease: Lease, outputs: Any = None, **more: Any) -> Checkpoint:
    event = NodeSucceeded(at=lease.at, node="a", outputs=outputs)
    return checkpoint(
        lease, event, before=2, node_runs=[node_row("a", "succeeded", outputs=outputs)], progress=True, **more
    )


def node_row(node: str, status: str, **more: Any) -> NodeRunRow:
    return NodeRunRow(node=node, path="", type="fail", name=node, status=status, attempts=1, port="", **more)
