"""Workers killed with -9 while runs publish, wait, and start each other: no event is lost and none counts twice."""

from __future__ import annotations

import json
import os
import signal
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from itertools import pairwise
from typing import Any

import psycopg
import pytest

from tests.engine_host import wait_until
from tests.portal_process import PortalProcess

pytestmark = pytest.mark.processes

RUNS, KILL_AT = 24, (5, 12, 19)
NUMBER = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}


def definition(name: str, *nodes: dict[str, Any]) -> dict[str, Any]:
    edges = [{"source": a["id"], "port": "out", "target": b["id"]} for a, b in pairwise(nodes)]
    return {"format": "ensemble.workflow/1", "name": name, "inputs": NUMBER, "nodes": list(nodes), "edges": edges}


ASKS = definition(
    "Asks",
    {
        "id": "ping",
        "type": "publish_event",
        "settings": {"name": "ping", "key": "{{ inputs.n }}", "data": {"n": "{{ inputs.n }}"}},
    },
    {
        "id": "wait",
        "type": "wait_event",
        "settings": {"name": "pong", "key": "{{ inputs.n }}", "since": "run_start"},
    },
)
ANSWERS = definition(
    "Answers", {"id": "pong", "type": "publish_event", "settings": {"name": "pong", "key": "{{ inputs.n }}"}}
)
LISTENS = {
    "workflow": "answers",
    "kind": "event",
    "name": "On a ping",
    "settings": {"event": "ping"},
    "inputs": {"n": "{{ event.data.n }}"},
}


def test_runs_that_talk_by_events_survive_the_death_of_their_hosts(start_portal: Callable[..., PortalProcess]) -> None:
    portal = start_portal()
    token = portal.manage("token", "--user", "admin", "--org", "demo").stdout.split()[-1]

    def post(path: str, body: Any) -> Any:
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        request = urllib.request.Request(
            f"{portal.address}/api/v1/{path}", data=json.dumps(body).encode(), headers=headers, method="POST"
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    for slug, body in (("asks", ASKS), ("answers", ANSWERS)):
        post(f"workflows?slug={slug}", body)
        post(f"workflows/{slug}/publish", {})
    post("triggers", LISTENS)
    for n in range(RUNS):
        post("runs", {"workflow": "asks", "inputs": {"n": n}})
        if n in KILL_AT:
            for host in portal.engine_hosts()[:1]:
                with suppress(ProcessLookupError):
                    os.kill(host, signal.SIGKILL)
    with psycopg.connect(portal.database_url, autocommit=True) as connection:

        def count(statement: str) -> int:
            row = connection.execute(statement).fetchone()
            return int(row[0]) if row else 0

        done = "SELECT count(*) FROM orchestration_run WHERE status = 'completed' AND name IN ('Asks', 'Answers')"
        wait_until(lambda: count(done) == 2 * RUNS, 120, lambda: f"all runs; {count(done)} of {2 * RUNS} have ended")
        assert count("SELECT count(*) FROM orchestration_run WHERE name = 'Answers'") == RUNS
        for name in ("ping", "pong"):
            assert count(f"SELECT count(*) FROM orchestration_busevent WHERE name = '{name}'") == RUNS
        assert count("SELECT count(*) FROM orchestration_eventsubscription") == 0
        assert count("SELECT count(*) FROM orchestration_triggerfire WHERE outcome = 'started'") == RUNS
