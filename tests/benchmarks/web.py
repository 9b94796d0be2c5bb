"""How fast the web process answers: `python -m tests.benchmarks.web [--only "start a run" ...] [--rounds 5]`.

Starts a whole portal (`manage.py up`) and asks its one web process, over kept connections, for what people and programs
ask for most. Beside each a bare application, which answers with two words under the same server (Daphne, as
`manage.py web` runs it): what is left of a request when the portal has nothing to do. Prints a JSON line a request:

    p50_ms, p95_ms      of one client, who asks one request after the other
    cpu_ms              processor time of the web process for one of these requests
    ratio               p50 to the bare application's, measured right before in each round; the median of the rounds
    crowd_per_second    requests a second with 20 clients at once; crowd_p50_ms and crowd_p95_ms of each request

and a last line of runs started by the API: from the moment the request is sent to the body of the first step.
"""

from __future__ import annotations

import argparse
import json
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import psutil

from tests.benchmarks import works
from tests.benchmarks.engine import report
from tests.benchmarks.whole import Portal, whole_portal
from tests.benchmarks.wire import Address, Wire, alone, crowd, request

JSON = Any
CLIENTS = 20
ALONE, TOGETHER = 100, 200
"""Requests a round, of one client and of all."""

BARE = """
import socket, sys
from portal.runtime.web import DrainingServer

async def application(scope, receive, send):
    await receive()
    headers = [(b"content-type", b"text/plain"), (b"content-length", b"11")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"Hello world"})

DrainingServer(application, socket.socket(fileno=int(sys.argv[1]))).run()
"""


@contextmanager
def bare_server() -> Iterator[Address]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port, number = listener.getsockname()[1], listener.fileno()
        server = subprocess.Popen([sys.executable, "-c", BARE, str(number)], pass_fds=[number])
    try:
        yield Address("127.0.0.1", port)
    finally:
        server.terminate()
        server.wait(timeout=10)


class Web:
    """The web process of a portal, and who asks it: an administrator, by token and by session."""

    def __init__(self, portal: Portal) -> None:
        self.address = Address.of(portal.process.address)
        self.token = {"Authorization": str(portal.client.headers["Authorization"])}
        self.session = {"Cookie": f"sessionid={_session()}"}
        self._process = psutil.Process(portal.process.pid("web"))

    def cpu_seconds(self) -> float:
        times = self._process.cpu_times()
        return float(times.user + times.system)


def _session() -> str:
    from django.test import Client

    from portal.core.models import User

    client = Client()
    client.force_login(User.objects.get(username="admin"), backend="django.contrib.auth.backends.ModelBackend")
    return str(client.cookies["sessionid"].value)


def requests(portal: Portal, web: Web) -> dict[str, bytes]:
    run = portal.start(portal.workflow(works.chain(5)))
    portal.wait([run])
    start = {"workflow": portal.workflow(works.chain(2)).slug, "inputs": {}}
    return {
        "start a run": request("POST", "/api/v1/runs", web.token, start),
        "read a run": request("GET", f"/api/v1/runs/{run}", web.token),
        "list runs": request("GET", "/api/v1/runs?limit=20", web.token),
        "home": request("GET", "/o/demo/", web.session),
        "page of a run": request("GET", f"/o/demo/runs/{run}/", web.session),
        "page of runs": request("GET", "/o/demo/runs/", web.session),
        "health": request("GET", "/health/live"),
    }


def measure(name: str, web: Web, sent: bytes, bare: Address, rounds: int) -> None:
    hello = request("GET", "/")
    alone(web.address, sent, 10)
    times: list[float] = []
    ratios, cpu, rates, crowds = [], [], [], []
    for _ in range(rounds):
        least = statistics.median(alone(bare, hello, ALONE))
        before = web.cpu_seconds()
        took = alone(web.address, sent, ALONE)
        cpu.append((web.cpu_seconds() - before) / ALONE * 1000)
        ratios.append(statistics.median(took) / least)
        times += took
        seconds, each = crowd(web.address, sent, TOGETHER, CLIENTS)
        rates.append(TOGETHER / seconds)
        crowds += each
    report(
        request=name,
        p50_ms=statistics.median(times) * 1000,
        p95_ms=statistics.quantiles(times, n=20)[18] * 1000,
        cpu_ms=statistics.median(cpu),
        ratio=round(statistics.median(ratios), 2),
        crowd_per_second=statistics.median(rates),
        crowd_p50_ms=statistics.median(crowds) * 1000,
        crowd_p95_ms=statistics.quantiles(crowds, n=20)[18] * 1000,
        rounds=rounds,
    )


def first_steps(portal: Portal, web: Web, sent: bytes, count: int) -> None:
    wire, first, answered = Wire(web.address), [], []
    for _ in range(count):
        began = time.time()
        run = UUID(json.loads(wire.ask(sent))["id"])
        answered.append(time.time() - began)
        portal.wait([run], pause=0.005)
        first.append((portal.step_began_at(run, "s0") - began) * 1000)
    report(
        request="start a run, until its first step",
        p50_ms=statistics.median(first),
        p95_ms=statistics.quantiles(first, n=20)[18],
        answered_p50_ms=statistics.median(answered) * 1000,
        starts=count,
    )


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="tests.benchmarks.web")
    parser.add_argument("--only", nargs="*")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args(arguments)
    with whole_portal() as portal, bare_server() as bare:
        web = Web(portal)
        asked = requests(portal, web)
        alone(bare, request("GET", "/"), 50)
        for name, sent in asked.items():
            if options.only is None or name in options.only:
                measure(name, web, sent, bare, options.rounds)
        first_steps(portal, web, asked["start a run"], 20 * options.rounds)


if __name__ == "__main__":
    main(sys.argv[1:])
