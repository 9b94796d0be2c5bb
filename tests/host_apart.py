"""A host in a process of its own on the test's database, to be stopped and killed: `with host_apart() as host: ...`."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any


class HostApart:
    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process

    @property
    def pid(self) -> int:
        return self.process.pid

    def stand_still(self) -> None:
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(60)


@contextmanager
def host_apart() -> Iterator[HostApart]:
    from django.conf import settings
    from django.db import connection

    from orchestration.models import EngineHost
    from tests.engine_host import wait_until

    environment = {
        **os.environ,
        "TEST_DATABASE": connection.settings_dict["NAME"],
        "OUTGOING_ALLOW": "127.0.0.1",
        "REDIS_URL": settings.REDIS_URL,
    }
    process = subprocess.Popen([sys.executable, "-m", "tests.host_apart"], env=environment)
    host = HostApart(process)
    try:
        wait_until(lambda: EngineHost.objects.filter(pid=process.pid, ended_at=None).exists(), 60, "the host apart")
        yield host
    finally:
        with suppress(ProcessLookupError):
            process.send_signal(signal.SIGCONT)
            process.kill()
        process.wait(60)


def register_agents() -> None:
    """`late_call`: in its first attempt it computes for `before` seconds, then it calls `address` for `seconds`, then
    it computes for `after`."""
    import asyncio

    import httpx

    from agents.python_callables import CallFacts, callable_agent
    from portal.core import effects

    @callable_agent(
        "late_call",
        label="Late call",
        description="",
        input_schema={"type": "object"},
        output_schema={"type": "object"},
        effects=False,
    )
    async def late_call(inputs: dict[str, Any], call: CallFacts) -> dict[str, Any]:
        await asyncio.sleep(inputs.get("before", 0) if call.attempt == 1 else 0)
        for number in range(inputs.get("calls", 1)):
            async with effects.outside(kind="http", target=f"POST {inputs['address']}") as effect:
                async with httpx.AsyncClient() as client:
                    await client.post(
                        inputs["address"],
                        json={"seconds": inputs.get("seconds", 0), "value": number},
                        headers={"Idempotency-Key": effect.idempotency_key},
                        timeout=60,
                    )
                effect.outcome({"number": number})
        await asyncio.sleep(inputs.get("after", 0))
        return {"attempt": call.attempt}


def main() -> None:
    import asyncio

    import django
    from django.conf import settings

    settings.DATABASES["default"]["NAME"] = os.environ["TEST_DATABASE"]
    django.setup()
    register_agents()
    from orchestration.host import Plan, work_on

    asyncio.run(work_on(Plan(drain_seconds=1.0)))


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
    main()
