"""DBOS: `python dbos_app.py <database url>`. Workflows are started in this process."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

from dbos import DBOS, DBOSConfig, SetWorkflowID
from protocol import Peer, serve
from protocol import step as body


@DBOS.step()
async def step(run: str, delay: float) -> dict[str, Any]:
    return await body(run, delay)


@DBOS.workflow()
async def chain(run: str, steps: int, delay: float) -> None:
    for _ in range(steps):
        await step(run, delay)


@DBOS.workflow()
async def fan(run: str, width: int, delay: float) -> None:
    await step(run, delay)
    await asyncio.gather(*(step(run, delay) for _ in range(width)))
    await step(run, delay)


@DBOS.workflow()
async def layers(run: str, count: int, width: int) -> None:
    """Layer by layer, since steps are started in a fixed order."""
    for _ in range(count):
        await asyncio.gather(*(step(run, 0.0) for _ in range(width)))


class Dbos(Peer):
    async def start(self, work: str, run: str, args: dict[str, Any]) -> None:
        with SetWorkflowID(run):
            match work:
                case "chain":
                    handle = await DBOS.start_workflow_async(chain, run, args["steps"], args["delay"])
                case "fan":
                    handle = await DBOS.start_workflow_async(fan, run, args["width"], args["delay"])
                case _:
                    handle = await DBOS.start_workflow_async(layers, run, args["layers"], args["width"])
        await handle.get_result(polling_interval_sec=0.005)


def main() -> None:
    config: DBOSConfig = {
        "name": "bench",
        "system_database_url": sys.argv[1],
        "run_admin_server": False,
        "log_level": "ERROR",
    }
    DBOS(config=config)
    DBOS.launch()
    asyncio.run(serve(Dbos()))
    DBOS.destroy()


if __name__ == "__main__":
    main()
