"""An outside world that counts: an HTTP server, and workflows whose steps call it.

The engine must not grade itself, so what was done how often is read from here. Every call carries its
`Idempotency-Key`. `Sink` is a server in the test's own process; `SinkProcess` is one apart (`python -m tests.effects`),
for tests that break everything else.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
import urllib.request
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from typing import Any

AGENT = "effect"


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A caller that was killed in the middle of its call is what is meant to happen."""


@dataclass
class Sink:
    """`calls`: [(key, began, ended)] in the order of their ends; a call whose client died has ended all the same.
    `go_on`: set it, and calls end at once that were to take long."""

    port: int = 0
    calls: list[tuple[str, float, float]] = field(default_factory=list)
    begun: Counter[str] = field(default_factory=Counter)
    go_on: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        sink = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                sink._serve(self)

            def do_GET(self) -> None:
                sink._tell(self)

            def log_message(self, format: str, *arguments: Any) -> None:
                pass

        self._server = _Server(("127.0.0.1", 0), Handler)
        self.port = self._server.server_port
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    def repeated(self) -> dict[str, int]:
        """Keys that were called more than once, with how often besides the first."""
        return {key: count - 1 for key, count in self.begun.items() if count > 1}

    def close(self) -> None:
        self.go_on.set()
        self._server.shutdown()
        self._server.server_close()

    def _serve(self, request: BaseHTTPRequestHandler) -> None:
        body = json.loads(request.rfile.read(int(request.headers.get("Content-Length", 0))) or b"{}")
        key, began = request.headers.get("Idempotency-Key", ""), time.time()
        with self._lock:
            self.begun[key] += 1
        self.go_on.wait(float(body.get("seconds", 0)))
        ended = time.time()  # before the caller hears of it and makes its next call
        with self._lock:
            self.calls.append((key, began, ended))
        _answer(request, {"key": key, "was": body.get("value")})

    def _tell(self, request: BaseHTTPRequestHandler) -> None:
        with self._lock:
            found = dict(self.begun)
        _answer(request, found)


def _answer(request: BaseHTTPRequestHandler, value: Any) -> None:
    body = json.dumps(value).encode()
    with suppress(OSError):  # the caller was killed
        request.send_response(200)
        request.send_header("Content-Type", "application/json")
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)


class SinkProcess:
    """A sink in a process of its own, which ends with its standard input."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.effects"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout
        self.port = int(self._process.stdout.readline())

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    def begun(self) -> dict[str, int]:
        """How often each key was called."""
        with urllib.request.urlopen(self.address, timeout=30) as answer:
            return dict(json.load(answer))

    def close(self) -> None:
        assert self._process.stdin and self._process.stdout
        self._process.stdin.close()
        self._process.wait(10)
        self._process.stdout.close()


def effect(id: str, seconds: float = 0.2, **more: Any) -> dict[str, Any]:
    """A node that calls the sink."""
    inputs = {"seconds": seconds, "value": id}
    return {"id": id, "type": "agent", "settings": {"agent": AGENT, "inputs": inputs}, **more}


def chain(steps: int, seconds: float = 0.1, **more: Any) -> dict[str, Any]:
    names = [f"s{number}" for number in range(steps)]
    return _definition(
        "Chain of effects",
        [effect(name, seconds, **more) for name in names],
        [{"source": a, "port": "out", "target": b} for a, b in pairwise(names)],
        {"last": "{{ " + names[-1] + ".outputs.was }}"},
    )


def timer(seconds: float) -> dict[str, Any]:
    return _definition("Timer", [{"id": "wait", "type": "delay", "settings": {"seconds": seconds}}], [], {})


def guarded(steps: int, seconds: float = 0.1) -> dict[str, Any]:
    """A chain of which every second step is at-most-once (`once…`) and leads on if nobody knows what became of it."""
    nodes, edges, last = [], [], ""
    for number in range(steps):
        name, once = f"step{number}", f"once{number}"
        nodes += [effect(name, seconds), effect(once, seconds, delivery="at_most_once")]
        if last:
            edges += [{"source": last, "port": port, "target": name} for port in ("out", "error")]
        edges.append({"source": name, "port": "out", "target": once})
        last = once
    nodes.append(effect("end", seconds))
    edges += [{"source": last, "port": port, "target": "end"} for port in ("out", "error")]
    return _definition("Guarded effects", nodes, edges, {})


def branches_loop_and_approval(seconds: float = 0.3) -> dict[str, Any]:
    """begin → three branches → join → a loop of six, three side by side → an approval → end."""
    nodes = [
        effect("begin", seconds),
        *(effect(f"branch{n}", seconds * (n + 1)) for n in range(3)),
        {"id": "together", "type": "join", "settings": {}},
        {
            "id": "each",
            "type": "loop",
            "settings": {
                "items": "[1, 2, 3, 4, 5, 6]",
                "mode": "parallel",
                "limit": 3,
                "output": "{{ inside.outputs.was }}",
            },
        },
        effect("inside", seconds, parent="each"),
        effect("inside2", seconds, parent="each"),
        {"id": "ask", "type": "approval", "settings": {"title": "Go on?", "assignee": {"role": "approver"}}},
        effect("end", seconds),
    ]
    edges = [
        *({"source": "begin", "port": "out", "target": f"branch{n}"} for n in range(3)),
        *({"source": f"branch{n}", "port": "out", "target": "together"} for n in range(3)),
        {"source": "together", "port": "out", "target": "each"},
        {"source": "inside", "port": "out", "target": "inside2"},
        {"source": "each", "port": "out", "target": "ask"},
        {"source": "ask", "port": "approve", "target": "end"},
    ]
    return _definition("Effects", nodes, edges, {"results": "{{ each.outputs.items }}", "end": "{{ end.outputs.was }}"})


def _definition(name: str, nodes: list[Any], edges: list[Any], outputs: dict[str, str]) -> dict[str, Any]:
    return {
        "format": "ensemble.workflow/1",
        "name": name,
        "inputs": {"type": "object", "properties": {}},
        "outputs": outputs,
        "nodes": nodes,
        "edges": edges,
    }


def make_agent(organisation: Any, address: str, **more: Any) -> None:
    """The agent that calls the sink. For code with Django set up."""
    from agents.services import AgentCard, VersionDraft, create_agent
    from portal.core.actors import Actor

    create_agent(
        organisation=organisation,
        slug=AGENT,
        card=AgentCard(name="Effect"),
        draft=VersionDraft(
            kind="http",
            config={"url": address},
            input_schema={"type": "object", "properties": {}},
            output_schema={"type": "object", "properties": {}},
            **more,
        ),
        actor=Actor.command(),
    )


if __name__ == "__main__":
    serving = Sink()
    print(serving.port, flush=True)
    sys.stdin.read()
    serving.close()
