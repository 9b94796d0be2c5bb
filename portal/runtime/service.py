"""One program kept running: started, followed, started again with back-off when it ends, stopped with its children."""

import asyncio
import os
import signal
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress

from portal.runtime.console import Console
from portal.runtime.leftovers import Register, members
from portal.runtime.program import Program

FIRST_DELAY, LONGEST_DELAY = 0.5, 30.0
# Seconds of life after which the next end counts as the first. What cannot start ends sooner than that; what works and
# is killed now and then must not be kept waiting for it.
HEALTHY_AFTER = 10.0


class Service:
    """`before` runs in a thread before every start; `heard` sees every line of output.

    `quiet`: its lines are shown only when it ends without being asked to.
    """

    def __init__(
        self,
        name: str,
        program: Program,
        *,
        console: Console,
        register: Register,
        stop_signal: signal.Signals = signal.SIGTERM,
        before: Callable[[], None] | None = None,
        heard: Callable[[str], None] | None = None,
        quiet: bool = False,
    ) -> None:
        self.name = name
        self._program = program
        self._console = console
        self._register = register
        self._stop_signal = stop_signal
        self._before = before
        self._heard = heard
        self._quiet = quiet
        self._unshown: deque[str] = deque(maxlen=20)
        self._process: asyncio.subprocess.Process | None = None
        self._follower: asyncio.Task[None] | None = None
        self._stopping = asyncio.Event()
        self._turn = asyncio.Lock()  # a stop waits for a start under way, lest it miss the process
        self._reason = ""
        self.started_at = 0.0
        self.ends = 0

    @property
    def pid(self) -> int | None:
        """The process now running, None between an end and the next start."""
        return self._process.pid if self._process and self._process.returncode is None else None

    @property
    def age(self) -> float:
        """Seconds since the last start."""
        return time.monotonic() - self.started_at

    async def start(self) -> None:
        """Start it, unless a stop has been asked for meanwhile."""
        async with self._turn:
            if self._before:
                await asyncio.to_thread(self._before)
            if not self._stopping.is_set():
                await self._start()

    async def _start(self) -> None:
        # A pipe of our own: asyncio's would make wait() wait for orphans that hold the other end.
        read, write = os.pipe()
        try:
            self._process = await asyncio.create_subprocess_exec(
                *self._program.command,
                env=self._program.variables,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=write,
                stderr=write,
                pass_fds=self._program.keep_open,
                start_new_session=True,
            )
        finally:
            os.close(write)
        self.started_at = time.monotonic()
        self._register.add(self.name, self._process.pid)
        self._follower = asyncio.create_task(self._console.follow(read, self._hear))

    async def wait(self) -> int:
        """The exit status of the running process; what it left behind of its session is killed."""
        assert self._process  # noqa: S101  start() comes first
        pid = self._process.pid
        status = await self._process.wait()
        await asyncio.to_thread(_kill_session, pid)
        self._register.remove(pid)
        if self._follower:
            with suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._follower, timeout=1)
        if status and not self._stopping.is_set():
            for line in self._unshown:
                self._console.line(self.name, line)
        self._unshown.clear()
        return status

    async def keep(self) -> None:
        """Keep it running until `stop`. The first start has been made by the caller."""
        delay = FIRST_DELAY
        while True:
            status = await self.wait()
            if self._stopping.is_set():
                return
            self.ends += 1
            delay = FIRST_DELAY if self.age > HEALTHY_AFTER else delay
            why = self._reason or describe(status)
            self._reason = ""
            self._console.say(f"{self.name} {why} after {self.age:.0f} s; starting it again in {delay:g} s.")
            with suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), timeout=delay)
            if self._stopping.is_set():
                return
            delay = min(delay * 2, LONGEST_DELAY)
            await self.start()

    def _hear(self, line: str) -> None:
        if self._quiet:
            self._unshown.append(line)
        else:
            self._console.line(self.name, line)
        if self._heard:
            self._heard(line)

    def restart(self, reason: str) -> None:
        """Kill the whole session at once; `keep` starts it again and says the reason."""
        if self.pid:
            self._reason = reason
            _kill_session(self.pid)

    def dead(self) -> bool:
        return self._process is None or self._process.returncode is not None

    async def stop(self, *, seconds: float) -> bool:
        """Ask it to stop; kill its session after `seconds`. False if it had to be killed."""
        self._stopping.set()
        async with self._turn:
            if self._process is None or self._process.returncode is not None:
                return True
            with suppress(ProcessLookupError):
                os.kill(self._process.pid, self._stop_signal)
        try:
            await asyncio.wait_for(self._process.wait(), timeout=seconds)
        except TimeoutError:
            _kill_session(self._process.pid)
            await self._process.wait()
            return False
        return True


def _kill_session(session: int) -> None:
    """Kill all of it, until nobody is left: a process may fork while the list is read."""
    for _ in range(10):
        alive = members(session)
        if not alive:
            return
        for process in alive:
            with suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL)
        time.sleep(0.02)


def describe(status: int) -> str:
    """An exit status in words."""
    if status >= 0:
        return f"ended with status {status}"
    try:
        return f"was ended by {signal.Signals(-status).name}"
    except ValueError:
        return f"was ended by signal {-status}"
