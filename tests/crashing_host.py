"""Hosts that are killed in a chosen moment of their work: before, within or after their n-th commit, or just after a
claim.

    with crashing_hosts() as hosts:
        hosts.begin(Moment("after", 7))
        ...
        hosts.over()            # {"before": 7, "within": 2, "after": 7, "claimed": 1} once it is dead, else None

The engine knows nothing of this: what is killed is a host of its own process, in which the store's writer and desk have
been wrapped (`_wrap`). So that a host costs no more than a fork, a process without any connection has everything
loaded (`python -m tests.crashing_host`) and forks one host after the other. It ends with its standard input.
"""

from __future__ import annotations

import json
import mmap
import os
import select
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

PLACES = ("before", "within", "after", "claimed")
"""A commit of the writer's: nothing of it is there; the run's rows are written, those of others that go with them are
not, and the transaction is open; all of it is there, and nobody has heard. And: runs have been claimed, and nobody has
heard."""


class Moment(NamedTuple):
    place: str
    nth: int


class CrashingHosts:
    """One at a time."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self._pid = 0

    def begin(self, moment: Moment | None = None) -> None:
        """A host; killed in that moment, if it comes."""
        self._say(list(moment) if moment else None)
        self._pid = int(self._hear())

    def over(self, seconds: float = 0.0) -> dict[str, int] | None:
        """How many moments of each place the host has lived to see, if it is dead. Waits so long at most."""
        assert self._process.stdout
        ready, _, _ = select.select([self._process.stdout], [], [], seconds)
        return json.loads(self._hear()) if ready else None

    def kill(self) -> dict[str, int]:
        """And what it had lived to see."""
        with suppress(ProcessLookupError):  # it has done so itself
            os.kill(self._pid, signal.SIGKILL)
        found = self.over(60.0)
        assert found is not None
        return found

    def _say(self, what: Any) -> None:
        assert self._process.stdin
        self._process.stdin.write(json.dumps(what).encode() + b"\n")

    def _hear(self) -> bytes:
        assert self._process.stdout
        line = self._process.stdout.readline()
        assert line, "the process that forks hosts has ended"
        return line


@contextmanager
def crashing_hosts() -> Iterator[CrashingHosts]:
    from django.conf import settings
    from django.db import connection

    environment = {
        **os.environ,
        "TEST_DATABASE": connection.settings_dict["NAME"],
        "OUTGOING_ALLOW": "127.0.0.1",
        "REDIS_URL": settings.REDIS_URL,
        "LOG_LEVEL": "ERROR",
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.crashing_host"],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        bufsize=0,
    )
    try:
        yield CrashingHosts(process)
    finally:
        assert process.stdin and process.stdout
        process.stdin.close()
        with suppress(subprocess.TimeoutExpired):
            process.wait(10)
        process.kill()
        process.wait(10)
        process.stdout.close()


def register_agents() -> None:
    """`host_killer`: ends the process it works in, as long as there is a file at `file`."""
    from agents.python_callables import CallFacts, callable_agent

    @callable_agent(
        "host_killer",
        label="Host killer",
        description="",
        input_schema={"type": "object"},
        output_schema={"type": "object"},
        effects=False,
    )
    def host_killer(inputs: dict[str, Any], call: CallFacts) -> dict[str, Any]:
        if Path(inputs["file"]).exists():
            os.kill(os.getpid(), signal.SIGKILL)
        return {"attempt": call.attempt}


# -- the process that forks, and its hosts ----------------------------------------------------------------------------


def main() -> None:
    import django
    from django.conf import settings

    settings.DATABASES["default"]["NAME"] = os.environ["TEST_DATABASE"]
    django.setup()
    register_agents()
    import orchestration.host  # so that hosts need not load it  # noqa: F401

    for line in sys.stdin.buffer:
        wanted = json.loads(line)
        seen = mmap.mmap(-1, len(PLACES) * 4)  # shared with the host: what it counts outlives it
        pid = os.fork()
        if not pid:
            _work(Moment(*wanted) if wanted else None, memoryview(seen).cast("I"))
        print(pid, flush=True)
        _wait_for(pid)
        print(json.dumps(dict(zip(PLACES, memoryview(seen).cast("I"), strict=True))), flush=True)


def _wait_for(pid: int) -> None:
    """Its end. If ours is wished first (standard input is closed), it is killed."""
    process = os.pidfd_open(pid)
    ready, _, _ = select.select([process, sys.stdin], [], [])
    if process not in ready:
        os.kill(pid, signal.SIGKILL)
    os.close(process)
    os.waitpid(pid, 0)


def _work(moment: Moment | None, seen: memoryview) -> None:
    """In a process of its own, which does not return."""
    import asyncio

    from orchestration.host import Plan, work_on

    _wrap(moment, seen)
    try:
        asyncio.run(work_on(Plan(drain_seconds=1.0)))
    finally:
        os._exit(1)


def _wrap(moment: Moment | None, seen: memoryview) -> None:
    """Count, and end at the moment."""
    from orchestration.store import Desk, Writer

    def here(place: str) -> None:
        at = PLACES.index(place)
        seen[at] += 1
        if moment == (place, seen[at]):
            os.kill(os.getpid(), signal.SIGKILL)

    commit, write_along = Writer._commit, Writer._write_along

    def counted(self: Writer, waiters: Any) -> None:
        here("before")
        commit(self, waiters)
        here("after")

    def written(self: Writer, connection: Any, checkpoints: Any) -> None:
        here("within")
        write_along(self, connection, checkpoints)

    def claiming(claim: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def claimed(*arguments: Any, **named: Any) -> Any:
            if leases := await claim(*arguments, **named):
                here("claimed")
            return leases

        return claimed

    for name, wrapped in (("_commit", counted), ("_write_along", written)):
        setattr(Writer, name, wrapped)
    for name in ("claim", "claim_named"):
        setattr(Desk, name, claiming(getattr(Desk, name)))


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
    main()
