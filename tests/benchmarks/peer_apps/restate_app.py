"""Restate: `python restate_app.py <server program> <folder>`. Starts the server and the service's process beside it.

Runs are started over HTTP at the server's ingress, so their calls cross processes as ours do.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import hypercorn.asyncio
import hypercorn.config
import restate
from protocol import Peer, serve
from protocol import step as body

bench = restate.Service("bench")


async def _step(run: str, delay: float) -> dict[str, Any]:
    return await body(run, delay)


@bench.handler()
async def chain(ctx: restate.Context, args: dict[str, Any]) -> float:
    """Answers when its first step began."""
    first = 0.0
    for number in range(args["steps"]):
        result = await ctx.run_typed(f"s{number}", _step, run=args["run"], delay=args["delay"])
        first = first or result["at"]
    return first


@bench.handler()
async def fan(ctx: restate.Context, args: dict[str, Any]) -> None:
    run, delay = args["run"], args["delay"]
    await ctx.run_typed("first", _step, run=run, delay=delay)
    await restate.gather(*(ctx.run_typed(f"b{n}", _step, run=run, delay=delay) for n in range(args["width"])))
    await ctx.run_typed("last", _step, run=run, delay=delay)


@bench.handler()
async def layers(ctx: restate.Context, args: dict[str, Any]) -> None:
    """Layer by layer, as its SDK starts steps in a fixed order."""
    for layer in range(args["layers"]):
        steps = (ctx.run_typed(f"n{layer}_{n}", _step, run=args["run"], delay=0.0) for n in range(args["width"]))
        await restate.gather(*steps)


class Restate(Peer):
    def __init__(self, ingress: str) -> None:
        self.client = httpx.AsyncClient(base_url=ingress, timeout=300, limits=httpx.Limits(max_connections=200))
        self.first: dict[str, float] = {}

    async def start(self, work: str, run: str, args: dict[str, Any]) -> None:
        answer = await self.client.post(f"/bench/{work}", json={**args, "run": run})
        answer.raise_for_status()
        if work == "chain":
            self.first[run] = answer.json()

    async def began(self, run: str) -> float:
        return self.first[run]


def _free_ports() -> tuple[int, int, int, int]:
    probes = [socket.create_server(("127.0.0.1", 0)) for _ in range(4)]
    one, two, three, four = (probe.getsockname()[1] for probe in probes)
    for probe in probes:
        probe.close()
    return one, two, three, four


async def _until(ask: Any) -> None:
    end = time.monotonic() + 60
    while True:
        try:
            if (await ask()).is_success:
                return
        except httpx.HTTPError:
            pass
        if time.monotonic() > end:
            raise SystemExit("The server did not answer within a minute.")
        await asyncio.sleep(0.1)


def _programs(program: str, folder: Path, ports: tuple[int, int, int, int]) -> list[subprocess.Popen[bytes]]:
    """Restate's server and the process with the handlers."""
    ingress, admin, node, service = ports
    environment = {
        **os.environ,
        "RESTATE_INGRESS__BIND_ADDRESS": f"127.0.0.1:{ingress}",
        "RESTATE_ADMIN__BIND_ADDRESS": f"127.0.0.1:{admin}",
        "RESTATE_BIND_ADDRESS": f"127.0.0.1:{node}",
        "RESTATE_LOG_FILTER": "error",
        "RESTATE_DISABLE_TELEMETRY": "true",
        "DO_NOT_TRACK": "1",
    }
    with (folder / "server.log").open("wb") as log:
        command = [program, "--base-dir", str(folder / "data")]
        server = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        handlers = subprocess.Popen([sys.executable, __file__, "--service", str(service)], stdout=log, stderr=log)
    return [handlers, server]


async def main(programs: list[subprocess.Popen[bytes]], ports: tuple[int, int, int, int]) -> None:
    ingress, admin, _, service = ports
    try:
        async with httpx.AsyncClient(timeout=10) as client:
            await _until(lambda: client.get(f"http://127.0.0.1:{admin}/health"))
            uri = {"uri": f"http://127.0.0.1:{service}", "force": True}
            await _until(lambda: client.post(f"http://127.0.0.1:{admin}/deployments", json=uri))
        await serve(Restate(f"http://127.0.0.1:{ingress}"))
    finally:
        for process in programs:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()


def serve_handlers(port: int) -> None:
    config = hypercorn.config.Config()
    config.bind = [f"127.0.0.1:{port}"]
    config.loglevel = "ERROR"
    asyncio.run(hypercorn.asyncio.serve(restate.app([bench]), config))  # type: ignore[arg-type]


if __name__ == "__main__":
    if sys.argv[1] == "--service":
        serve_handlers(int(sys.argv[2]))
    else:
        found = _free_ports()
        asyncio.run(main(_programs(sys.argv[1], Path(sys.argv[2]), found), found))
