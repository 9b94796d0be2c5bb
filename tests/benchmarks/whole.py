"""The whole portal under measurement: `manage.py up` with its own PostgreSQL, Redis, web, engine and jobs.

Runs are started as the command line and the API start them, from another process than the engine's; times are read
from what the engine stored (the database's clock, which is this machine's).
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import psutil

from tests.benchmarks import bench_agents, limit, wire
from tests.portal_process import PortalProcess, data_folder, wait_for

ROOT = Path(__file__).resolve().parents[2]
JSON = Any


class Portal:
    """`organisation` is the demo one. Use inside `whole_portal`."""

    def __init__(self, process: PortalProcess) -> None:
        from portal.core.models import Organisation, User

        self.process = process
        self.organisation = Organisation.objects.get(slug="demo")
        self._admin = User.objects.get(username="admin")
        self._workflows: dict[str, Any] = {}
        self._make_agent()
        self.client = httpx.Client(
            timeout=60, base_url=process.address, headers={"Authorization": f"Bearer {self._token()}"}
        )
        self._wire = wire.Wire(wire.Address.of(process.address))

    @property
    def database_url(self) -> str:
        return self.process.database_url

    def _actor(self) -> Any:
        from portal.core.actors import Actor

        return Actor.command(self._admin)

    def _make_agent(self) -> None:
        from tests.agents.factories import agent, python_draft

        agent(self.organisation, bench_agents.SLUG, python_draft("benchmark_step"))

    def _token(self) -> str:
        from portal.core.services.tokens import create_token

        return create_token(
            organisation=self.organisation, user=self._admin, name="benchmark", actor=self._actor()
        ).text

    def workflow(self, body: dict[str, JSON]) -> Any:
        """Published, made once."""
        from orchestration.services import workflows

        if body["name"] not in self._workflows:
            actor = self._actor()
            made = workflows.create_workflow(organisation=self.organisation, definition=body, actor=actor)
            workflows.publish(workflow=made, actor=actor)
            made.refresh_from_db()
            self._workflows[body["name"]] = made
        return self._workflows[body["name"]]

    def start(self, workflow: Any) -> UUID:
        """As the command line does."""
        from orchestration.services.starting import start_workflow

        run, _ = start_workflow(workflow=workflow, inputs={}, actor=self._actor(), source="cli")
        return run.pk  # type: ignore[no-any-return]

    def start_by_api(self, workflow: Any) -> UUID:
        """By a client that costs next to nothing: httpx takes a millisecond before it sends."""
        headers = {"Authorization": str(self.client.headers["Authorization"])}
        sent = wire.request("POST", "/api/v1/runs", headers, {"workflow": workflow.slug, "inputs": {}})
        return UUID(json.loads(self._wire.ask(sent))["id"])

    def start_batch(self, workflow: Any, count: int) -> list[UUID]:
        """One call of the API that starts them all."""
        body = {"workflow": workflow.slug, "runs": [{"inputs": {}}] * count}
        answer = self.client.post("/api/v1/runs/batch", json=body)
        answer.raise_for_status()
        return [UUID(run["id"]) for run in answer.json()["runs"]]

    def wait(self, runs: Sequence[UUID], seconds: float = 300, pause: float = 0.02) -> None:
        """Until all have ended. Raises AssertionError unless all completed."""
        from django.db import connection

        end = time.monotonic() + seconds
        left = "SELECT count(*) FROM orchestration_run WHERE id = ANY(%s) AND ended_at IS NULL"
        with connection.cursor() as cursor:
            while time.monotonic() < end:
                cursor.execute(left, [list(runs)])
                if not cursor.fetchone()[0]:
                    break
                time.sleep(pause)
            cursor.execute(
                "SELECT count(*), max(error::text) FROM orchestration_run WHERE id = ANY(%s) AND status <> 'completed'",
                [list(runs)],
            )
            failed, error = cursor.fetchone()
        assert not failed, f"{failed} runs did not complete: {error}"

    def ended_at(self, runs: Sequence[UUID]) -> float:
        """When the last of them ended, in seconds of the machine's clock."""
        last = "SELECT extract(epoch FROM max(ended_at)) FROM orchestration_run WHERE id = ANY(%s)"
        return self._one(last, list(runs))

    def step_began_at(self, run: UUID, node: str) -> float:
        """When the body of a step ran: its agent says so in its answer."""
        return self._one(
            "SELECT outputs->>'at' FROM orchestration_noderun WHERE run_id = %s AND node = %s AND path = ''", run, node
        )

    def count(self, statement: str, *arguments: Any) -> int:
        return int(self._one(statement, *arguments))

    def _one(self, statement: str, *arguments: Any) -> float:
        from django.db import connection

        with connection.cursor() as cursor:
            cursor.execute(statement, arguments)
            return float(cursor.fetchone()[0])

    def host_memory(self) -> dict[int, float]:
        """Of each process that drives runs: what is its own and its share of what it shares (PSS), in MB."""
        return {pid: psutil.Process(pid).memory_full_info().pss / 1e6 for pid in self.process.engine_hosts()}


@contextmanager
def whole_portal(**environment: str) -> Iterator[Portal]:
    """A fresh one, ready, with all its hosts at work; ended afterwards. Django is set up against its database."""
    environment = {
        "AGENT_MODULES": bench_agents.__name__,
        "PYTHONPATH": str(ROOT),
        "LOG_LEVEL": "WARNING",
    } | environment
    with data_folder() as folder:
        process = PortalProcess(Path(folder), environment=environment)
        try:
            process.start("--no-demo")
            hosts = int(environment.get("ENGINE_WORKERS", "2"))
            assert wait_for(lambda: len(process.engine_hosts()) >= hosts, 60), "the hosts did not begin"
            os.environ |= environment | {
                "DATABASE_URL": process.database_url,
                "REDIS_URL": process.redis_url,
                "PORTAL_DATA": folder,
                "DJANGO_SETTINGS_MODULE": "portal.settings",
            }
            import django

            django.setup()
            limit.prepare(process.database_url)
            assert set(limit.durable(process.database_url).values()) == {"on"}, "the server is not durable"
            yield Portal(process)
        finally:
            process.close()
